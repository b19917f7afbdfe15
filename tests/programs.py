# SPDX-License-Identifier: Apache-2.0
"""Small whole programs of every shape, with random tensors, for the tests of what runs programs."""

from collections.abc import Callable

import numpy as np
from dense_programs import channel_shifts, mlp, shared_weights, wide
from program_parts import (
    CURRENT,
    LIF_TENSORS,
    MEMBRANE,
    dense,
    neurons,
    per_frame,
    per_step,
    program,
    spiking,
    to_current,
)

from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Kind, Rate
from spikewright.sim.primitive import Codes, Primitive
from spikewright.sim.primitives import (
    Activation,
    Bernoulli,
    Count,
    Delay,
    Elementwise,
    Extremum,
    Hold,
    Last,
    Leaky,
    Learn,
    Lookup,
    Requantize,
    Route,
)
from spikewright.sim.program import Program


def _lif_layers(sizes: tuple[int, int, int]) -> dict[str, tuple[Primitive, tuple]]:
    n, h, c = sizes
    fc1, fc2 = dense("fc1", h, n), spiking("fc2", c, h)
    return {
        "fc1": (fc1, ("x",)),
        "cur1": (to_current(h, fc1.accumulator), ("fc1",)),
        "hold": (Hold(size=h, format=CURRENT), ("cur1",)),
        "lif1": (neurons(h), ("hold",)),
        "fc2": (fc2, ("lif1",)),
        "cur2": (to_current(c, fc2.accumulator), ("fc2",)),
    }


def lif_count(sizes: tuple[int, int, int] = (13, 9, 3), steps: int = 7, seed: int = 0) -> Program:
    """Two layers of spiking neurons; the class is who spikes most."""
    count = Count(size=sizes[2], steps=steps)
    return program(
        {"x": per_frame(sizes[0])},
        {
            **_lif_layers(sizes),
            "lif2": (
                neurons(sizes[2], refractory=2, reset="value", reset_tensor="reset"),
                ("cur2",),
            ),
            "count": (count, ("lif2",)),
            "argmax": (Extremum(size=sizes[2], input=count.count_format), ("count",)),
        },
        {"class": "argmax", "counts": "count", "spikes": "lif1"},
        steps=steps,
        tensors={**LIF_TENSORS, "reset": [-500]},
        seed=seed,
    )


def lif_membrane(
    sizes: tuple[int, int, int] = (13, 9, 3), steps: int = 7, seed: int = 0
) -> Program:
    """A spiking layer, then integrators; the class is the highest in the last step."""
    c = sizes[2]
    return program(
        {"x": per_frame(sizes[0])},
        {
            **_lif_layers(sizes),
            "out": (Leaky(size=c, input=CURRENT, membrane=MEMBRANE, leak="leak"), ("cur2",)),
            "last": (Last(size=c, format=MEMBRANE), ("out",)),
            "argmax": (Extremum(size=c, input=MEMBRANE), ("last",)),
        },
        {"logits": "last", "class": "argmax"},
        steps=steps,
        tensors=LIF_TENSORS,
        seed=seed,
    )


def spike_input(steps: int = 6, seed: int = 0) -> Program:
    """Spikes in each step; frames may end early."""
    fc = spiking("fc", 5, 10)
    return program(
        {"x": per_step(10, SPIKE, Kind.EVENT)},
        {
            "fc": (fc, ("x",)),
            "cur": (to_current(5, fc.accumulator), ("fc",)),
            "lif": (neurons(5, voltage="after"), ("cur",)),
            "count": (Count(size=5, steps=steps), ("lif",)),
            "last": (Last(size=5, format=MEMBRANE), ("lif.v",)),
        },
        {"counts": "count", "v": "last", "spikes": "lif.spike"},
        steps=steps,
        tensors=LIF_TENSORS,
        seed=seed,
    )


def route_recurrence(steps: int | None = 5, seed: int = 0) -> Program:
    """``h[t] = saturate(W [x[t], h[t-2]] + b)``: the plain recurrent network."""
    fmt = QFormat(width=8, frac=6)
    fc = dense("fc", 6, 10, fmt, QFormat(width=8, frac=8))
    return program(
        {"x": per_step(4, fmt)},
        {
            "both": (Route(sizes=(4, 6), format=fmt), ("x", "before")),
            "fc": (fc, ("both",)),
            "h": (Requantize(size=6, input=fc.accumulator, output=fmt), ("fc",)),
            "before": (Delay(size=6, format=fmt, steps=2), ("h",)),
        },
        {"h": "h", "before": "before"},
        steps=steps,
        seed=seed,
    )


