# SPDX-License-Identifier: Apache-2.0
"""Which streams of a graph come once a frame and which once a step."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from spikewright.sim.errors import ProgramError
from spikewright.sim.ports import Rate

if TYPE_CHECKING:
    from spikewright.sim.program import Node


def rates_of(
    inputs: Mapping[str, Rate], order: "Iterable[Node]", *, streaming: bool
) -> dict[str, Rate]:
    """Rate of each input and of each node's outputs.

    Parameters
    ----------
    inputs : mapping of str to Rate
    order : iterable of Node
        Each after those it reads, but for what breaks cycles.
    streaming : bool
        Whether there are no frames.

    Raises
    ------
    ProgramError
        If a node's inputs have different rates or a rate that it cannot take, or if what comes at
        the end of a frame would be needed from its start.
    """
    order = tuple(order)
    rates = dict(inputs)
    rates.update((node.name, Rate.STEP) for node in order if node.primitive.breaks_cycle)
    late: set[str] = set()
    for node in order:
        sources = [reference.partition(".")[0] for reference in node.inputs]
        rates[node.name] = _rate_out(node, {rates[source] for source in sources})
        late_sources = [source for source in sources if source in late]
        if node.primitive.crossing == (Rate.FRAME, Rate.STEP) and late_sources:
            raise ProgramError(
                f"{_named(node)} must have an input that is known when the frame starts, "
                f"not {late_sources[0]}, which comes when it ends"
            )
        if late_sources or node.primitive.crossing == (Rate.STEP, Rate.FRAME):
            late.add(node.name)
    if streaming and Rate.FRAME in rates.values():
        name = next(name for name, rate in rates.items() if rate is Rate.FRAME)
        raise ProgramError(f"Stream program must be per step throughout, but {name} is per frame")
    return rates


def _rate_out(node: "Node", given: set[Rate]) -> Rate:
    primitive = node.primitive
    if len(given) > 1:
        raise ProgramError(f"{_named(node)} must have inputs of one rate: use a Hold")
    (rate,) = given
    if primitive.crossing is not None:
        wanted, out = primitive.crossing
    else:
        wanted, out = (Rate.STEP, Rate.STEP) if primitive.per_step else (rate, rate)
    if rate is not wanted:
        raise ProgramError(
            f"{_named(node)} must have a per-{wanted.value} input, not per-{rate.value}"
        )
    return out


def _named(node: "Node") -> str:
    return f"{node.name} ({type(node.primitive).__name__})"
