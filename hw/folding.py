# SPDX-License-Identifier: Apache-2.0
"""How many parallel units each node gets."""

from collections.abc import Mapping
from numbers import Integral

from spikewright.hw.glue.streams import beats_of
from spikewright.hw.pace import product_cycles
from spikewright.sim.errors import FormatError
from spikewright.sim.learn import Learn
from spikewright.sim.matvec import MatVec
from spikewright.sim.ports import Rate
from spikewright.sim.program import Node, Program

DEFAULT_LANES = 16
"""Lanes of a matrix-vector product where the user states none."""


def fold(program: Program, lanes: int | Mapping[str, int] | None = None) -> dict[str, int]:
    """Lanes of every node, and as ``NODE.y`` the rows in a beat of each product.

    A product with ``lanes`` units needs ``ceil(rows / lanes)`` passes, and gets the fewest units
    that need no more: 16, and not 28, for 32 rows. Its beats are as narrow as they can be without
    being what takes longest; those of a Learn are of all its lanes. What follows element by
    element takes beats as wide as it is given; serial nodes have one lane.

    Parameters
    ----------
    program : Program
    lanes : int or mapping of str to int, optional
        For every product (more than its rows are as many), or by name; the default is 16.

    Raises
    ------
    FormatError
        If lanes are no positive integers, exceed a named product's rows, name no node, do not
        divide into the beats that are named, or are other than what follows for a node.
    """
    chosen = dict(lanes) if isinstance(lanes, Mapping) else {}
    general = DEFAULT_LANES if lanes is None or isinstance(lanes, Mapping) else lanes
    if not _is_integer(general) or general < 1:
        raise FormatError(f"Lanes must be a positive integer, not {general!r}")
    products = {
        n.name: n.primitive for n in program.nodes if isinstance(n.primitive, MatVec | Learn)
    }
    narrowed = [name for name, found in products.items() if isinstance(found, MatVec)]
    for name, own in chosen.items():
        if name.removesuffix(".y") not in program.by_name:
            raise FormatError(f"Lanes can be chosen for {', '.join(products)}, not for {name!r}")
        if not _is_integer(own):
            raise FormatError(f"Lanes of {name} must be a positive integer, not {own!r}")
        if name.endswith(".y") and name.removesuffix(".y") not in narrowed:
            raise FormatError(
                f"Rows in a beat can be chosen for {', '.join(narrowed) or 'no node'}, "
                f"not for {name!r}"
            )
        if name in products and not 1 <= own <= products[name].rows:
            raise FormatError(
                f"Lanes of {name} must be between 1 and its {products[name].rows} rows, not {own!r}"
            )
    folded: dict[str, int] = {}
    for node in program.order:
        if isinstance(node.primitive, MatVec):
            _fold_product(program, node, chosen, general, folded)
        elif isinstance(node.primitive, Learn):
            units = chosen.get(node.name, general)
            folded[node.name] = fewest_units(node.primitive.rows, units)
        elif node.primitive.serial:
            folded[node.name] = 1
        else:
            folded[node.name] = max(beat_width(folded, r) for r in node.inputs)
    for name, own in chosen.items():
        if name not in products and own != folded.get(name):
            raise FormatError(
                f"Lanes of {name} follow from its input: {folded.get(name, 1)}, not {own!r}"
            )
    return folded


def fewest_units(rows: int, units: int) -> int:
    """Fewest units that need no more passes.

    >>> fewest_units(32, 28), fewest_units(5, 16)
    (16, 5)
    """
    return beats_of(rows, beats_of(rows, units))


def _is_integer(value: object) -> bool:
    """Whether a value is a whole number, which a truth value is not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _fold_product(
    program: Program,
    node: Node,
    chosen: Mapping[str, int],
    general: int,
    folded: dict[str, int],
) -> None:
    """Units and rows in a beat of one product."""
    primitive, wide = node.primitive, f"{node.name}.y"
    if not isinstance(primitive, MatVec):
        return
    units = fewest_units(primitive.rows, chosen.get(node.name, general))
    divisors = [d for d in range(1, units + 1) if units % d == 0]
    if wide in chosen and chosen[wide] not in divisors:
        raise FormatError(
            f"Rows in a beat of {node.name} must divide its {units} lanes, not {chosen[wide]!r}"
        )
    repeats = _beats_played(program, node)
    most = product_cycles(primitive, units)
    fits = [d for d in divisors if beats_of(primitive.rows, d) * repeats <= most]
    folded[node.name] = units
    folded[wide] = chosen.get(wide, min(fits, default=units))


def _beats_played(program: Program, node: Node) -> int:
    """How often each beat of a product is played by what follows it: once, or in every step."""
    if program.rates[node.name] is Rate.STEP:
        return 1
    reached, found = [node.name], {node.name}
    while reached:
        name = reached.pop()
        for port in program.by_name[name].primitive.ports().outputs:
            for reader, _ in program.consumers.get(f"{name}.{port}", []):
                if program.rates[reader.name] is Rate.STEP and not reader.primitive.serial:
                    return program.steps or 1
                if not reader.primitive.serial and reader.name not in found:
                    found.add(reader.name)
                    reached.append(reader.name)
    return 1


def beat_width(folded: Mapping[str, int], reference: str) -> int:
    """Elements in a beat of the stream that a reference names."""
    node = reference.partition(".")[0]
    return folded.get(f"{node}.y", folded.get(node, 1))
