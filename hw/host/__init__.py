# SPDX-License-Identifier: Apache-2.0
"""What the host reaches: bus, registers, packets, probes, a serial line."""
