# SPDX-License-Identifier: Apache-2.0
"""From a network in floating point to the integer program, calibrated on data."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.encoding import INPUT
from spikewright.learn.layers import Dense, Leaky, Lif, Relu
from spikewright.learn.lowering.folding import hardware_form
from spikewright.network import Network
from spikewright.scales import best_frac, check_bits, quantized, width_for
from spikewright.sim import primitives as sim
from spikewright.sim.errors import DataError
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import MAX_MEMBRANE, leak_format
from spikewright.sim.matvec import MAX_PARAMETER_WIDTH
from spikewright.sim.ports import SPIKE, Port, Rate
from spikewright.sim.primitive import Codes, Primitive
from spikewright.sim.program import Input, Node, Program
from spikewright.sim.requantize import SHIFT_FORMAT

LEAK_FRAC = 12
"""Fraction bits of a leak code: its product with an 18-bit membrane suits a DSP block."""


def quantize(
    network: Network,
    *,
    calibrate: Any,
    weight_bits: int = 8,
    activation_bits: int = 8,
    per_channel: bool = False,
) -> Program:
    """Integer program of a trained network.

    Every scale is a power of two, except the input's: codes are ``round(x / scale)`` with the scale
    that uses the whole format (bytes stay the bytes they are), and the first weights absorb it.

    * A product's accumulator cannot overflow; its bias has the product's scale.
    * ReLU is a requantization to ``activation_bits`` unsigned bits.
    * A membrane has ``activation_bits - 1`` fraction bits below its threshold and
      ``ceil(log2(1/λ)) + 2`` guard bits below them; its width covers 1.5 times the voltages that
      calibration saw. Currents have its fraction bits.

    Parameters
    ----------
    network : Network
    calibrate : (frames, ...) array_like
        Samples on which the formats are chosen; a few hundred of the training set serve.
    weight_bits, activation_bits : int
        2 to 16.
    per_channel : bool
        A weight scale for each output channel and not one for each layer.

    Returns
    -------
    Program
        Input ``x``, outputs ``logits`` and ``class``; ``metadata`` says how samples are encoded.

    Raises
    ------
    FormatError
        If a width is not between 2 and 16 bits, or a sum would need more than 64.
    ProgramError
        If a layer or the order of layers has no hardware form.
    DataError
        If the samples do not fit the network.
    """
    check_bits("Weight", weight_bits)
    check_bits("Activation", activation_bits)
    x = network.check_samples(calibrate, name="calibrate")
    folded, places = hardware_form(network)
    return _Maker(folded, places, x, weight_bits, activation_bits, per_channel).program()


@dataclass
class _Stream:
    """What the next layer reads: a reference, its format, and what a code's value is worth more."""

    reference: str
    format: QFormat
    gain: float = 1.0


