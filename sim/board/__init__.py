# SPDX-License-Identifier: Apache-2.0
"""The simulated PYNQ-Z2: stock pynq code over simulated fabric."""
