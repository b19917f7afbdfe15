# SPDX-License-Identifier: Apache-2.0
"""Learning on the host: differentiation, layers, losses, optimisers and rules."""
