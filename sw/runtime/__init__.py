# SPDX-License-Identifier: Apache-2.0
"""One Device interface over the emulator, the RTL engine and the boards."""
