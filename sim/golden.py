# SPDX-License-Identifier: Apache-2.0
"""The golden run: a program executed node by node with each primitive's own ``step``.

Slow and evident. :mod:`spikewright.sim.emulator` computes the same numbers fast.
"""

from collections.abc import Mapping

import numpy as np

from spikewright.sim.errors import DataError
from spikewright.sim.ports import Rate
from spikewright.sim.primitive import Codes, State
from spikewright.sim.program import Node, Program


def run(
    program: Program, inputs: Mapping[str, Codes], *, state: dict[str, State] | None = None
) -> dict[str, Codes]:
    """Run a batch of frames and return every stream of the program.

    Parameters
    ----------
    program : Program
    inputs : mapping of str to ndarray
        (batch, size) for a per-frame input, (batch, steps, size) for a per-step one.
    state : dict, optional
        State of each node, read and updated in place: lets a stream program run on.

    Returns
    -------
    dict of str to ndarray of int64
        For each input and each ``node.port``: (batch, size) or (batch, steps, size).

    Raises
    ------
    DataError
        If an input is missing, of a wrong shape, not of integers or outside its format.
    """
    batch, steps = check_inputs(program, inputs)
    inputs = {name: inputs[name].astype(np.int64) for name in program.inputs}
    state = {} if state is None else state
    for node in program.order:
        state.setdefault(node.name, node.primitive.init_state(batch))
    streams: dict[str, list[Codes]] = {}
    for t in range(steps):
        now = {
            name: inputs[name] if given.rate is Rate.FRAME else inputs[name][:, t]
            for name, given in program.inputs.items()
        }
        _step(program, state, now)
        for name, value in now.items():
            streams.setdefault(name, []).append(value)
    return {name: _collect(program, name, values) for name, values in streams.items()}


def _step(program: Program, state: dict[str, State], now: dict[str, Codes]) -> None:
    delays = [node for node in program.order if node.primitive.breaks_cycle]
    # Every Delay speaks before any node runs, for those that read it may come before it in order.
    for node in delays:
        now[f"{node.name}.{_only_port(node)}"] = state[node.name]["line"][:, 0]
    for node in program.order:
        if not node.primitive.breaks_cycle:
            _advance(program, node, state, now)
    for node in delays:
        _advance(program, node, state, now)


def _advance(program: Program, node: Node, state: dict[str, State], now: dict[str, Codes]) -> None:
    given = [now[program.resolve(reference)] for reference in node.inputs]
    state[node.name], results = node.primitive.step(program.tensors, state[node.name], *given)
    for port, result in zip(node.primitive.ports().outputs, results, strict=True):
        now[f"{node.name}.{port}"] = result


def _only_port(node: Node) -> str:
    (port,) = node.primitive.ports().outputs
    return port


def _collect(program: Program, reference: str, values: list[Codes]) -> Codes:
    name = reference.partition(".")[0]
    if program.rates[name] is Rate.FRAME:
        return values[-1]
    return np.stack(values, axis=1)


def check_inputs(program: Program, inputs: Mapping[str, Codes]) -> tuple[int, int]:
    """Batch and steps of the inputs.

    Raises
    ------
    DataError
        If an input is missing, of a wrong shape, not of integers or outside its format.
    """
    batches, lengths = set(), set()
    for name, given in program.inputs.items():
        if name not in inputs:
            raise DataError(f"Input {name!r} must be given: the program has {list(program.inputs)}")
        value = inputs[name]
        if value.dtype.kind not in "iu":
            raise DataError(f"Input {name!r} must hold integer codes, not {value.dtype}")
        shape = (given.port.size,) if given.rate is Rate.FRAME else ("steps", given.port.size)
        if value.ndim != len(shape) + 1 or value.shape[-1] != given.port.size:
            wanted = ", ".join(map(str, ("frames", *shape)))
            raise DataError(f"Input {name!r} must have shape ({wanted}), not {value.shape}")
        if not given.port.format.holds(value):
            fmt = given.port.format
            raise DataError(
                f"Input {name!r} must lie in {fmt.lo} to {fmt.hi} ({fmt}), "
                f"not {value.min()} to {value.max()}"
            )
        batches.add(len(value))
        if given.rate is Rate.STEP:
            lengths.add(value.shape[1])
    if len(batches) > 1 or len(lengths) > 1:
        raise DataError(f"Inputs must have equal frames and steps, not {batches} and {lengths}")
    steps = lengths.pop() if lengths else program.steps or 1
    if program.steps is not None and not 1 <= steps <= program.steps:
        raise DataError(f"Frame must have 1 to {program.steps} steps, not {steps}")
    if program.steps not in (None, steps) and not program.may_end_early:
        raise DataError(
            f"Frame must have {program.steps} steps, not {steps}: only a program with one per-step "
            "input and without Hold or Delay can end a frame early"
        )
    return batches.pop(), steps
