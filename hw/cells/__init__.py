# SPDX-License-Identifier: Apache-2.0
"""Blocks of a part behind wrappers, each with a plain description."""
