# SPDX-License-Identifier: Apache-2.0
"""Learning rules, and ``fit``, which trains by one of them."""
