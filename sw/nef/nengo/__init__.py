# SPDX-License-Identifier: Apache-2.0
"""Networks that Nengo describes, read from the objects that the user passes."""
