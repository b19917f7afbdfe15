# SPDX-License-Identifier: Apache-2.0
"""The integer program: a typed graph of primitives, its formats, its tensors and its hashes."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from spikewright.sim.errors import ProgramError
from spikewright.sim.ports import Kind, Port, Rate
from spikewright.sim.primitive import Codes, Primitive, TensorSpec
from spikewright.sim.rates import rates_of

HASH_BITS = 64
"""Bits of a hash as hardware holds it."""


@dataclass(frozen=True)
class Node:
    """A primitive in the graph; ``inputs`` name program inputs, ``node``s or ``node.port``s."""

    name: str
    primitive: Primitive
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Input:
    """A vector from the host."""

    port: Port
    rate: Rate


@dataclass(frozen=True, kw_only=True)
class Program:
    """A typed directed graph of primitives: all that emulator, generator, driver and report read.

    Parameters
    ----------
    inputs : mapping of str to Input
        Vectors from the host, in the order in which they are sent.
    nodes : tuple of Node
        In any order; cycles only through :class:`~spikewright.sim.delay.Delay`.
    outputs : mapping of str to str
        Name of each output and the node (or ``node.port``) it is.
    tensors : mapping of str to ndarray of int64
        Every tensor that the nodes name, within its format.
    dt : float
        Time step, in s.
    steps : int or None
        Steps per frame; ``None`` runs as a stream: state is kept, one step for each input vector.
    metadata : mapping
        JSON values about meaning outside the integers, such as how inputs are encoded.

    Raises
    ------
    ProgramError
        If names, shapes, formats, rates or tensors do not fit together.
    """

    inputs: Mapping[str, Input]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, str]
    tensors: Mapping[str, Codes]
    dt: float = 1e-3
    steps: int | None = 1
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise ProgramError(f"Steps per frame must be a positive integer, not {self.steps!r}")
        if not 0 < self.dt < math.inf:
            raise ProgramError(f"Time step must be above 0 s and finite, not {self.dt!r}")
        names = [*self.inputs, *(node.name for node in self.nodes)]
        for name in names:
            if names.count(name) > 1 or not name or "." in name:
                raise ProgramError(f"Node name must be unique and without a dot, not {name!r}")
        if not self.inputs or not self.outputs:
            raise ProgramError("Program must have at least one input and one output")
        _ = self.order
        for node in self.nodes:
            self._check_node(node)
        for reference in self.outputs.values():
            self.port(reference)
        _ = self.rates
        self._check_tensors()

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    def port(self, reference: str) -> Port:
        """Port that a reference names.

        Raises
        ------
        ProgramError
            If there is none.
        """
        if reference in self.inputs:
            return self.inputs[reference].port
        name, dot, port = reference.partition(".")
        outputs = self.by_name[name].primitive.ports().outputs if name in self.by_name else {}
        if not dot and outputs:
            return next(iter(outputs.values()))
        if port not in outputs:
            raise ProgramError(
                f"Reference must name an input, a node or a node's port, not {reference!r}"
            )
        return outputs[port]

    def resolve(self, reference: str) -> str:
        """The one spelling of a reference: an input's name or ``node.port``."""
        self.port(reference)
        if reference in self.inputs or "." in reference:
            return reference
        return f"{reference}.{next(iter(self.by_name[reference].primitive.ports().outputs))}"

    @cached_property
    def order(self) -> tuple[Node, ...]:
        """Nodes in an order in which each finds its inputs ready, as stable as possible.

        Raises
        ------
        ProgramError
            If a cycle has no Delay.
        """
        waiting = list(self.nodes)
        ready = set(self.inputs) | {n.name for n in self.nodes if n.primitive.breaks_cycle}
        order: list[Node] = []
        while waiting:
            node = next(
                (n for n in waiting if all(r.partition(".")[0] in ready for r in n.inputs)), None
            )
            if node is None:
                for name in (r for n in waiting for r in n.inputs):
                    if name.partition(".")[0] not in self.by_name:
                        self.port(name)
                stuck = ", ".join(n.name for n in waiting)
                raise ProgramError(f"Cycle through {stuck} must pass through a Delay")
            waiting.remove(node)
            ready.add(node.name)
            order.append(node)
        return tuple(order)

    @cached_property
    def consumers(self) -> dict[str, list[tuple[Node, int]]]:
        """For each resolved reference, the nodes that read it and at which input."""
        found: dict[str, list[tuple[Node, int]]] = {}
        for node in self.order:
            for position, reference in enumerate(node.inputs):
                found.setdefault(self.resolve(reference), []).append((node, position))
        return found

    @cached_property
    def rates(self) -> dict[str, Rate]:
        """Rate of each input and of each node's outputs, as :func:`rates_of` finds them."""
        inputs = {name: given.rate for name, given in self.inputs.items()}
        return rates_of(inputs, self.order, streaming=self.steps is None)

    @property
    def may_end_early(self) -> bool:
        """Whether the host may end a frame before its last step.

        It may where a single per-step input brings the steps, whose last word then tells all
        there is to tell, and no primitive plays ahead of it.
        """
        per_step = [given for given in self.inputs.values() if given.rate is Rate.STEP]
        ahead = any(node.primitive.plays_ahead for node in self.nodes)
        return self.steps is not None and len(per_step) == 1 and not ahead

    def _check_node(self, node: Node) -> None:
        most = node.primitive.most_steps
        if most is not None and self.steps is not None and self.steps > most:
            raise ProgramError(
                f"{node.name} must be made for {self.steps} steps a frame, not for {most}"
            )
        if node.primitive.learns is not None and self.steps is not None:
            raise ProgramError(
                f"{node.name} ({type(node.primitive).__name__}) must be in a stream program, not "
                f"in frames of {self.steps} steps, which would learn one after the other: "
                "use steps=None"
            )
        ports = node.primitive.ports().inputs
        if len(ports) != len(node.inputs):
            raise ProgramError(f"{node.name} must have {len(ports)} inputs, not {len(node.inputs)}")
        for (name, port), reference in zip(ports.items(), node.inputs, strict=True):
            source = self.port(reference)
            if (source.size, source.format) != (port.size, port.format):
                raise ProgramError(
                    f"{node.name}.{name} must be given {port.size} elements of {port.format}, "
                    f"not {source.size} of {source.format} from {reference}"
                )

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Probe points in order: streams that gateware carries one element a beat.

        These are the outputs of the program, the spikes and what a serial primitive reads.
        """
        outputs = {self.resolve(reference) for reference in self.outputs.values()}
        found = []
        for node in self.order:
            for port, described in node.primitive.ports().outputs.items():
                reference = f"{node.name}.{port}"
                readers = self.consumers.get(reference, [])
                serial = any(reader.primitive.serial for reader, _ in readers)
                if reference in outputs or (readers and (serial or described.kind is Kind.EVENT)):
                    found.append(reference)
        return tuple(found)

    @cached_property
    def tensor_specs(self) -> dict[str, TensorSpec]:
        """Shape and format of every tensor, in the order of first use."""
        specs: dict[str, TensorSpec] = {}
        for node in self.nodes:
            for name, spec in node.primitive.tensors().items():
                if specs.setdefault(name, spec) != spec:
                    raise ProgramError(
                        f"Tensor {name} must have one shape and format for all its readers, "
                        f"not {specs[name]} and {spec}"
                    )
        return specs

    def _check_tensors(self) -> None:
        if set(self.tensors) != set(self.tensor_specs):
            odd = sorted(set(self.tensors) ^ set(self.tensor_specs))
            raise ProgramError(
                f"Tensors must be just those the nodes name; {odd[0]} is missing or unused"
            )
        for name, spec in self.tensor_specs.items():
            tensor = self.tensors[name]
            if tensor.shape != spec.shape or tensor.dtype != np.int64:
                raise ProgramError(
                    f"Tensor {name} must be int64 of shape {spec.shape}, "
                    f"not {tensor.dtype} of {tensor.shape}"
                )
            if not spec.format.holds(tensor):
                raise ProgramError(
                    f"Tensor {name} must lie in {spec.format.lo} to {spec.format.hi}, "
                    f"not {tensor.min()} to {tensor.max()}"
                )

        for name, writer in self.learned.items():
            others = [node.name for node in self.readers(name) if node.name != writer]
            if others:
                raise ProgramError(
                    f"Tensor {name} must be read by {writer} alone, which changes it, "
                    f"not by {others[0]}: give that a tensor of its own"
                )

    @cached_property
    def learned(self) -> dict[str, str]:
        """Tensors that change as the program runs, each with the name of the node that does it."""
        found: dict[str, str] = {}
        for node in self.order:
            if node.primitive.learns is not None:
                found.setdefault(node.primitive.learns, node.name)
        return found

    def readers(self, tensor: str) -> Iterator[Node]:
        """Nodes that read a tensor."""
        return (node for node in self.order if tensor in node.primitive.tensors())

    def structure(self) -> dict[str, Any]:
        """Everything but the tensors' values and the metadata, as JSON values."""
        # Lists, because packets follow the order of inputs and outputs.
        return {
            "dt": self.dt,
            "steps": self.steps,
            "inputs": [
                {
                    "name": name,
                    "size": given.port.size,
                    **vars(given.port.format),
                    "kind": given.port.kind.value,
                    "rate": given.rate.value,
                }
                for name, given in self.inputs.items()
            ],
            "nodes": [
                {
                    "name": node.name,
                    "inputs": list(node.inputs),
                    "primitive": node.primitive.describe(),
                }
                for node in self.nodes
            ],
            "outputs": [list(item) for item in self.outputs.items()],
        }

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of structure, metadata and tensors, in hexadecimal."""
        digest = hashlib.sha256(canonical(self.structure()))
        digest.update(canonical(dict(self.metadata)))
        for name in sorted(self.tensors):
            tensor = self.tensors[name]
            digest.update(f"{name}{tensor.shape}".encode() + tensor.astype("<i8").tobytes())
        return digest.hexdigest()

    @property
    def program_hash(self) -> int:
        """First 64 bits of the content hash: what hardware holds once the parameters are loaded."""
        return int(self.content_hash[: HASH_BITS // 4], 16)

    def structure_hash(self, lanes: Mapping[str, int]) -> int:
        """64-bit hash of the structure and the lanes of each node: a constant in gateware."""
        folded = {"structure": self.structure(), "lanes": dict(lanes)}
        return int(hashlib.sha256(canonical(folded)).hexdigest()[: HASH_BITS // 4], 16)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the bytes that are hashed and saved."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