def spike_recurrence(steps: int | None = 6, seed: int = 0) -> Program:
    """Neurons that excite each other a step later, around a product with a bias."""
    fc, back = dense("fc", 7, 5), spiking("back", 7, 7)
    total = Elementwise(size=7, a=CURRENT, b=CURRENT)
    return program(
        {"x": per_step(5)},
        {
            "fc": (fc, ("x",)),
            "cur": (to_current(7, fc.accumulator), ("fc",)),
            "before": (Delay(size=7, format=SPIKE), ("lif",)),
            "back": (back, ("before",)),
            "cur_back": (to_current(7, back.accumulator), ("back",)),
            "sum": (total, ("cur", "cur_back")),
            "clip": (to_current(7, total.output), ("sum",)),
            "lif": (
                neurons(
                    7,
                    per_neuron=True,
                    adaptation=MEMBRANE,
                    adaptation_leak="leak",
                    adaptation_step="step",
                    leak_after_input=True,
                ),
                ("clip",),
            ),
        },
        {"spikes": "lif"},
        steps=steps,
        tensors={"leak": [3196], "threshold": list(range(9000, 16000, 1000)), "step": [700]},
        seed=seed,
    )


def many_ports(steps: int | None = 4, seed: int = 0) -> Program:
    """Several inputs, read in another order than they come, and outputs of both rates."""
    fmt = QFormat(width=9, frac=3)
    gates = Elementwise(size=5, a=fmt, b=fmt, operation="multiply")
    narrow = Requantize(size=5, input=gates.output, output=fmt)
    return program(
        {
            "c": per_step(5, fmt),
            "a": per_frame(5, fmt),
            "b": per_frame(3, fmt),
            "d": per_step(2, fmt),
        },
        {
            "mixed": (Route(sizes=(3, 5), format=fmt, index=(7, 0, 1, 1, 4)), ("b", "a")),
            "hold": (Hold(size=5, format=fmt), ("mixed",)),
            "product": (gates, ("hold", "c")),
            "narrow": (narrow, ("product",)),
            "joined": (Route(sizes=(2, 5), format=fmt), ("d", "narrow")),
            "last": (Last(size=7, format=fmt), ("joined",)),
        },
        {"last": "last", "joined": "joined", "a": "a", "c": "c", "mixed": "mixed"},
        steps=steps,
        seed=seed,
    )


def voltages(steps: int | None = 5, seed: int = 0) -> Program:
    """What a neuron's two outputs drive meets again: the slower branch must not block it."""
    back = spiking("back", 11, 11)
    total = Elementwise(size=11, a=QFormat(width=24, frac=14), b=MEMBRANE)
    widened = Requantize(size=11, input=back.accumulator, output=total.a)
    return program(
        {"x": per_step(11, CURRENT)},
        {
            "lif": (neurons(11, voltage="before", reset_next=True), ("x",)),
            "back": (back, ("lif.spike",)),
            "scaled": (widened, ("back",)),
            "sum": (total, ("scaled", "lif.v")),
        },
        {"spikes": "lif", "v": "lif.v", "sum": "sum"},
        steps=steps,
        tensors=LIF_TENSORS,
        seed=seed,
    )


def delayed_echo(steps: int | None = None, seed: int = 0) -> Program:
    """A Delay straight to an output: it must not speak before it is spoken to."""
    fmt = QFormat(width=12, frac=3)
    return program(
        {"x": per_step(3, fmt)},
        {"echo": (Delay(size=3, format=fmt), ("x",))},
        {"y": "echo"},
        steps=steps,
        seed=seed,
    )


def voltage_output(steps: int | None = 5, seed: int = 0) -> Program:
    """Both outputs of a neuron, each with one reader, and the one is read after the other."""
    return program(
        {"x": per_step(11, CURRENT)},
        {"lif": (neurons(11, voltage="after", refractory=1, refractory_input="keep"), ("x",))},
        {"spikes": "lif", "v": "lif.v"},
        steps=steps,
        tensors=LIF_TENSORS,
        seed=seed,
    )


def synapses(steps: int | None = 5, seed: int = 0) -> Program:
    """Synapses of both orders and leaks by shifts, all in the neurons' one pass."""
    first, second = (
        neurons(11, leak=(3, 5), synapse=MEMBRANE, synapse_leak=leak, synapse_order=order)
        for leak, order in (("fast", 1), ((2,), 2))
    )
    return program(
        {"x": per_step(11, CURRENT)},
        {
            "first": (first, ("x",)),
            "second": (second, ("x",)),
            "trace": (Leaky(size=11, input=CURRENT, membrane=MEMBRANE, leak=()), ("x",)),
        },
        {"first": "first", "second": "second", "trace": "trace"},
        steps=steps,
        tensors={"threshold": [16384], "fast": [20000]},
        seed=seed,
    )


def paired_inputs(steps: int | None = 3, seed: int = 0) -> Program:
    """Two inputs that are used together, but come one after the other; the later is used first."""
    fmt = QFormat(width=12, frac=3)
    total = Elementwise(size=9, a=fmt, b=fmt)
    both = Route(sizes=(9, 9), format=total.output, index=tuple(range(17, -1, -2)))
    return program(
        {"a": per_step(9, fmt), "b": per_step(9, fmt), "c": per_step(9, total.output)},
        {
            "sum": (total, ("a", "b")),
            "both": (both, ("c", "sum")),
        },
        {"y": "both"},
        steps=steps,
        seed=seed,
    )


