# SPDX-License-Identifier: Apache-2.0
"""What joins components: payloads, widths, buffers, forks, spikes."""
