# SPDX-License-Identifier: Apache-2.0
"""Search for hyperparameters: what is tried, and how it is scored."""
