# SPDX-License-Identifier: Apache-2.0
"""Random programs: every primitive, every option, cycles, several inputs and outputs."""

import random

import numpy as np

from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Port, Rate
from spikewright.sim.primitive import Codes, Primitive
from spikewright.sim.primitives import (
    Activation,
    Bernoulli,
    Count,
    Delay,
    Elementwise,
    EventMatVec,
    Extremum,
    Hold,
    Last,
    Leaky,
    Learn,
    Lif,
    Lookup,
    MatVec,
    Requantize,
    Route,
)
from spikewright.sim.program import Input, Node, Program


class Draw:
    """A random program, node by node: each reads streams that are there already."""

    def __init__(self, rnd: random.Random, *, steps: int | None):
        self.rnd, self.steps = rnd, steps
        self.rng = np.random.default_rng(rnd.randrange(2**32))
        self.inputs: dict[str, Input] = {}
        self.nodes: list[Node] = []
        self.tensors: dict[str, Codes] = {}
        self.found: dict[str, tuple[Port, Rate]] = {}
        self.late: set[str] = set()

    def program(self) -> Program:
        """A program of up to two inputs and three outputs."""
        for k in range(self.rnd.randint(1, 2)):
            per_step = self.steps is None or self.rnd.random() < 0.5
            self.input(f"in{k}", Rate.STEP if per_step else Rate.FRAME)
        for _ in range(self.rnd.randint(1, 6)):
            kinds = [self.matvec, self.requantize, self.elementwise, self.route, self.extremum]
            kinds += [self.lif, self.leaky, self.delay, self.loop]
            kinds += [self.lookup, self.activation, self.bernoulli]
            kinds += [self.learn] if self.steps is None else [self.count, self.last]
            self.rnd.choice(kinds)()
        if not self.nodes:
            self.extremum()
        return self.build()

    def membranes(self) -> Program:
        """A program of many Lif and Leaky, so that one compilation tries many options."""
        self.input("in0", Rate.STEP)
        for _ in range(5):
            self.lif()
        parts = [self.leaky, self.loop, self.matvec, self.lif, self.route, self.elementwise]
        for part in (*parts, self.matvec, self.lif, self.leaky):
            part()
        return self.build()

    def input(self, name: str, rate: Rate) -> None:
        port = Port(size=self.rnd.randint(1, 6), format=self.rnd.choice([SPIKE, self.format()]))
        self.inputs[name] = Input(port, rate)
        self.found[name] = (port, rate)

    def build(self) -> Program:
        names = [f"{n.name}.{port}" for n in self.nodes for port in n.primitive.ports().outputs]
        chosen = self.rnd.sample(names, min(len(names), 3))
        return Program(
            inputs=self.inputs,
            nodes=tuple(self.rnd.sample(self.nodes, len(self.nodes))),
            outputs={f"out{k}": name for k, name in enumerate(chosen)},
            tensors=self.tensors,
            steps=self.steps,
        )

    def format(self, width: int = 12, frac: int | None = None) -> QFormat:
        frac = self.rnd.randint(-2, 6) if frac is None else frac
        signed = self.rnd.random() < 0.5
        return QFormat(width=self.rnd.randint(1 + signed, width), frac=frac, signed=signed)

    def add(self, primitive: Primitive, *references: str, name: str | None = None) -> str:
        for tensor, spec in primitive.tensors().items():
            codes = self.rng.integers(spec.format.lo, spec.format.hi, spec.shape, endpoint=True)
            self.tensors[tensor] = codes >> self.rnd.choice([0, 0, 1, 3])
        rate = self.found[references[0]][1] if primitive.crossing is None else primitive.crossing[1]
        name = name or f"n{len(self.nodes)}"
        if self.late & set(references) or primitive.crossing == (Rate.STEP, Rate.FRAME):
            self.late |= {f"{name}.{port}" for port in primitive.ports().outputs}
        self.nodes.append(Node(name, primitive, references))
        for port, described in primitive.ports().outputs.items():
            self.found[f"{name}.{port}"] = (described, rate)
        return f"{name}.{next(iter(primitive.ports().outputs))}"

    def pick(self, rate: Rate | None = None) -> tuple[str, Port]:
        late = self.late if rate is Rate.STEP else set()
        name = self.rnd.choice([name for name in self.found if name not in late])
        port, its_rate = self.found[name]
        if rate is Rate.STEP and its_rate is Rate.FRAME:
            return self.add(Hold(size=port.size, format=port.format), name), port
        if rate is Rate.FRAME and its_rate is Rate.STEP:
            return self.add(Last(size=port.size, format=port.format), name), port
        return name, port

    def same(self, rate: Rate, size: int, fmt: QFormat) -> str:
        """A stream of a rate, a size and a format, made from another."""
        name, port = self.pick(rate)
        order = tuple(self.rnd.randrange(port.size) for _ in range(size))
        name = self.add(Route(sizes=(port.size,), format=port.format, index=order), name)
        return self.convert(name, fmt)

    def convert(self, name: str, output: QFormat) -> str:
        port = self.found[name][0]
        if port.format == output:
            return name
        if not port.format.width - (port.format.frac - output.frac) <= 60:
            name = self.convert(name, QFormat(width=8, frac=output.frac + 20))
            port = self.found[name][0]
        shift = self.rnd.choice([None, f"shift{len(self.nodes)}"])
        if port.format.frac - output.frac > 48 or port.format.width > 60:
            shift = None
        return self.add(
            Requantize(size=port.size, input=port.format, output=output, shift=shift), name
        )

    def matvec(self) -> None:
        name, port = self.pick()
        if self.rnd.random() < 0.5:
            fmt = self.rnd.choice([SPIKE, self.format(8)])
            name = self.convert(name, fmt)
            port = self.found[name][0]
        k, weight = len(self.nodes), self.format(self.rnd.choice([8, 8, 20]))
        if port.format.width + weight.width > 56:
            return
        kind = EventMatVec if port.format == SPIKE and self.rnd.random() < 0.7 else MatVec
        bias = self.rnd.choice([None, f"b{k}"])
        rows = self.rnd.randint(1, 6)
        primitive = kind(
            rows=rows,
            columns=port.size,
            input=port.format,
            weight_format=weight,
            weight=f"w{k}",
            bias=bias,
            bias_width=self.rnd.randint(2, 20),
        )
        self.add(primitive, name)

    def learn(self) -> None:
        """A product that learns from any stream, or from its own output a step before."""
        spikes = self.convert(self.pick(Rate.STEP)[0], SPIKE)
        k, rows, weight = len(self.nodes), self.rnd.randint(1, 6), self.format(8)
        change = QFormat(width=self.rnd.randint(1, weight.width), frac=weight.frac)
        primitive = Learn(
            rows=rows,
            columns=self.found[spikes][0].size,
            weight=f"w{k}",
            weight_format=weight,
            change=change,
        )
        if self.rnd.random() < 0.5:
            self.add(primitive, spikes, self.same(Rate.STEP, rows, change))
            return
        self.found[f"error{k}.y"] = (Port(size=rows, format=change), Rate.STEP)
        back = self.convert(self.add(primitive, spikes, f"error{k}.y"), change)
        self.add(Delay(size=rows, format=change), back, name=f"error{k}")

    def requantize(self) -> None:
        self.convert(self.pick()[0], self.format(self.rnd.choice([4, 12, 30])))

    def elementwise(self) -> None:
        a, port = self.pick()
        operation = self.rnd.choice(["add", "multiply"])
        other = self.format(8, port.format.frac if operation == "add" else None)
        if port.format.width > 48:
            return
        b = self.same(self.found[a][1], port.size, other)
        self.add(Elementwise(size=port.size, a=port.format, b=other, operation=operation), a, b)

    def route(self) -> None:
        a, port = self.pick()
        b = self.same(self.found[a][1], self.rnd.randint(1, 4), port.format)
        sizes = (port.size, self.found[b][0].size)
        index = tuple(self.rnd.randrange(sum(sizes)) for _ in range(self.rnd.randint(1, 5)))
        index_or_all = self.rnd.choice([None, index])
        self.add(Route(sizes=sizes, format=port.format, index=index_or_all), a, b)

    def extremum(self) -> None:
        name, port = self.pick()
        largest = self.rnd.random() < 0.5
        self.add(Extremum(size=port.size, input=port.format, largest=largest), name)

    def lookup(self) -> None:
        name, port = self.pick()
        if port.format.width <= 63:
            output = self.format(16, self.rnd.randint(0, 16))
            function = self.rnd.choice(["sigmoid", "tanh"])
            self.add(
                Lookup(size=port.size, input=port.format, output=output, function=function), name
            )

    def activation(self) -> None:
        name, port = self.pick()
        function = self.rnd.choice(["leaky_relu", "hard_tanh", "sign"])
        slope = self.rnd.choice([(1,), (3, 5)]) if function == "leaky_relu" else ()
        output = QFormat(width=self.rnd.randint(5, 9), frac=self.rnd.randint(0, 3))
        if port.format.width > 48:
            return
        primitive = Activation(
            size=port.size, input=port.format, output=output, function=function, slope=slope
        )
        self.add(primitive, name)

    def bernoulli(self) -> None:
        name, port = self.pick(Rate.STEP)
        name = self.convert(name, self.format(16, self.rnd.randint(1, 15)))
        fmt = self.found[name][0].format
        self.add(Bernoulli(size=port.size, input=fmt, seed=f"seed{len(self.nodes)}"), name)

    def membrane(self) -> tuple[str, dict[str, object]]:
        """A current and the fields that Leaky and Lif share."""
        name, port = self.pick(Rate.STEP)
        membrane = QFormat(width=self.rnd.choice([3, 8, 12, 20, 32]), frac=self.rnd.randint(0, 6))
        current = self.format(min(32, membrane.width + 1), membrane.frac)
        name = self.convert(name, current)
        frac = self.rnd.choice([1, 2, 4, 8, 16, 24])
        return name, {
            "size": port.size,
            "input": current,
            "membrane": membrane,
            "leak": self.leak("leak", frac),
            "leak_frac": frac,
            "per_neuron": self.rnd.random() < 0.5,
            "leak_after_input": self.rnd.random() < 0.3,
        }

    def leak(self, name: str, frac: int) -> str | tuple[int, ...]:
        """A tensor's name or shifts."""
        if self.rnd.random() < 0.6:
            return f"{name}{len(self.nodes)}"
        shifts = self.rnd.sample(range(1, frac + 1), self.rnd.randint(0, min(3, frac)))
        return tuple(sorted(shifts))

    def leaky(self) -> None:
        name, fields = self.membrane()
        self.add(Leaky(**fields), name)

    def lif(self) -> None:
        name, fields = self.membrane()
        k, membrane, rnd = len(self.nodes), fields["membrane"], self.rnd
        assert isinstance(membrane, QFormat)
        reset = rnd.choice(["subtract", "value", "none"])
        fields |= {"reset": reset, "strict": rnd.random() < 0.5, "threshold": f"threshold{k}"}
        fields["reset_tensor"] = None if reset == "none" else f"reset{k}"
        if reset == "subtract" and rnd.random() < 0.5:
            fields["reset_tensor"] = None
        fields["reset_next"] = reset != "none" and rnd.random() < 0.3
        fields["refractory"] = rnd.choice([0, 0, 1, 3])
        fields["refractory_input"] = rnd.choice(["drop", "keep"])
        fields["lower"] = rnd.choice([None, rnd.randint(membrane.lo, membrane.hi)])
        fields["voltage"] = rnd.choice(["none", "before", "after"])
        if rnd.random() < 0.3:
            fields["adaptation"] = self.format(min(32, membrane.width + 1), membrane.frac)
            fields["adaptation_leak"] = self.leak("aleak", fields["leak_frac"])
            fields["adaptation_step"] = f"astep{k}"
        if rnd.random() < 0.4:
            fields["synapse"] = QFormat(width=rnd.choice([2, 9, 17, 32]), frac=membrane.frac)
            fields["synapse_leak"] = self.leak("sleak", fields["leak_frac"])
            fields["synapse_order"] = rnd.choice([1, 2])
            if fields["synapse_order"] == 2:
                second = self.leak("tleak", fields["leak_frac"])
                fields["synapse_leak_2"] = rnd.choice([None, second])
        self.add(Lif(**fields), name)

    def delay(self) -> None:
        name, port = self.pick(Rate.STEP)
        self.add(Delay(size=port.size, format=port.format, steps=self.rnd.randint(1, 4)), name)

    def loop(self) -> None:
        """A stream plus its own past, back in its own format."""
        name, port = self.pick(Rate.STEP)
        fmt = QFormat(width=self.rnd.randint(2, 10), frac=port.format.frac)
        if port.format.width > 40:
            return
        k = len(self.nodes)
        self.found[f"loop{k}.y"] = (Port(size=port.size, format=fmt), Rate.STEP)
        total = self.add(Elementwise(size=port.size, a=port.format, b=fmt), name, f"loop{k}.y")
        back = self.convert(total, fmt)
        delay = Delay(size=port.size, format=fmt, steps=self.rnd.randint(1, 3))
        self.add(delay, back, name=f"loop{k}")

    def last(self) -> None:
        name, port = self.pick(Rate.STEP)
        self.add(Last(size=port.size, format=port.format), name)

    def count(self) -> None:
        name = self.convert(self.pick(Rate.STEP)[0], SPIKE)
        assert self.steps is not None
        self.add(Count(size=self.found[name][0].size, steps=self.steps), name)


def random_codes(program: Program, frames: int, steps: int, seed: int) -> dict[str, Codes]:
    """Inputs for a program, over their whole range."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, given_input in program.inputs.items():
        fmt = given_input.port.format
        shape = (frames, steps) if given_input.rate is Rate.STEP else (frames,)
        shape = (*shape, given_input.port.size)
        drawn[name] = rng.integers(fmt.lo, fmt.hi, shape, endpoint=True)
    return drawn
