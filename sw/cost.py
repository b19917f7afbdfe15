# SPDX-License-Identifier: Apache-2.0
"""What quantization cost: float against integer, layer by layer."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spikewright.encoding import INPUT, decide, input_codes, saturated_inputs
from spikewright.network import Network
from spikewright.sim.emulator import Emulator
from spikewright.sim.program import Program


@dataclass(frozen=True)
class LayerCost:
    """A layer's stream in the program against the layer's output in the network.

    Attributes
    ----------
    layer : str
        Node in the program.
    format : str
        Format of its codes.
    largest_error : float
        Largest difference of a value; for spikes the share (0 to 1) that differ.
    saturations : int
        Codes clipped on the way to it.
    """

    layer: str
    format: str
    largest_error: float
    saturations: int


@dataclass(frozen=True)
class Cost:
    """Float against integer on the same samples.

    Attributes
    ----------
    frames : int
    float_accuracy, integer_accuracy : float
        0 to 1.
    agreement : float
        Share of samples (0 to 1) on which both name the same class.
    saturated_inputs : int
        Values of samples beyond the input's format.
    layers : tuple of LayerCost
    """

    frames: int
    float_accuracy: float
    integer_accuracy: float
    agreement: float
    saturated_inputs: int
    layers: tuple[LayerCost, ...]

    def facts(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


def compare(network: Network, program: Program, x: Any, y: Any) -> Cost:
    """Run a network and its program on the same samples.

    Raises
    ------
    DataError
        If samples or labels do not fit.
    """
    emulator = Emulator(program)
    codes = {INPUT: input_codes(program, x)}
    labels = network.check_labels(y, len(codes[INPUT]))
    outputs = emulator.run(codes)
    predicted = decide(outputs["logits"]) if network.n_out == 1 else outputs["class"][:, 0]
    wanted = network.predict(x)
    return Cost(
        frames=len(labels),
        float_accuracy=float(np.mean(wanted == labels)),
        integer_accuracy=float(np.mean(predicted == labels)),
        agreement=float(np.mean(wanted == predicted)),
        saturated_inputs=saturated_inputs(program, x),
        layers=_layers(network, program, emulator, x),
    )


def _layers(
    network: Network, program: Program, emulator: Emulator, x: Any
) -> tuple[LayerCost, ...]:
    """Differences on at most 512 samples: traces hold every step."""
    some = x[:512]
    codes = {INPUT: input_codes(program, some)}
    positions = program.metadata["layers"]
    streams = emulator.trace(codes, [program.resolve(name) for name in positions])
    saturations = emulator.saturations(codes)
    floats = network.trace(some)
    costs, clipped = [], 0
    passed = 0
    for name, position in positions.items():
        upto = [node.name for node in program.order].index(name) + 1
        clipped = sum(saturations.get(node.name, 0) for node in program.order[passed:upto])
        passed = upto
        fmt = program.port(name).format
        value = fmt.decode(streams[program.resolve(name)])
        wanted = floats[position]
        # Images are vectors in the program.
        lead = wanted.ndim - len(network.shapes[position + 1])
        wanted = wanted.reshape(*wanted.shape[:lead], -1)
        if value.ndim < wanted.ndim:
            wanted = wanted[:, -1]
        error = np.abs(value - wanted)
        spikes = fmt.width == 1
        costs.append(
            LayerCost(name, str(fmt), float(error.mean() if spikes else error.max()), clipped)
        )
    return tuple(costs)
