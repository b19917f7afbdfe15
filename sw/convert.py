# SPDX-License-Identifier: Apache-2.0
"""From a trained network of rectifiers to a spiking one, without training."""

import math
from typing import Any

import numpy as np

from spikewright.aware import Aware
from spikewright.learn.layers import Conv2d, Dense, Layer, Leaky, Lif, Relu
from spikewright.learn.lowering.folding import fold
from spikewright.learn.lowering.hardware import NEAREST
from spikewright.learn.options import check_count, check_name, within
from spikewright.network import Network
from spikewright.sim.errors import ProgramError

FORMS = ("Dense", "Conv2d", "AvgPool2d", "Flatten", "Relu", "BatchNorm", "Dropout")
"""Layers that have a spiking form, or need none."""

ENCODINGS = ("current", "rate")
"""Encodings that stand for a value in every step, as a rate does."""


def to_spiking(
    network: Network,
    calibrate: Any,
    *,
    steps: int,
    percentile: float = 99.9,
    tau: float = math.inf,
    dt: float = 1e-3,
    encoding: str = "current",
    centred: bool = True,
) -> Network:
    """Spiking network whose firing rates are the activations of a network of rectifiers.

    Each Relu becomes integrate-and-fire neurons with threshold 1 and reset by subtraction, which
    in ``T`` steps of a constant current ``a`` fire ``floor(T a)`` times for ``a`` from 0 to 1: a
    rectifier. Activations are brought to 0 to 1 by data: with ``s_l`` the percentile of layer
    ``l``'s activations and ``s_0 = 1``::

        W_l <- W_l s_(l-1) / s_l          b_l <- (b_l + s_l / (2 T)) / s_l

    The last product feeds leaky integrators, with ``W_L <- W_L s_(L-1) / T`` and ``b_L <- b_L /
    T``: the voltages at the end approach the network's logits. Half a threshold more over a frame
    makes ``floor`` round to the nearest. (Diehl and others, Fast-classifying, high-accuracy
    spiking deep networks, 2015: the largest activation, percentile 100; Rueckauer and others,
    Conversion of continuous-valued deep networks, 2017: a percentile, biases and reset by
    subtraction; Deng and Gu, Optimal conversion, 2021: the half.)

    Deeper layers see spikes that are not evenly spaced, and errors of a spike or so remain; more
    steps make them small, and accuracy approaches the network's.

    Parameters
    ----------
    network : Network
        Dense or Conv2d, each but the last followed by Relu, with AvgPool2d and Flatten; BatchNorm
        is folded, Dropout dropped. It is not changed.
    calibrate : (frames, ...) array_like
        Samples on which activations are measured; a few hundred of the training set serve.
    steps : int
        Time steps ``T`` of a frame.
    percentile : float
        Share of a layer's activations, in percent, that rates can express; larger ones saturate
        at a spike a step. Above 0, at most 100.
    tau : float
        Membrane time constant, in seconds; with a leak, rates only resemble rectifiers.
    dt : float
        Time step, in seconds.
    encoding : {"current", "rate"}
        Of the result.
    centred : bool
        Whether counts are rounded to the nearest, and not down.

    Returns
    -------
    Network
        With read-out "membrane".

    Raises
    ------
    ProgramError
        If the network spikes already, a layer or the order of layers has no spiking form, or an
        option is wrong.
    DataError
        If the samples do not fit the network.
    """
    check_count("Steps", steps, 1)
    check_name("Encoding", encoding, ENCODINGS)
    if not within(percentile, 0, 100, "(]"):
        raise ProgramError(f"Percentile must be above 0, at most 100, not {percentile!r}")
    _check(network)
    folded, _ = fold(network)
    trace = folded.trace(folded.check_samples(calibrate, name="calibrate"))
    layers: list[Layer] = []
    scale, product = 1.0, -1
    for position, layer in enumerate(folded.layers):
        if isinstance(layer, Dense | Conv2d):
            layers.append(_scaled(layer, scale, 1.0))
            scale, product = 1.0, position
        elif isinstance(layer, Relu):
            scale = float(np.percentile(trace[position], percentile)) or 1.0
            shift = 0.5 / steps if centred else 0.0
            layers[product] = _scaled(layers[product], 1 / scale, 1 / scale, shift)
            size = math.prod(folded.shapes[position + 1])
            layers.append(Lif(size, tau, 1.0, "subtract"))
        else:
            layers.append(layer)
    layers[product] = _scaled(layers[product], 1 / steps, 1 / steps)
    layers.append(Leaky(folded.n_out, tau))
    made = Network(
        layers, shape=folded.shapes[0], dt=dt, steps=steps, encoding=encoding, seed=network.seed
    )
    made.history = list(network.history)
    return made


def _check(network: Network) -> None:
    """Refuse what has no spiking form."""
    if network.spiking:
        raise ProgramError("Network spikes already: convert one of Dense or Conv2d and Relu")
    if isinstance(network, Aware):
        raise ProgramError(
            "Network made by quantization_aware has no spiking form: convert the network that it "
            "shares its weights with"
        )
    fed = False
    for position, layer in enumerate(network.layers):
        kind = type(layer).__name__
        if kind not in FORMS:
            nearest = NEAREST.get(kind, "Dense, Conv2d or Relu")
            raise ProgramError(
                f"Layer {position}, {layer!r}, has no spiking form: use {nearest} in its place"
            )
        if isinstance(layer, Relu) and not fed:
            raise ProgramError(
                f"Layer {position}, {layer!r}, must have a Dense or Conv2d between it and the "
                "nonlinearity before it to become neurons"
            )
        if isinstance(layer, Dense | Conv2d) and fed:
            raise ProgramError(
                f"Layer {position}, {layer!r}, must have a Relu between it and the product before "
                "it to have a spiking form"
            )
        fed = isinstance(layer, Dense | Conv2d) or (fed and not isinstance(layer, Relu))
    if not fed:
        kinds = ", ".join(type(layer).__name__ for layer in network.layers)
        raise ProgramError(f"Layers must end in Dense to become a read-out, not {kinds}")


def _scaled(layer: Any, weight: float, bias: float, shift: float = 0.0) -> Dense | Conv2d:
    """Copy of a product with its arrays times a factor each, and the bias shifted after that."""
    options = layer.options()
    arrays = {"weight": layer.weight * weight, "bias": layer.bias * bias + shift}
    made: Dense | Conv2d = type(layer)(**options, **arrays)
    return made
