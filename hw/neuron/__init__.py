# SPDX-License-Identifier: Apache-2.0
"""What neurons are made of: pipelines over state in memory."""
