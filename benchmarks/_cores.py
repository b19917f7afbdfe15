# SPDX-License-Identifier: Apache-2.0
"""The components and networks that the gateware benchmark builds."""

from collections.abc import Mapping

import numpy as np
from amaranth import Module
from amaranth.build import Platform
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.datapath import build
from spikewright.hw.folding import beat_width, fold
from spikewright.hw.glue.adapt import adapt
from spikewright.hw.glue.streams import layout_of
from spikewright.hw.parameters import ParameterHost
from spikewright.sim import primitives as p
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port, Rate
from spikewright.sim.primitive import Primitive
from spikewright.sim.program import Input, Node, Program

CORE = "core"
PIXEL = QFormat(width=8, frac=8, signed=False)
CURRENT, MEMBRANE = QFormat(width=16, frac=10), QFormat(width=16, frac=10)
LEAKS: dict[str, str | tuple[int, ...]] = {"shift": (4,), "product": "leak"}
"""A leak of 1/16, and one that the host loads and a multiplier applies."""
EVENTS: dict[str, tuple[int, int | None]] = {
    **{f"{bits} bits, 16 lanes, 16 a beat": (bits, 16) for bits in (4, 8, 9)},
    "8 bits, 16 lanes": (8, None),
}
"""Weight bits of products of spikes, and rows in a beat where folding does not choose them."""


def matvec(columns: int, rows: int, bits: int = 8, name: str = CORE) -> p.MatVec:
    """Product of unsigned bytes, as pixels and rectified activations are."""
    return p.MatVec(
        rows=rows,
        columns=columns,
        input=PIXEL,
        weight_format=QFormat(width=bits, frac=bits - 1),
        weight=f"{name}.weight",
        bias=f"{name}.bias",
        bias_width=20,
    )


def event_matvec(columns: int, rows: int, bits: int, name: str = CORE) -> p.EventMatVec:
    """Product of spikes."""
    weight = QFormat(width=bits, frac=CURRENT.frac)
    return p.EventMatVec(rows=rows, columns=columns, weight_format=weight, weight=f"{name}.weight")


def lif(size: int, leak: str) -> p.Lif:
    """Neurons of 16 bits, the simplest there are."""
    return p.Lif(
        size=size,
        input=CURRENT,
        membrane=MEMBRANE,
        leak=LEAKS[leak],
        threshold="threshold",
        reset="value",
        reset_tensor="rest",
    )


def requantize(size: int, source: QFormat, target: QFormat) -> p.Requantize:
    """What stands between a product and neurons or the next product."""
    return p.Requantize(size=size, input=source, output=target)


def component(primitive: Primitive, lanes: int, lanes_out: int | None = None) -> PrimitiveComponent:
    """Component of a primitive on as many lanes as folding gives it for so many.

    Folding also says how many rows of a product leave in a beat, unless that is given.
    """
    rate = Rate.STEP if primitive.per_step else Rate.FRAME
    given = {name: Input(port, rate) for name, port in primitive.ports().inputs.items()}
    (output, *_) = primitive.ports().outputs
    program = Program(
        inputs=given,
        nodes=(Node(CORE, primitive, tuple(given)),),
        outputs={"y": f"{CORE}.{output}"},
        tensors=tensors(primitive),
        steps=10 if primitive.per_step else 1,
    )
    if not isinstance(primitive, p.MatVec):
        # Its lanes are those of its beats, which nobody narrows here.
        return build(primitive, lanes, program.steps)
    folded = fold(program, lanes)
    out = lanes_out or beat_width(folded, CORE)
    return build(primitive, folded[CORE], program.steps, out)


