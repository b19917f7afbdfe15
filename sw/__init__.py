# SPDX-License-Identifier: Apache-2.0
"""Spikewright: one network, the same bits everywhere."""
