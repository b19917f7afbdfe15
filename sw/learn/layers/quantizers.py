# SPDX-License-Identifier: Apache-2.0
"""Formats of layers that round in training, chosen or with ranges that are trained."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spikewright.formats import WeightFormat, most_frac, weight_format
from spikewright.learn.ops.rounding import Grid
from spikewright.learn.tape import Array, Tape, Value
from spikewright.sim.errors import DataError, FormatError
from spikewright.sim.fixed import QFormat

Source = Callable[[], QFormat]
"""Format of what a layer reads at the moment: a trained one moves."""


def grid_of(fmt: QFormat) -> Grid:
    """Steps of a format."""
    return Grid(2.0**fmt.frac, fmt.lsb, fmt.lo, fmt.hi)


MOST = 53
"""Bits of the widest sum that float64 holds exactly."""

WIDEST = 60
"""Largest magnitude of the binary logarithm of a trained range."""


class Weights:
    """Formats of a layer's weights and biases, chosen or with trained ranges.

    Parameters
    ----------
    form : WeightFormat
        As chosen.
    source : callable
        Format of the input at the moment.
    columns : int
        Terms of a sum.
    bias : (n_out,) ndarray
        Trained; limits the fraction bits of a trained range.
    ranges : int
        How many ranges are trained: one for all weights, one for each output channel, or 0.

    Raises
    ------
    FormatError
        If a sum could have more than 53 bits.

    Attributes
    ----------
    threshold : (n_out,) or (1,) ndarray of float32 or None
        Binary logarithm of the range of each output channel or of all; None if not trained.
    """

    def __init__(
        self, form: WeightFormat, source: Source, *, columns: int, bias: Array, ranges: int = 0
    ):
        wanted = form.product("weights", columns).accumulator.width
        if wanted > MOST:
            raise FormatError(
                f"Sums must have at most {MOST} bits to be exact in training, not {wanted}: "
                "use narrower weights or activations"
            )
        self._form, self._source, self._columns, self._bias = form, source, columns, bias
        self.threshold: Array | None = None
        if ranges:
            # In the middle of its octave: at the edge, the first step could double the scale.
            middle = form.width - 1.5 - np.array(form.fracs[:ranges])
            self.threshold = middle.astype(np.float32)
        self._grids = _grids(form)
        self._key: tuple[bytes, QFormat, int] | None = None

    def parameters(self) -> list[Array]:
        """The ranges, if they are trained."""
        return [] if self.threshold is None else [self.threshold]

    @property
    def format(self) -> WeightFormat:
        """Formats of the moment."""
        self._follow()
        return self._form

    @property
    def largest(self) -> int:
        """Largest magnitude of a code of the input."""
        given = self._form.input
        return max(-given.lo, given.hi)

    @property
    def gain(self) -> float:
        """What a code of the input is worth more than its format says."""
        return self._form.gain

    def weights(self) -> Grid:
        """Steps of the weights, of all or an array over the output channels."""
        self._follow()
        return self._grids[0]

    def biases(self) -> Grid:
        """Steps of the biases, of all or an array over the output channels."""
        self._follow()
        return self._grids[1]

    def logits(self) -> Grid:
        """Steps of logits, those of the coarsest channel's sums; they never saturate."""
        form = self.format
        return grid_of(QFormat(width=MOST, frac=form.input.frac + form.weight.frac))

    def trained(self, tape: Tape) -> Value | None:
        """Trained ranges on a tape, if they are trained."""
        return None if self.threshold is None else tape.parameter(self.threshold)

    def _follow(self) -> None:
        """Make the formats those of trained ranges, where they have moved by an octave."""
        if self.threshold is None:
            return
        octaves, form = _octaves(self.threshold), self._form
        key = (octaves.tobytes(), self._source(), most_frac(self._bias, form.bias_width))
        if key == self._key:
            return
        self._key = key
        self._form = weight_format(
            form.width - 1 - octaves,
            self._bias,
            width=form.width,
            columns=self._columns,
            given=self._source(),
            gain=form.gain,
        )
        self._grids = _grids(self._form)


def _grids(form: WeightFormat) -> tuple[Grid, Grid]:
    """Steps of weights and of biases."""
    # One scale is a number: NumPy multiplies by it several times as fast.
    fracs = np.array(form.fracs if len(set(form.fracs)) > 1 else form.fracs[0])
    weight, bias = form.weight, QFormat(width=form.bias_width)
    steps, last = np.ldexp(1.0, -fracs), fracs + form.input.frac
    return (
        Grid(np.ldexp(form.gain, fracs), steps, weight.lo, weight.hi),
        Grid(np.ldexp(1.0, last), np.ldexp(1.0, -last), bias.lo, bias.hi),
    )


class Activation:
    """Unsigned format of a rectifier's output, chosen or with a trained range.

    Parameters
    ----------
    form : QFormat
        As chosen.
    learned : bool
        Whether the range is trained.

    Attributes
    ----------
    threshold : (1,) ndarray of float32 or None
        Binary logarithm of the range; None if it is not trained.
    """

    def __init__(self, form: QFormat, *, learned: bool):
        self._form = form
        self.threshold: Array | None = None
        if learned:
            self.threshold = np.array([form.width - form.frac - 0.5], np.float32)

    def parameters(self) -> list[Array]:
        """The range, if it is trained."""
        return [] if self.threshold is None else [self.threshold]

    @property
    def format(self) -> QFormat:
        """Format of the moment."""
        if self.threshold is None:
            return self._form
        width, octave = self._form.width, int(_octaves(self.threshold)[0])
        return QFormat(width=width, frac=width - octave, signed=False)

    def steps(self) -> Grid:
        """Steps of the moment."""
        return grid_of(self.format)


def _octaves(threshold: Array) -> NDArray[np.int64]:
    """Exponents of the powers of two that hold trained ranges."""
    if not (np.abs(threshold) < WIDEST).all():
        worst = threshold[~(np.abs(threshold) < WIDEST)][0]
        raise DataError(
            f"Trained range must stay between 2^-{WIDEST} and 2^{WIDEST}, not reach 2^{worst:g}: "
            "lower the learning rate"
        )
    return np.ceil(threshold).astype(np.int64)
