# SPDX-License-Identifier: Apache-2.0
"""From a network of ensembles to a program."""