class _Maker:
    """Walks the layers and collects nodes, tensors and metadata."""

    def __init__(
        self,
        network: Network,
        places: list[int],
        x: NDArray[np.float32],
        weight_bits: int,
        activation_bits: int,
        per_channel: bool,
    ):
        self.network, self.places = network, places
        self.weight_bits, self.activation_bits = weight_bits, activation_bits
        self.per_channel, self.x, self.trace = per_channel, x, network.trace(x)
        self.nodes: list[Node] = []
        self.tensors: dict[str, Codes] = {}
        self.layers: dict[str, int] = {}
        self.effective: dict[str, float] = {}

    def program(self) -> Program:
        """Build the whole program."""
        stream, given, encoding = self._input()
        for position, layer in enumerate(self.network.layers):
            number = 1 + sum(isinstance(p, Dense) for p in self.network.layers[:position])
            if isinstance(layer, Dense):
                stream = self._dense(f"fc{number}", layer, stream)
            elif isinstance(layer, Relu):
                stream = self._relu(f"relu{number - 1}", position, stream)
            elif isinstance(layer, Leaky):
                stream = self._neurons(number - 1, position, layer, stream)
        stream = self._logits(stream)
        size = self.network.n_out
        argmax = sim.Extremum(size=size, input=stream.format)
        self.nodes.append(Node("argmax", argmax, (stream.reference,)))
        return Program(
            inputs={INPUT: given},
            nodes=tuple(self.nodes),
            outputs={"logits": stream.reference, "class": "argmax"},
            tensors=self.tensors,
            dt=self.network.dt,
            steps=self.network.steps if self.network.spiking else 1,
            metadata={
                "encoding": encoding,
                "layers": {name: self.places[k] for name, k in self.layers.items()},
                "effective_tau": self.effective,
                "weight_bits": self.weight_bits,
                "activation_bits": self.activation_bits,
                "per_channel": self.per_channel,
            },
        )

    def _input(self) -> tuple[_Stream, Input, dict[str, Any]]:
        n, bits = self.network.n_in, self.activation_bits
        if self.network.spiking and self.network.encoding == "rate":
            encoding = {"kind": "rate", "seed": self.network.seed}
            return _Stream(INPUT, SPIKE), Input(Port(size=n, format=SPIKE), Rate.STEP), encoding
        signed = bool(self.x.min() < 0)
        largest = float(np.abs(self.x).max())
        if largest == 0:
            raise DataError("calibrate must hold a value other than 0 to choose the input's scale")
        fmt = QFormat(width=bits, frac=bits - signed, signed=signed)
        scale = largest / fmt.hi
        port = Port(size=n, format=fmt)
        encoding = {"kind": "value", "scale": scale}
        return _Stream(INPUT, fmt, scale / fmt.lsb), Input(port, Rate.FRAME), encoding

    def _add(self, name: str, primitive: Primitive, source: str) -> str:
        self.nodes.append(Node(name, primitive, (source,)))
        return name

    def _dense(self, name: str, layer: Dense, given: _Stream) -> _Stream:
        weight = layer.weight.astype(np.float64) * given.gain
        rows, columns = weight.shape
        width = self.weight_bits
        groups = list(weight) if self.per_channel else [weight]
        fracs = np.array([best_frac(group, width, signed=True) for group in groups])
        bias_width = min(MAX_PARAMETER_WIDTH, width + given.format.width + columns.bit_length())
        bias = layer.bias.astype(np.float64)
        fracs = np.minimum(fracs, _most_frac(bias, bias_width) - given.format.frac)
        base = int(fracs.min())
        own = np.minimum(fracs - base, SHIFT_FORMAT.hi)
        scaled = np.ldexp(weight, np.broadcast_to(own, rows)[:, None])
        kind = sim.EventMatVec if given.format == SPIKE else sim.MatVec
        product = kind(
            rows=rows,
            columns=columns,
            input=given.format,
            weight_format=QFormat(width=width, frac=base),
            weight=f"{name}.weight",
            bias=f"{name}.bias",
            bias_width=bias_width,
        )
        self.tensors[f"{name}.weight"] = quantized(scaled, product.weight_format)
        self.tensors[f"{name}.bias"] = quantized(np.ldexp(bias, own), product.bias_format)
        if self.per_channel:
            self.tensors[f"{name}.shift"] = np.broadcast_to(own, rows).astype(np.int64)
        return _Stream(self._add(name, product, given.reference), product.accumulator)

    def _requantize(self, name: str, size: int, given: _Stream, output: QFormat) -> _Stream:
        shift = f"{given.reference}.shift" if self.per_channel else None
        node = sim.Requantize(size=size, input=given.format, output=output, shift=shift)
        return _Stream(self._add(name, node, given.reference), output)

    def _relu(self, name: str, position: int, given: _Stream) -> _Stream:
        values = self.trace[position]
        bits = self.activation_bits
        fmt = QFormat(width=bits, frac=best_frac(values, bits, signed=False), signed=False)
        self.layers[name] = position
        return self._requantize(name, values.shape[-1], given, fmt)

    def _neurons(self, number: int, position: int, layer: Leaky, given: _Stream) -> _Stream:
        currents = self.trace[position - 1]
        code, guard = self._leak(layer, f"lif{number}")
        threshold = layer.threshold if isinstance(layer, Lif) else 1.0
        frac = self.activation_bits - 1 - math.floor(math.log2(threshold)) + guard
        lo, hi = voltages(currents, layer, steps=self.network.steps, leak=code * 2.0**-LEAK_FRAC)
        largest = max(-lo, hi, threshold)
        frac = min(frac, MAX_MEMBRANE - width_for(largest, 0))
        membrane = QFormat(width=width_for(largest, frac), frac=frac)
        strongest = float(np.abs(currents).max())
        current = QFormat(width=min(width_for(strongest, frac), membrane.width), frac=frac)
        stream = self._requantize(f"current{number}", layer.size, given, current)
        if currents.ndim == 2:
            hold = sim.Hold(size=layer.size, format=current)
            stream = _Stream(self._add(f"hold{number}", hold, stream.reference), current)
        if isinstance(layer, Lif):
            return self._lif(f"lif{number}", position, layer, stream, membrane)
        self.layers["last"] = position
        node = sim.Leaky(
            size=layer.size,
            input=current,
            membrane=membrane,
            leak=f"lif{number}.leak",
            leak_frac=LEAK_FRAC,
        )
        return _Stream(self._add("membrane", node, stream.reference), membrane)

    def _leak(self, layer: Leaky, name: str) -> tuple[int, int]:
        """Code of λ, and the guard bits that it asks for."""
        leak = layer.leak(self.network.dt)
        code = int(np.clip(round(leak * 2**LEAK_FRAC), 1, 2**LEAK_FRAC))
        self.tensors[f"{name}.leak"] = leak_format(LEAK_FRAC).encode([code * 2.0**-LEAK_FRAC])
        effective = code * 2.0**-LEAK_FRAC
        self.effective[name] = -self.network.dt / math.log1p(-effective) if effective < 1 else 0.0
        return code, math.ceil(-math.log2(effective)) + 2

    def _lif(
        self, name: str, position: int, layer: Lif, given: _Stream, membrane: QFormat
    ) -> _Stream:
        self.tensors[f"{name}.threshold"] = membrane.encode([layer.threshold])
        zero = layer.reset == "zero"
        if zero:
            self.tensors[f"{name}.reset"] = np.zeros(1, np.int64)
        node = sim.Lif(
            size=layer.size,
            input=given.format,
            membrane=membrane,
            leak=f"{name}.leak",
            leak_frac=LEAK_FRAC,
            threshold=f"{name}.threshold",
            reset="value" if zero else "subtract",
            reset_tensor=f"{name}.reset" if zero else None,
        )
        self.layers[name] = position
        return _Stream(self._add(name, node, given.reference), SPIKE)

    def _logits(self, given: _Stream) -> _Stream:
        """What the classes are compared by, once a frame."""
        size = self.network.n_out
        if not self.network.spiking:
            name = "logits" if self.per_channel else given.reference
            self.layers[name] = len(self.network.layers) - 1
            if not self.per_channel:
                return given
            return self._requantize("logits", size, given, given.format)
        if self.network.readout == "membrane":
            last = sim.Last(size=size, format=given.format)
            return _Stream(self._add("last", last, given.reference), given.format)
        count = sim.Count(size=size, steps=self.network.steps)
        return _Stream(self._add("count", count, given.reference), count.count_format)


def voltages(
    currents: NDArray[Any], layer: Leaky, *, steps: int, leak: float
) -> tuple[float, float]:
    """Smallest and largest voltage before a reset that currents cause in a layer.

    Parameters
    ----------
    currents : (frames, n) or (frames, steps, n) ndarray
    layer : Leaky or Lif
    steps : int
    leak : float
        λ, 0 to 1.
    """
    held = currents.ndim == 2
    v = np.zeros((len(currents), currents.shape[-1]))
    lo = hi = 0.0
    for t in range(steps):
        v = v - leak * v + (currents if held else currents[:, t])
        lo, hi = min(lo, float(v.min())), max(hi, float(v.max()))
        if isinstance(layer, Lif):
            spike = v >= layer.threshold
            v = np.where(spike, v - layer.threshold if layer.reset == "subtract" else 0.0, v)
    return lo, hi


def _most_frac(bias: NDArray[Any], width: int) -> int:
    """Most fraction bits at which a bias fits its width."""
    largest = float(np.abs(bias).max())
    return 63 if largest == 0 else width - 2 - math.floor(math.log2(largest))
