# SPDX-License-Identifier: Apache-2.0
"""What a connection decodes: curves that are measured, and decoders solved on them."""
