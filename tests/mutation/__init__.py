# SPDX-License-Identifier: Apache-2.0
"""Single faults in the generated netlist, and whether the tests find them."""
