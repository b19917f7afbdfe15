# SPDX-License-Identifier: Apache-2.0
"""Gateware: one Amaranth component per primitive, stream glue and the accelerator top."""
