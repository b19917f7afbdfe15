# SPDX-License-Identifier: Apache-2.0
"""Boards and the toolchains that build for them: one file each."""
