# SPDX-License-Identifier: Apache-2.0
"""The specification: number formats, golden models, the integer program and the emulator."""
