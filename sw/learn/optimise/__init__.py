# SPDX-License-Identifier: Apache-2.0
"""How parameters move: optimisers, rates that fall, what keeps weights small."""
