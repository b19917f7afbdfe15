# SPDX-License-Identifier: Apache-2.0
"""The one place that chooses formats, from a network and samples."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.formats import (
    LEAK_FRAC,
    ActivationFormat,
    Formats,
    InputFormat,
    NeuronFormat,
    WeightFormat,
    weight_format,
)
from spikewright.learn.layers import Conv2d, Dense, Leaky, Lif, Relu
from spikewright.learn.lowering.unroll import Unrolled
from spikewright.learn.options import choices
from spikewright.network import Network
from spikewright.scales import best_frac, check_bits, width_for
from spikewright.sim.errors import DataError, FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import MAX_MEMBRANE
from spikewright.sim.ports import SPIKE

Bits = int | Sequence[int] | Mapping[int | str, int]
"""Widths: one for all, one for each in order, or some by the layer's position."""

DEFAULT_BITS = 8
"""Width where none is given."""

WEIGHTED = (Dense, Conv2d)
"""Layers with weights that have a hardware form."""

ACTIVATIONS = (Relu, Leaky)
"""Layers whose output has a format of its own: Lif is a Leaky."""

ENTRY = "input"
"""Name of the input among the widths of activations."""


def weight_widths(network: Network, places: Sequence[int], bits: Bits) -> tuple[int, ...]:
    """Bits of the weights of each layer that has weights.

    Parameters
    ----------
    network : Network
        Of layers that have a hardware form.
    places : sequence of int
        For each of them, the layer whose output it makes in the network that it was made from.
    bits : int, sequence or mapping
        For all, for each such layer in order, or by position in the network that it was made from,
        8 for the others.

    Raises
    ------
    FormatError
        If there are not as many as layers, a position has no weights, or a width is not between 2
        and 16 bits.
    """
    return _widths("Weight", bits, _spans(network, places, WEIGHTED))


def activation_widths(network: Network, places: Sequence[int], bits: Bits) -> tuple[int, ...]:
    """Bits of the input and of each activation.

    Parameters
    ----------
    network, places
        As of :func:`weight_widths`.
    bits : int, sequence or mapping
        For all; for the input and then each Relu, Leaky and Lif in order; or by position, the
        input's being "input", 8 for the others. Coding by spikes does not use the input's.

    Raises
    ------
    FormatError
        As of :func:`weight_widths`.
    """
    return _widths("Activation", bits, [[ENTRY], *_spans(network, places, ACTIVATIONS)])


def choose(
    network: Network,
    x: NDArray[np.float32],
    *,
    weight_bits: Sequence[int],
    activation_bits: Sequence[int],
    per_channel: bool,
    trace: Sequence[NDArray[Any]] | None = None,
) -> Formats:
    """Choose all formats of a network's program.

    Weights, ReLUs and the input get the power of two with the least squared error on what
    calibration sees; see :func:`spikewright.quantize.quantize` for the rest.

    Parameters
    ----------
    network : Network
        With layers that have a hardware form, or convolutions.
    x : (frames, n_in) ndarray
        Samples.
    weight_bits, activation_bits : sequence of int
        As of :func:`weight_widths` and :func:`activation_widths`.
    per_channel : bool
        Whether output channels have scales of their own.
    trace : sequence of ndarray, optional
        Outputs of the layers for the samples; the network's own if not given.

    Raises
    ------
    DataError
        If all samples are 0.
    """
    outputs = network.trace(x) if trace is None else trace
    entry = _input(network, x, activation_bits[0])
    weights: list[WeightFormat] = []
    activations: list[ActivationFormat] = []
    given, gain = entry.format, entry.gain
    for position, layer in enumerate(network.layers):
        if isinstance(layer, Dense | Conv2d):
            width = weight_bits[len(weights)]
            weights.append(_weights(layer, width, per_channel, given, gain))
        elif isinstance(layer, Relu | Leaky):
            bits, before = activation_bits[len(activations) + 1], outputs[position - 1]
            if isinstance(layer, Leaky):
                activations.append(_neurons(network, layer, before, bits))
                given, gain = SPIKE, 1.0
            else:
                given, gain = rectified(before, bits), 1.0
                activations.append(given)
    return Formats(
        input=entry,
        weights=tuple(weights),
        activations=tuple(activations),
        weight_bits=tuple(weight_bits),
        activation_bits=tuple(activation_bits),
        per_channel=per_channel,
    )


