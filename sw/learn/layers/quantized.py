# SPDX-License-Identifier: Apache-2.0
"""Layers that compute in training what the integer program will, on the same numbers.

Each shares the trained arrays of the layer it is made from, has its name and is a kind of it: what
holds for a Dense holds for this one.
"""

from dataclasses import dataclass, field
from functools import partial

from spikewright.formats import NeuronFormat
from spikewright.learn import layers, ops
from spikewright.learn.layers.layer import Weighted
from spikewright.learn.layers.quantizers import Activation, Weights, grid_of
from spikewright.learn.ops import neurons
from spikewright.learn.ops.quantizing import (
    charging,
    quantized_linear,
    quantized_weights,
    requantize,
    widened,
)
from spikewright.learn.tape import Array, Value


class Dense(layers.Dense):
    """:class:`spikewright.learn.layers.Dense` with rounded weights and biases.

    Parameters
    ----------
    layer : Dense
        Shares its arrays.
    quantizer : Weights
    logits : bool
        Whether the sums are rounded to the coarsest channel's steps, as logits are.
    """

    def __init__(self, layer: layers.Dense, quantizer: Weights, *, logits: bool):
        Weighted.__init__(self, given=True)
        self.n_in, self.n_out = layer.n_in, layer.n_out
        self.weight, self.bias = layer.weight, layer.bias
        self.quantizer, self.logits = quantizer, logits

    def parameters(self) -> list[Array]:
        """Weights, biases and ranges, shared and not copied."""
        return [self.weight, self.bias, *self.quantizer.parameters()]

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = q(W) x + q(b)`` for ``x`` of shape (..., n_in)."""
        tape, quantizer = x.tape, self.quantizer
        y = quantized_linear(
            x,
            tape.parameter(self.weight),
            tape.parameter(self.bias),
            weights=quantizer.weights,
            biases=quantizer.biases,
            gain=quantizer.gain,
            largest=quantizer.largest,
            threshold=quantizer.trained(tape),
        )
        return requantize(y, quantizer.logits, wide=True) if self.logits else y


class Conv2d(layers.Conv2d):
    """:class:`spikewright.learn.layers.Conv2d` with rounded weights and biases.

    Parameters
    ----------
    layer : Conv2d
        Shares its arrays.
    quantizer : Weights
    logits : bool
        As of :class:`Dense`.
    """

    def __init__(self, layer: layers.Conv2d, quantizer: Weights, *, logits: bool):
        Weighted.__init__(self, given=True)
        self.channels, self.kernels, self.size = layer.channels, layer.kernels, layer.size
        self.stride, self.padding = layer.stride, layer.padding
        self.weight, self.bias = layer.weight, layer.bias
        self.quantizer, self.logits = quantizer, logits

    def parameters(self) -> list[Array]:
        """Weights, biases and ranges, shared and not copied."""
        return [self.weight, self.bias, *self.quantizer.parameters()]

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the convolution of ``x`` of shape (..., channels, rows, columns)."""
        tape, quantizer = x.tape, self.quantizer
        weight = quantized_weights(
            tape.parameter(self.weight),
            quantizer.weights,
            gain=quantizer.gain,
            wide=True,
            threshold=quantizer.trained(tape),
        )
        bias = requantize(tape.parameter(self.bias), quantizer.biases, wide=True)
        y = ops.conv2d(widened(x), weight, bias, stride=self.stride, padding=self.padding)
        return requantize(y, quantizer.logits, wide=True) if self.logits else y


@dataclass(frozen=True)
class Relu(layers.Relu):
    """:class:`spikewright.learn.layers.Relu` as a requantization to unsigned codes."""

    quantizer: Activation

    def parameters(self) -> list[Array]:
        """The range, if it is trained."""
        return self.quantizer.parameters()

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = min(max(x, 0), limit)``, rounded."""
        threshold = self.quantizer.threshold
        value = None if threshold is None else x.tape.parameter(threshold)
        return requantize(x, self.quantizer.steps, threshold=value)


@dataclass(frozen=True)
class Leaky(layers.Leaky):
    """:class:`spikewright.learn.layers.Leaky` with rounded currents and voltages."""

    format: NeuronFormat = field(kw_only=True)

    def respond(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the voltages (steps, batch, size) for currents held or per step."""
        current = requantize(x, partial(grid_of, self.format.current), wide=True)
        charge = charging(leak=self.format.rate, grid=grid_of(self.format.membrane))
        return neurons.leaky(current, steps=steps, leak=self.format.rate, charge=charge)


@dataclass(frozen=True)
class Lif(layers.Lif):
    """:class:`spikewright.learn.layers.Lif` with rounded currents, voltages and threshold."""

    format: NeuronFormat = field(kw_only=True)

    def respond(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the spikes (steps, batch, size) for currents held or per step."""
        form, membrane = self.format, self.format.membrane
        constants = self.constants(dt)
        constants["leak"] = form.rate
        constants["threshold"] = float(membrane.decode(membrane.encode(self.threshold)))
        current = requantize(x, partial(grid_of, form.current), wide=True)
        charge = charging(leak=form.rate, grid=grid_of(membrane))
        return neurons.lif(current, steps=steps, charge=charge, **constants)
