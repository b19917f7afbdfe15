# SPDX-License-Identifier: Apache-2.0
"""Every proof, in the order of the report."""

from formal import (
    bus,
    cells,
    cores,
    draws,
    glue,
    graphs,
    hosts,
    learning,
    neurons,
    outlets,
    pointwise,
    probes,
    products,
    stores,
    words,
)

_MODULES = (
    *(glue, outlets, cores, pointwise, stores),
    *(neurons, products, learning, draws, words, hosts, probes, bus, graphs, cells),
)
PROOFS = [proof for module in _MODULES for proof in module.PROOFS]
"""From the smallest components to whole datapaths, then the parts' cells."""
