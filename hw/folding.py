# SPDX-License-Identifier: Apache-2.0
"""How many parallel units each node gets."""

from collections.abc import Mapping

from spikewright.sim.errors import FormatError
from spikewright.sim.matvec import MatVec
from spikewright.sim.program import Program

DEFAULT_LANES = 16
"""Lanes of a matrix-vector product where the user states none."""


def fold(program: Program, lanes: int | Mapping[str, int] | None = None) -> dict[str, int]:
    """Lanes of every node.

    Matrix-vector products get ``lanes`` (never more than they have rows); what follows one element
    by element takes beats as wide as it is given; serial nodes have one lane.

    Parameters
    ----------
    program : Program
    lanes : int or mapping of str to int, optional
        For every product, or by node name; the default is 16.

    Raises
    ------
    FormatError
        If lanes are not positive, exceed a named product's rows, name no node or are other than
        what follows for a node.
    """
    chosen = dict(lanes) if isinstance(lanes, Mapping) else {}
    general = DEFAULT_LANES if lanes is None or isinstance(lanes, Mapping) else lanes
    if general < 1:
        raise FormatError(f"Lanes must be a positive integer, not {general!r}")
    products = {n.name: n.primitive for n in program.nodes if isinstance(n.primitive, MatVec)}
    for name, own in chosen.items():
        if name not in program.by_name:
            raise FormatError(f"Lanes can be chosen for {', '.join(products)}, not for {name!r}")
        if name in products and not 1 <= own <= products[name].rows:
            raise FormatError(
                f"Lanes of {name} must be between 1 and its {products[name].rows} rows, not {own!r}"
            )
    folded: dict[str, int] = {}
    for node in program.order:
        if node.name in products:
            folded[node.name] = chosen.get(node.name, min(general, products[node.name].rows))
        elif node.primitive.serial:
            folded[node.name] = 1
        else:
            folded[node.name] = max(beat_width(program, folded, r) for r in node.inputs)
    for name, own in chosen.items():
        if own != folded[name]:
            raise FormatError(f"Lanes of {name} follow from its input: {folded[name]}, not {own!r}")
    return folded


def beat_width(program: Program, folded: Mapping[str, int], reference: str) -> int:
    """Elements in a beat of the stream that a reference names."""
    return folded.get(reference.partition(".")[0], 1)
