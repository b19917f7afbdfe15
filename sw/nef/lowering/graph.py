# SPDX-License-Identifier: Apache-2.0
"""A program as it grows, node by node."""

import itertools
import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.precision import LeakCode, states_of
from spikewright.nef.synapses import Synapse
from spikewright.sim.delay import Delay
from spikewright.sim.elementwise import Elementwise
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import Leaky
from spikewright.sim.ports import Port, Rate
from spikewright.sim.primitive import Codes, Primitive
from spikewright.sim.program import Input, Node, Program
from spikewright.sim.requantize import Requantize

Array = NDArray[np.float64]


class Graph:
    """Nodes, inputs, outputs and tensors of a stream program.

    Parameters
    ----------
    dt : float
        Time step, in s.
    """

    def __init__(self, dt: float):
        self.dt = dt
        self.inputs: dict[str, Input] = {}
        self.outputs: dict[str, str] = {}
        self.tensors: dict[str, Codes] = {}
        self._nodes: list[Node] = []
        self._ports: dict[str, Port] = {}

    def input(self, name: str, size: int, fmt: QFormat) -> str:
        """Add a vector from the host, one a step."""
        self.inputs[name] = Input(Port(size=size, format=fmt), Rate.STEP)
        self._ports[name] = self.inputs[name].port
        return name

    def add(self, name: str, primitive: Primitive, *inputs: str) -> str:
        """Add a node; its first output is what the name refers to."""
        self._nodes.append(Node(name, primitive, inputs))
        for port, described in primitive.ports().outputs.items():
            self._ports.setdefault(name, described)
            self._ports[f"{name}.{port}"] = described
        return name

    def port(self, reference: str) -> Port:
        """Size and format of what a name refers to."""
        return self._ports[reference]

    def to(self, fmt: QFormat, reference: str) -> str:
        """Round to a format, where it is another."""
        port = self.port(reference)
        if port.format == fmt:
            return reference
        primitive = Requantize(size=port.size, input=port.format, output=fmt)
        return self.add(f"{reference.replace('.', '_')}_rounded", primitive, reference)

    def sum(self, name: str, terms: Iterable[str]) -> str:
        """Add vectors of equal fraction bits; the sum is as wide as it must be."""
        total, *others = terms
        for k, term in enumerate(others):
            a, b = self.port(total), self.port(term)
            primitive = Elementwise(size=a.size, a=a.format, b=b.format)
            total = self.add(f"{name}_sum{k or ''}", primitive, total, term)
        return total

    def filter(
        self, name: str, synapse: Synapse | None, leak: LeakCode, drive: str, value: QFormat
    ) -> str:
        """Filter a vector whose weights hold the gain of :func:`gain_of` already.

        The states have the format that the vector is to have, with guard bits:
        :func:`~spikewright.nef.precision.states_of`.
        """
        if synapse is None:
            return self.to(value, drive)
        self.tensors[f"{name}_leak"] = np.array([leak.code])
        for stage, state in enumerate(states_of(value, leak, synapse.order)):
            drive = self.to(state, drive)
            primitive = Leaky(
                size=self.port(drive).size,
                input=state,
                membrane=state,
                leak=f"{name}_leak",
                leak_frac=leak.frac,
            )
            drive = self.add(f"{name}_filter{stage + 1 if stage else ''}", primitive, drive)
        return drive

    def delay(self, reference: str) -> str:
        """What it was in the last step."""
        port = self.port(reference)
        primitive = Delay(size=port.size, format=port.format)
        return self.add(f"{reference}_delayed", primitive, reference)

    def program(self, metadata: Mapping[str, object]) -> Program:
        """The program, which runs as a stream."""
        return Program(
            inputs=self.inputs,
            nodes=tuple(self._nodes),
            outputs=self.outputs,
            tensors=self.tensors,
            dt=self.dt,
            steps=None,
            metadata=metadata,
        )


def gain_of(synapse: Synapse | None, leak: LeakCode) -> float:
    """What a filter's input is multiplied with for a gain of 1: λ for each of its stages."""
    return 1.0 if synapse is None else leak.value**synapse.order


def unique_names(things: Iterable[tuple[str | None, str]]) -> list[str]:
    """Names for what a program is made of, each from a label and a name to fall back on.

    Whatever begins with a name and an underscore belongs to it, so no name begins another so.

    >>> unique_names([("Motor, left", "ensemble0"), ("motor", "ensemble1"), (None, "node0")])
    ['motor_left', 'ensemble1', 'node0']
    """
    found: list[str] = []
    for label, fallback in things:
        cleaned = re.sub(r"[\W_]+", "_", label or "", flags=re.ASCII).strip("_").lower()
        known = cleaned if cleaned and not cleaned[0].isdigit() else fallback
        others = (f"{fallback}{'x' * k}" for k in itertools.count())
        choices = itertools.chain((known, known.replace("_", "")), others)
        found.append(next(c for c in choices if not any(_alike(c, name) for name in found)))
    return found


def _alike(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}_") or b.startswith(f"{a}_")
