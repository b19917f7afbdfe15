# SPDX-License-Identifier: Apache-2.0
"""Quantization-aware training: a network that computes what its integer program will."""

import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.calibration import (
    DEFAULT_BITS,
    Bits,
    activation_widths,
    choose,
    weight_widths,
)
from spikewright.formats import Formats, NeuronFormat
from spikewright.learn.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Layer,
    Leaky,
    Lif,
    Relu,
    quantized,
)
from spikewright.learn.layers.quantizers import Activation, Source, Weights
from spikewright.learn.lowering.folding import hardware_form
from spikewright.learn.tape import Array
from spikewright.network import Network
from spikewright.sim.errors import FileError, ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE


class Aware(Network):
    """A network whose layers round as the integer program does; see :func:`quantization_aware`.

    What a recording holds as its input, and has a gradient there, is values of the program's input
    codes: samples divided by :attr:`~spikewright.formats.InputFormat.gain`.

    Parameters
    ----------
    network : Network
        Shares its trained arrays and its history.
    formats : Formats
    learned : bool
        Whether the ranges of weights and rectifiers are trained.
    """

    def __init__(self, network: Network, formats: Formats, *, learned: bool):
        self.network, self.learned = network, learned
        self._chosen = formats
        super().__init__(
            _layers(network, formats, learned),
            shape=network.shapes[0],
            dt=network.dt,
            steps=network.steps,
            encoding=network.encoding,
            readout=network.readout,
            seed=network.seed,
        )
        self.history = network.history

    @property
    def formats(self) -> Formats:
        """Formats of the moment: those that training sees and :func:`quantize` takes."""
        kinds = (quantized.Dense, quantized.Conv2d)
        weights = [layer.quantizer.format for layer in self.layers if isinstance(layer, kinds)]
        activations: list[QFormat | NeuronFormat] = []
        for layer in self.layers:
            if isinstance(layer, quantized.Relu):
                activations.append(layer.quantizer.format)
            elif isinstance(layer, quantized.Leaky | quantized.Lif):
                activations.append(layer.format)
        return Formats(
            input=self._chosen.input,
            weights=tuple(weights),
            activations=tuple(activations),
            weight_bits=self._chosen.weight_bits,
            activation_bits=self._chosen.activation_bits,
            per_channel=self._chosen.per_channel,
        )

    def recalibrate(self, calibrate: Any) -> None:
        """Choose the formats again, for the weights and activations as they are now.

        Widths stay. Trained ranges begin anew. Done between two calls of ``fit`` and never in
        silence: an evaluation that moved formats would change what is being trained.

        Parameters
        ----------
        calibrate : (frames, ...) array_like
            Samples.

        Raises
        ------
        DataError
            If the samples do not fit the network.
        """
        x = self.check_samples(calibrate, name="calibrate")
        kept = [k for k, layer in enumerate(self.layers) if not isinstance(layer, Dropout)]
        trace = self.trace(x)
        self._chosen = choose(
            _bare(self.network),
            x,
            weight_bits=self._chosen.weight_bits,
            activation_bits=self._chosen.activation_bits,
            per_channel=self._chosen.per_channel,
            trace=[trace[k] for k in kept],
        )
        self.layers = _layers(self.network, self._chosen, self.learned)

    def encode(
        self, x: NDArray[np.float32], rows: NDArray[np.int64], out: Array, *, seed: int
    ) -> None:
        """Write the values of the program's input codes for ``x[rows]`` to ``out``."""
        if out.ndim == 2:
            self._chosen.input.values(x[rows], out)
        else:
            super().encode(x, rows, out, seed=seed)

    def save(self, path: str | Path) -> None:
        """Refuse: a file holds no formats.

        Raises
        ------
        FileError
            Always.
        """
        raise FileError(
            "Network made by quantization_aware has no file: save the network it shares its "
            "weights with, and the program that quantize makes of it"
        )


