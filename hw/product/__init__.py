# SPDX-License-Identifier: Apache-2.0
"""What dense and event-driven products are made of."""
