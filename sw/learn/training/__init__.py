# SPDX-License-Identifier: Apache-2.0
"""A training run: its options, losses, targets and loop."""
