# SPDX-License-Identifier: Apache-2.0
"""Formats of a network's integer program: all that quantization decides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikewright.scales import quantized
from spikewright.sim import primitives as sim
from spikewright.sim.fixed import QFormat
from spikewright.sim.matvec import MAX_PARAMETER_WIDTH
from spikewright.sim.ports import SPIKE
from spikewright.sim.primitive import Codes
from spikewright.sim.requantize import SHIFT_FORMAT

LEAK_FRAC = 12
"""Fraction bits of a leak code: its product with an 18-bit membrane suits a DSP block."""


@dataclass(frozen=True, kw_only=True)
class InputFormat:
    """Format of the input's codes, ``round(x / scale)``, saturated.

    Parameters
    ----------
    format : QFormat
        :data:`~spikewright.sim.ports.SPIKE` where samples enter as spikes.
    scale : float
        What a code is worth; any number, since the first weights absorb it.
    """

    format: QFormat
    scale: float = 1.0

    @property
    def gain(self) -> float:
        """What a code is worth more than its format says."""
        return self.scale / self.format.lsb

    def values(self, x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write what the program reads samples as to ``out``: codes times the format's ``lsb``."""
        codes = np.divide(x, self.scale, dtype=np.float64)
        codes += 0.5
        np.floor(codes, out=out, casting="same_kind")
        np.clip(out, self.format.lo, self.format.hi, out=out)
        out *= self.format.lsb


@dataclass(frozen=True, kw_only=True)
class WeightFormat:
    """Formats of a layer's weights and biases.

    A weight's code is ``round(gain * weight * 2^frac)`` with its output channel's ``frac``, and a
    bias has the fraction bits of the product; both saturate.

    Parameters
    ----------
    width, bias_width : int
        Bits of a weight and of a bias.
    fracs : tuple of int
        Fraction bits of each output channel's weights.
    input : QFormat
        Format of what the layer multiplies.
    gain : float
        What a code of the input is worth more than its format says.
    """

    width: int
    fracs: tuple[int, ...]
    bias_width: int
    input: QFormat
    gain: float = 1.0

    @property
    def weight(self) -> QFormat:
        """Format of the program's weights: that of the coarsest channel."""
        return QFormat(width=self.width, frac=min(self.fracs))

    @property
    def own(self) -> NDArray[np.int64]:
        """Fraction bits that each channel has more than the coarsest."""
        return np.array(self.fracs, np.int64) - min(self.fracs)

    def of_rows(self, groups: NDArray[np.int64]) -> "WeightFormat":
        """Return the formats of rows that came from the output channels ``groups``."""
        return replace(self, fracs=tuple(self.fracs[group] for group in groups))

    def product(self, name: str, columns: int) -> sim.MatVec:
        """The program's product, whose tensors are ``name.weight`` and ``name.bias``."""
        kind = sim.EventMatVec if self.input == SPIKE else sim.MatVec
        return kind(
            rows=len(self.fracs),
            columns=columns,
            input=self.input,
            weight_format=self.weight,
            weight=f"{name}.weight",
            bias=f"{name}.bias",
            bias_width=self.bias_width,
        )

    def codes(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> tuple[Codes, Codes]:
        """Codes of weights (rows, columns) and biases (rows,)."""
        scaled = np.ldexp(weight.astype(np.float64) * self.gain, self.own[:, None])
        biases = QFormat(width=self.bias_width, frac=self.input.frac + self.weight.frac)
        shifted = np.ldexp(bias.astype(np.float64), self.own)
        return quantized(scaled, self.weight), quantized(shifted, biases)


def weight_format(
    fracs: NDArray[np.int64],
    bias: NDArray[np.float32],
    *,
    width: int,
    columns: int,
    given: QFormat,
    gain: float,
) -> WeightFormat:
    """Formats with at most the wished fraction bits, at which the biases fit and shifts are legal.

    Parameters
    ----------
    fracs : (rows,) or (1,) ndarray of int
        Wished for each output channel, or for all.
    bias : (rows,) ndarray
    width : int
        Bits of a weight.
    columns : int
        Terms of a sum.
    given : QFormat
        Format of what the layer multiplies.
    gain : float
        What a code of the input is worth more than its format says.
    """
    bias_width = min(MAX_PARAMETER_WIDTH, width + given.width + columns.bit_length())
    fracs = np.minimum(fracs, most_frac(bias, bias_width) - given.frac)
    fracs = np.minimum(fracs, fracs.min() + SHIFT_FORMAT.hi)
    return WeightFormat(
        width=width,
        fracs=tuple(int(frac) for frac in np.broadcast_to(fracs, bias.shape)),
        bias_width=bias_width,
        input=given,
        gain=gain,
    )


@dataclass(frozen=True, kw_only=True)
class NeuronFormat:
    """Formats of leaky neurons.

    Parameters
    ----------
    current, membrane : QFormat
        With the same fraction bits.
    leak : int
        Code of the leak λ, with :data:`LEAK_FRAC` fraction bits.
    """

    current: QFormat
    membrane: QFormat
    leak: int

    @property
    def rate(self) -> float:
        """The leak λ as it is in the program."""
        return self.leak * 2.0**-LEAK_FRAC


ActivationFormat = QFormat | NeuronFormat
"""Format of what a Relu makes, or formats of a Leaky or Lif."""


@dataclass(frozen=True, kw_only=True)
class Formats:
    """All formats of a network's program.

    Parameters
    ----------
    input : InputFormat
    weights : tuple of WeightFormat
        Of each layer with weights, in order.
    activations : tuple of QFormat or NeuronFormat
        Of each Relu, Leaky and Lif, in order.
    weight_bits, activation_bits : tuple of int
        Widths as they were asked for: of each layer with weights; of the input and of each
        activation.
    per_channel : bool
        Whether output channels have scales of their own.
    """

    input: InputFormat
    weights: tuple[WeightFormat, ...]
    activations: tuple[ActivationFormat, ...]
    weight_bits: tuple[int, ...]
    activation_bits: tuple[int, ...]
    per_channel: bool


def plain(bits: Sequence[int]) -> int | list[int]:
    """Widths as metadata says them: one number where all are equal."""
    return bits[0] if len(set(bits)) == 1 else list(bits)


def most_frac(bias: NDArray[np.float32], width: int) -> int:
    """Most fraction bits at which biases fit a width."""
    largest = float(np.abs(bias.astype(np.float64)).max())
    return 63 if largest == 0 else width - 2 - math.floor(math.log2(largest))