def running_sum(steps: int | None = 4, seed: int = 0) -> Program:
    """``y[t] = saturate(x[t] + y[t-1])``: a cycle that stores nothing but in its Delay."""
    fmt = QFormat(width=12, frac=3)
    total = Elementwise(size=13, a=fmt, b=fmt)
    return program(
        {"x": per_step(13, fmt)},
        {
            "sum": (total, ("x", "before")),
            "y": (Requantize(size=13, input=total.output, output=fmt), ("sum",)),
            "before": (Delay(size=13, format=fmt), ("y",)),
        },
        {"y": "y"},
        steps=steps,
        seed=seed,
    )


def sampling(steps: int | None = 6, seed: int = 0) -> Program:
    """Curves as probabilities of random spikes, as in a stochastic network."""
    fmt, share = QFormat(width=8, frac=5), QFormat(width=8, frac=8, signed=False)
    fc, back = dense("fc", 7, 5, fmt), spiking("back", 4, 7)
    table = Lookup(size=7, input=fc.accumulator, output=share, function="sigmoid")
    fine = Lookup(size=4, input=back.accumulator, output=MEMBRANE, function="tanh")
    leaky = Activation(size=4, input=MEMBRANE, output=fmt, function="leaky_relu", slope=(2, 5))
    return program(
        {"x": per_step(5, fmt)},
        {
            "fc": (fc, ("x",)),
            "share": (table, ("fc",)),
            "draw": (Bernoulli(size=7, input=share, seed="seed"), ("share",)),
            "back": (back, ("draw",)),
            "fine": (fine, ("back",)),
            "leaky": (leaky, ("fine",)),
            "hard": (Activation(size=4, input=fmt, output=fmt, function="hard_tanh"), ("leaky",)),
            "sign": (
                Activation(size=4, input=fmt, output=QFormat(width=2), function="sign"),
                ("leaky",),
            ),
        },
        {"spikes": "draw", "share": "share", "hard": "hard", "sign": "sign"},
        steps=steps,
        tensors={"seed": [123456789]},
        seed=seed,
    )


def learning(steps: int | None = None, seed: int = 0) -> Program:
    """Weights that change with what their product was a step before, and others with an input."""
    weight, change = QFormat(width=9, frac=7), QFormat(width=6, frac=7)
    narrow, nudge = QFormat(width=4, frac=7, signed=False), QFormat(width=3, frac=7)
    decode = Learn(rows=5, columns=11, weight="decode", weight_format=weight, change=change)
    free = Learn(rows=2, columns=11, weight="free", weight_format=narrow, change=nudge)
    error = Elementwise(size=5, a=decode.accumulator, b=weight)
    return program(
        {"x": per_step(11, CURRENT), "target": per_step(5, weight), "nudge": per_step(2, nudge)},
        {
            "lif": (neurons(11, leak=(3,)), ("x",)),
            "decode": (decode, ("lif", "before")),
            "error": (error, ("decode", "target")),
            "change": (Requantize(size=5, input=error.output, output=change), ("error",)),
            "before": (Delay(size=5, format=change), ("change",)),
            "free": (free, ("lif", "nudge")),
        },
        {"decode": "decode", "free": "free"},
        steps=steps,
        tensors={"threshold": [16384]},
        seed=seed,
    )


PROGRAMS: dict[str, Callable[[], Program]] = {
    "mlp": mlp,
    "channel_shifts": channel_shifts,
    "wide": wide,
    "lif_count": lif_count,
    "lif_membrane": lif_membrane,
    "spike_input": spike_input,
    "route_recurrence": route_recurrence,
    "spike_recurrence": spike_recurrence,
    "many_ports": many_ports,
    "voltages": voltages,
    "shared_weights": shared_weights,
    "voltage_output": voltage_output,
    "synapses": synapses,
    "sampling": sampling,
    "paired_inputs": paired_inputs,
    "running_sum": running_sum,
    "delayed_echo_frames": lambda: delayed_echo(steps=3),
    "delayed_echo_short": lambda: delayed_echo(steps=1),
    "route_recurrence_stream": lambda: route_recurrence(None),
    "spike_recurrence_stream": lambda: spike_recurrence(None),
    "paired_inputs_stream": lambda: paired_inputs(None),
    "running_sum_stream": lambda: running_sum(None),
    "voltages_stream": lambda: voltages(None),
    "sampling_stream": lambda: sampling(None),
    "delayed_echo_stream": delayed_echo,
    "learning_stream": learning,
}
"""Every kind of graph that gateware must carry."""


def random_inputs(
    given: Program, frames: int, steps: int | None = None, seed: int = 0
) -> dict[str, Codes]:
    """Codes for each input; a stream program has one frame of so many steps."""
    rng = np.random.default_rng(seed)
    length = steps or given.steps or 1
    shapes = {Rate.FRAME: (frames,), Rate.STEP: (frames, length)}
    return {
        name: rng.integers(
            value.port.format.lo,
            value.port.format.hi,
            (*shapes[value.rate], value.port.size),
            endpoint=True,
        )
        for name, value in given.inputs.items()
    }
