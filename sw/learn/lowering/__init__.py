# SPDX-License-Identifier: Apache-2.0
"""From layers that are trained to layers that have a hardware form."""
