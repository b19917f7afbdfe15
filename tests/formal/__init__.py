# SPDX-License-Identifier: Apache-2.0
"""Proofs of the gateware's components with SymbiYosys."""
