# SPDX-License-Identifier: Apache-2.0
"""How the emulator gets fast: exact number types, prepared calls, compiled loops."""