def tensors(*primitives: Primitive, seed: int = 0) -> dict[str, np.ndarray]:
    """Random codes for every tensor."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(spec.format.lo, spec.format.hi, spec.shape, endpoint=True)
        for primitive in primitives
        for name, spec in primitive.tensors().items()
    }


class Neurosynaptic(wiring.Component):
    """Synapses and neurons without a bus: spikes in, spikes out, as tinyODIN's core has them.

    Parameters
    ----------
    neurons, bits, lanes : int
        All inputs reach all neurons through weights of so many bits.

    Members
    -------
    i : In(stream of events), o : Out(stream of events)
    host_0, host_1, ... : In(ParameterHost)
        Every tensor.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, neurons: int, bits: int, lanes: int):
        synapses = event_matvec(neurons, neurons, bits)
        primitives = {
            "synapses": synapses,
            "narrow": requantize(neurons, synapses.accumulator, CURRENT),
            "neurons": lif(neurons, "shift"),
        }
        spikes = synapses.ports().inputs["x"]
        nodes = zip(primitives.items(), ("x", *primitives), strict=False)
        self.program = Program(
            inputs={"x": Input(spikes, Rate.STEP)},
            nodes=tuple(Node(name, primitive, (given,)) for (name, primitive), given in nodes),
            outputs={"y": "neurons"},
            tensors=tensors(*primitives.values()),
            steps=10,
        )
        self.folded = fold(self.program, {"synapses": lanes})
        events = stream.Signature(layout_of(spikes))
        hosts = {f"host_{k}": In(ParameterHost) for k in range(len(self.program.tensor_specs))}
        super().__init__({"i": In(events), "o": Out(events), **hosts})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        source, width, port = wiring.flipped(self.i), 1, self.program.inputs["x"].port
        hosts = iter(range(len(self.program.tensor_specs)))
        for node in self.program.order:
            ((name, given),) = node.primitive.ports().inputs.items()
            units, out = self.folded[node.name], beat_width(self.folded, node.name)
            core = build(node.primitive, units, self.program.steps, out)
            m.submodules[f"node_{node.name}"] = core
            source, _ = adapt(m, node.name, source, port, width, given.kind, core.lanes_in)
            wiring.connect(m, source, core.input(name))
            for host in core.hosts.values():
                wiring.connect(m, wiring.flipped(getattr(self, f"host_{next(hosts)}")), host)
            ((name, port),) = node.primitive.ports().outputs.items()
            source, width = core.output(name), core.lanes_out
        wiring.connect(m, source, wiring.flipped(self.o))
        return m


def mlp() -> Program:
    """784-128-10 with ReLU and argmax."""
    hidden = QFormat(width=8, frac=3, signed=False)
    fc1 = matvec(784, 128, name="fc1")
    fc2 = p.MatVec(
        rows=10,
        columns=128,
        input=hidden,
        weight_format=fc1.weight_format,
        weight="fc2.weight",
        bias="fc2.bias",
        bias_width=20,
    )
    relu = requantize(128, fc1.accumulator, hidden)
    argmax = p.Extremum(size=10, input=fc2.accumulator)
    return Program(
        inputs={"x": Input(Port(size=784, format=PIXEL), Rate.FRAME)},
        nodes=(
            Node("fc1", fc1, ("x",)),
            Node("relu", relu, ("fc1",)),
            Node("fc2", fc2, ("relu",)),
            Node("argmax", argmax, ("fc2",)),
        ),
        outputs={"class": "argmax"},
        tensors=tensors(fc1, fc2),
    )


def spiking_mlp(steps: int = 10, bits: int = 4) -> Program:
    """784-128-10 of LIF neurons, pixels as a current; the class is who spikes most."""
    fc1, fc2 = matvec(784, 128, bits, name="fc1"), event_matvec(128, 10, bits, name="fc2")
    narrow = [requantize(fc.rows, fc.accumulator, CURRENT) for fc in (fc1, fc2)]
    neurons = [lif(fc.rows, "shift") for fc in (fc1, fc2)]
    count = p.Count(size=10, steps=steps)
    values: Mapping[str, int] = {"threshold": 4000, "rest": 0}
    return Program(
        inputs={"x": Input(Port(size=784, format=PIXEL), Rate.FRAME)},
        nodes=(
            Node("fc1", fc1, ("x",)),
            Node("current1", narrow[0], ("fc1",)),
            Node("hold", p.Hold(size=128, format=CURRENT), ("current1",)),
            Node("lif1", neurons[0], ("hold",)),
            Node("fc2", fc2, ("lif1",)),
            Node("current2", narrow[1], ("fc2",)),
            Node("lif2", neurons[1], ("current2",)),
            Node("count", count, ("lif2",)),
            Node("argmax", p.Extremum(size=10, input=count.count_format), ("count",)),
        ),
        outputs={"class": "argmax"},
        tensors={**tensors(fc1, fc2), **{name: np.array([code]) for name, code in values.items()}},
        steps=steps,
    )
