# SPDX-License-Identifier: Apache-2.0
"""From a network in floating point to the integer program, calibrated on data."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikewright.aware import Aware
from spikewright.calibration import DEFAULT_BITS, Bits, activation_widths, choose, weight_widths
from spikewright.encoding import INPUT
from spikewright.formats import LEAK_FRAC, Formats, NeuronFormat, WeightFormat, plain
from spikewright.learn.layers import Dense, Leaky, Lif, Relu
from spikewright.learn.lowering.folding import hardware_form
from spikewright.learn.lowering.unroll import Unrolled
from spikewright.network import Network
from spikewright.sim import primitives as sim
from spikewright.sim.errors import DataError, ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import leak_format
from spikewright.sim.ports import SPIKE, Port, Rate
from spikewright.sim.primitive import Codes, Primitive
from spikewright.sim.program import Input, Node, Program


def quantize(
    network: Network,
    *,
    calibrate: Any = None,
    weight_bits: Bits | None = None,
    activation_bits: Bits | None = None,
    per_channel: bool | None = None,
) -> Program:
    """Integer program of a trained network.

    Every scale is a power of two, except the input's: codes are ``round(x / scale)`` with the scale
    that uses the whole format (bytes stay the bytes they are), and the first weights absorb it.

    * A product's accumulator cannot overflow; its bias has the product's scale.
    * ReLU is a requantization to ``activation_bits`` unsigned bits.
    * A membrane has ``activation_bits - 1`` fraction bits below its threshold and
      ``ceil(log2(1/λ)) + 2`` guard bits below them (without leak, ``ceil(log2(steps)) + 2``); its
      width covers 1.5 times the voltages that calibration saw. Currents have its fraction bits.

    Parameters
    ----------
    network : Network
        Or what :func:`~spikewright.aware.quantization_aware` made of one, which brings the formats
        that training saw: nothing else is given then.
    calibrate : (frames, ...) array_like
        Samples on which the formats are chosen; a few hundred of the training set serve.
    weight_bits : int, sequence or mapping, optional
        2 to 16, 8 if not given: for all layers, for each layer with weights in order, or by
        position, see :func:`~spikewright.calibration.weight_widths`.
    activation_bits : int, sequence or mapping, optional
        The same for the input and each activation, see
        :func:`~spikewright.calibration.activation_widths`.
    per_channel : bool, optional
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
        If a layer or the order of layers has no hardware form, or a network that brings its
        formats is given others.
    DataError
        If there are no samples, or they do not fit the network.
    """
    if isinstance(network, Aware):
        given = (calibrate, weight_bits, activation_bits, per_channel)
        if any(option is not None for option in given):
            raise ProgramError(
                "Network made by quantization_aware brings its own formats: "
                "quantize it without calibrate, widths and per_channel"
            )
        folded, places = hardware_form(network)
        return _Maker(folded, places, network.formats).program()
    if calibrate is None:
        raise DataError("calibrate must hold samples on which the formats are chosen")
    x = network.check_samples(calibrate, name="calibrate")
    folded, places = hardware_form(network)
    formats = choose(
        folded,
        x,
        weight_bits=weight_widths(folded, places, _bits(weight_bits)),
        activation_bits=activation_widths(folded, places, _bits(activation_bits)),
        per_channel=bool(per_channel),
    )
    return _Maker(folded, places, formats).program()


def _bits(bits: Bits | None) -> Bits:
    return DEFAULT_BITS if bits is None else bits


@dataclass
class _Stream:
    """What the next layer reads: a reference and its format."""

    reference: str
    format: QFormat


class _Maker:
    """Walks the layers and collects nodes, tensors and metadata; the formats are given."""

    def __init__(self, network: Network, places: list[int], formats: Formats):
        self.network, self.places, self.formats = network, places, formats
        self.nodes: list[Node] = []
        self.tensors: dict[str, Codes] = {}
        self.layers: dict[str, int] = {}
        self.effective: dict[str, float] = {}

    def program(self) -> Program:
        """Build the whole program."""
        stream, given, encoding = self._input()
        weights, activations = iter(self.formats.weights), iter(self.formats.activations)
        number = 0
        for position, layer in enumerate(self.network.layers):
            if isinstance(layer, Dense):
                number += 1
                stream = self._dense(f"fc{number}", layer, next(weights), stream)
            elif isinstance(layer, Relu | Leaky):
                form = next(activations)
                if isinstance(form, QFormat):
                    stream = self._requantize(f"relu{number}", stream, form)
                    self.layers[f"relu{number}"] = position
                elif isinstance(layer, Leaky):
                    stream = self._neurons(number, position, layer, form, stream)
        stream = self._logits(stream)
        argmax = sim.Extremum(size=self.network.n_out, input=stream.format)
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
                "weight_bits": plain(self.formats.weight_bits),
                "activation_bits": plain(self.formats.activation_bits),
                "per_channel": self.formats.per_channel,
            },
        )

    def _input(self) -> tuple[_Stream, Input, dict[str, Any]]:
        entry = self.formats.input
        stream = _Stream(INPUT, entry.format)
        port = Port(size=self.network.n_in, format=entry.format)
        if not self.network.spike_input:
            return stream, Input(port, Rate.FRAME), {"kind": "value", "scale": entry.scale}
        encoding = {"kind": self.network.encoding, "seed": self.network.seed}
        return stream, Input(port, Rate.STEP), encoding

    def _add(self, name: str, primitive: Primitive, source: str) -> str:
        self.nodes.append(Node(name, primitive, (source,)))
        return name

    def _dense(self, name: str, layer: Dense, form: WeightFormat, given: _Stream) -> _Stream:
        rows, columns = layer.weight.shape
        if isinstance(layer, Unrolled) and len(form.fracs) != rows:
            form = form.of_rows(layer.groups)
        product = form.product(name, columns)
        weight, bias = form.codes(layer.weight, layer.bias)
        self.tensors.update({f"{name}.weight": weight, f"{name}.bias": bias})
        if self.formats.per_channel:
            self.tensors[f"{name}.shift"] = form.own
        return _Stream(self._add(name, product, given.reference), product.accumulator)

    def _requantize(self, name: str, given: _Stream, output: QFormat) -> _Stream:
        size = len(self.tensors[f"{given.reference}.bias"])
        shift = f"{given.reference}.shift" if self.formats.per_channel else None
        node = sim.Requantize(size=size, input=given.format, output=output, shift=shift)
        return _Stream(self._add(name, node, given.reference), output)

    def _neurons(
        self, number: int, position: int, layer: Leaky, form: NeuronFormat, given: _Stream
    ) -> _Stream:
        leak = f"lif{number}.leak"
        self.tensors[leak] = leak_format(LEAK_FRAC).encode([form.rate])
        if form.leak:
            tau = -self.network.dt / math.log1p(-form.rate) if form.rate < 1 else 0.0
            self.effective[f"lif{number}"] = tau
        stream = self._requantize(f"current{number}", given, form.current)
        if number == 1 and not self.network.spike_input:
            hold = sim.Hold(size=layer.size, format=form.current)
            stream = _Stream(self._add(f"hold{number}", hold, stream.reference), form.current)
        if isinstance(layer, Lif):
            return self._lif(f"lif{number}", position, layer, form.membrane, stream)
        self.layers["last"] = position
        node = sim.Leaky(
            size=layer.size,
            input=form.current,
            membrane=form.membrane,
            leak=leak,
            leak_frac=LEAK_FRAC,
        )
        return _Stream(self._add("membrane", node, stream.reference), form.membrane)

    def _lif(
        self, name: str, position: int, layer: Lif, membrane: QFormat, given: _Stream
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
            name = "logits" if self.formats.per_channel else given.reference
            self.layers[name] = len(self.network.layers) - 1
            if not self.formats.per_channel:
                return given
            return self._requantize("logits", given, given.format)
        if self.network.readout == "membrane":
            last = sim.Last(size=size, format=given.format)
            return _Stream(self._add("last", last, given.reference), given.format)
        count = sim.Count(size=size, steps=self.network.steps)
        return _Stream(self._add("count", count, given.reference), count.count_format)