def quantization_aware(
    network: Network,
    calibrate: Any,
    *,
    weight_bits: Bits = DEFAULT_BITS,
    activation_bits: Bits = DEFAULT_BITS,
    per_channel: bool = False,
    learned: bool = False,
) -> Aware:
    """Network that shares a network's weights and computes what its integer program will.

    Trained by ``fit``, it trains the weights it shares; evaluated, its outputs are the program's,
    exactly: ``quantize(aware)`` and ``aware`` are one function. In the forward sweep weights,
    biases, currents, voltages and activations are rounded half up to the program's formats and
    saturate there; in the backward sweep rounding counts as the identity (Jacob and others,
    Quantization and training of neural networks for efficient integer-arithmetic-only inference,
    2018). Logits are float64, which holds sums of up to 53 bits.

    Parameters
    ----------
    network : Network
        Dense or Conv2d with Relu, or with Lif and Leaky, and Dropout where it is wanted.
    calibrate : (frames, ...) array_like
        Samples on which the formats are chosen.
    weight_bits, activation_bits, per_channel
        As of :func:`~spikewright.quantize.quantize`.
    learned : bool
        Whether the ranges of weights and rectifiers are trained with the rest: their binary
        logarithms, rounded up, so that scales remain powers of two (Jain and others, Trained
        quantization thresholds, 2019). Else they stay as chosen; see :meth:`Aware.recalibrate`.

    Returns
    -------
    Aware

    Raises
    ------
    FormatError
        If a width is out of range, or a sum needs more than 53 bits.
    ProgramError
        If the network has batch normalisation, or layers that have no hardware form.
    DataError
        If the samples do not fit the network.

    Examples
    --------
    >>> from spikewright.quantize import quantize
    >>> x = np.linspace(0, 1, 64).reshape(8, 8)
    >>> aware = quantization_aware(Network.from_spec("8-6-3"), x, weight_bits=[2, 4])
    >>> quantize(aware).metadata["weight_bits"]
    [2, 4]
    """
    for position, layer in enumerate(network.layers):
        if isinstance(layer, BatchNorm):
            raise ProgramError(
                f"Layer {position}, {layer!r}, must be folded into the layer before it first: "
                "train fold(network)[0] of spikewright.learn.lowering.folding"
            )
        if isinstance(layer, AvgPool2d):
            raise ProgramError(
                f"Layer {position}, {layer!r}, has no weights of its own to train for rounding: "
                "use a stride of the Conv2d before it in its place"
            )
    _ = hardware_form(network)
    bare = _bare(network)
    places = [k for k, layer in enumerate(network.layers) if not isinstance(layer, Dropout)]
    x = network.check_samples(calibrate, name="calibrate")
    formats = choose(
        bare,
        x,
        weight_bits=weight_widths(bare, places, weight_bits),
        activation_bits=activation_widths(bare, places, activation_bits),
        per_channel=per_channel,
    )
    return Aware(network, formats, learned=learned)


def _bare(network: Network) -> Network:
    """Return the network without Dropout, on the same layers."""
    bare = copy.copy(network)
    kept = [k for k, layer in enumerate(network.layers) if not isinstance(layer, Dropout)]
    bare.layers = [network.layers[k] for k in kept]
    bare.shapes = [network.shapes[0], *(network.shapes[k + 1] for k in kept)]
    return bare


def _layers(network: Network, formats: Formats, learned: bool) -> list[Layer]:
    """Rounding forms of a network's layers; Dropout as it is."""
    weights, activations = iter(formats.weights), iter(formats.activations)
    products = sum(isinstance(layer, Dense | Conv2d) for layer in network.layers)
    source: Source = partial(_same, formats.input.format)
    made: list[Layer] = []
    for layer in network.layers:
        if isinstance(layer, Dense | Conv2d):
            products -= 1
            ranges = (len(layer.weight) if formats.per_channel else 1) if learned else 0
            columns = layer.weight[0].size
            form = Weights(next(weights), source, columns=columns, bias=layer.bias, ranges=ranges)
            logits = formats.per_channel and not products and not network.spiking
            if isinstance(layer, Dense):
                made.append(quantized.Dense(layer, form, logits=logits))
            else:
                made.append(quantized.Conv2d(layer, form, logits=logits))
        elif isinstance(layer, Relu | Leaky):
            made.append(_activation(layer, next(activations), learned))
            source = _source(made[-1])
        else:
            made.append(layer)
    return made


def _activation(
    layer: Relu | Leaky, form: QFormat | NeuronFormat, learned: bool
) -> quantized.Relu | quantized.Leaky | quantized.Lif:
    if isinstance(form, QFormat):
        return quantized.Relu(Activation(form, learned=learned))
    options: dict[str, Any] = layer.options()
    kind = quantized.Lif if isinstance(layer, Lif) else quantized.Leaky
    return kind(**options, format=form)


def _source(layer: Layer) -> Source:
    # Not a lambda, whose layer a deep copy of the network would not copy.
    if isinstance(layer, quantized.Relu):
        return partial(_made, layer)
    return partial(_same, SPIKE)


def _made(layer: quantized.Relu) -> QFormat:
    return layer.quantizer.format


def _same(fmt: QFormat) -> QFormat:
    return fmt