def rectified(values: NDArray[Any], bits: int) -> QFormat:
    """Unsigned format of what ``max(values, 0)`` is rounded to."""
    frac = best_frac(np.maximum(values, 0), bits, signed=False)
    return QFormat(width=bits, frac=frac, signed=False)


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


def _spans(
    network: Network, places: Sequence[int], kinds: tuple[type, ...]
) -> list[list[int | str]]:
    """For each layer of some kinds, the positions of all layers that became it."""
    begins = [0, *(place + 1 for place in places)]
    return [
        list(range(begin, place + 1))
        for layer, begin, place in zip(network.layers, begins, places, strict=False)
        if isinstance(layer, kinds)
    ]


def _widths(what: str, bits: Bits, spans: Sequence[Sequence[int | str]]) -> tuple[int, ...]:
    if isinstance(bits, Mapping):
        for place in bits:
            if not any(place in span for span in spans):
                known = choices([repr(span[-1]) for span in spans])
                raise FormatError(f"{what} widths must be for layer {known}, not {place!r}")
        given = [[bits[place] for place in span if place in bits] for span in spans]
        widths = [some[0] if some else DEFAULT_BITS for some in given]
    elif isinstance(bits, Sequence):
        widths = list(bits)
        if len(widths) != len(spans):
            known = ", ".join(str(span[-1]) for span in spans)
            raise FormatError(
                f"{what} widths must be {len(spans)}, one for each of the layers {known}, "
                f"not {len(widths)}"
            )
    else:
        widths = [bits] * len(spans)
    for width in widths:
        check_bits(what, width)
    return tuple(widths)


def _input(network: Network, x: NDArray[np.float32], bits: int) -> InputFormat:
    if network.spike_input:
        return InputFormat(format=SPIKE)
    signed = bool(x.min() < 0)
    largest = float(np.abs(x).max())
    if largest == 0:
        raise DataError("calibrate must hold a value other than 0 to choose the input's scale")
    fmt = QFormat(width=bits, frac=bits - signed, signed=signed)
    return InputFormat(format=fmt, scale=largest / fmt.hi)


def _weights(
    layer: Dense | Conv2d, width: int, per_channel: bool, given: QFormat, gain: float
) -> WeightFormat:
    weight = layer.weight.astype(np.float64).reshape(len(layer.weight), -1) * gain
    if not per_channel:
        fracs = np.array([best_frac(weight, width, signed=True)])
    else:
        # Rows that came from one kernel have one scale.
        groups = layer.groups if isinstance(layer, Unrolled) else np.arange(len(weight))
        parts = [weight[groups == group] for group in range(groups.max() + 1)]
        fracs = np.array([best_frac(part, width, signed=True) for part in parts])[groups]
    return weight_format(
        fracs, layer.bias, width=width, columns=weight.shape[1], given=given, gain=gain
    )


def _neurons(network: Network, layer: Leaky, currents: NDArray[Any], bits: int) -> NeuronFormat:
    exact = layer.leak(network.dt)
    # A leak stays one; without it, currents add up for a whole frame.
    code = int(np.clip(round(exact * 2**LEAK_FRAC), 1, 2**LEAK_FRAC)) if exact else 0
    leak = code * 2.0**-LEAK_FRAC
    memory = 1 / leak if code else network.steps
    threshold = layer.threshold if isinstance(layer, Lif) else 1.0
    frac = bits - 1 - math.floor(math.log2(threshold)) + math.ceil(math.log2(memory)) + 2
    # A layer of images runs on vectors.
    timed = currents.ndim in (3, 5)
    currents = currents.reshape(*currents.shape[: 1 + timed], -1)
    lo, hi = voltages(currents, layer, steps=network.steps, leak=leak)
    largest = max(-lo, hi, threshold)
    frac = min(frac, MAX_MEMBRANE - width_for(largest, 0))
    membrane = QFormat(width=width_for(largest, frac), frac=frac)
    strongest = float(np.abs(currents).max())
    current = QFormat(width=min(width_for(strongest, frac), membrane.width), frac=frac)
    return NeuronFormat(current=current, membrane=membrane, leak=code)
