# SPDX-License-Identifier: Apache-2.0
"""Every width of integer Kickback, from what its operands can be."""

from dataclasses import dataclass
from functools import cached_property

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import MAX_WIDTH, QFormat, format_for
from spikewright.sim.matvec import MatVec
from spikewright.sim.primitive import check_range
from spikewright.sim.stochastic import MOST_BITS

MOST_RATE = 31
"""Largest ``rate``: the learning rate is ``2^-rate``."""


@dataclass(frozen=True, kw_only=True)
class KickbackFormats:
    """Parameters of :class:`spikewright.sim.kickback.Kickback` and the formats they lead to.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, nodes of each hidden layer, and 1.
    signs : tuple of tuple of int
        ``rho`` of each hidden node, +1 or -1.
    input : QFormat
    activations : tuple of QFormat
        Of the magnitudes ``a`` of each hidden layer, unsigned.
    weights : tuple of QFormat
        Of each layer, at most 32 bits.
    bias_width : int
        Bits of a bias, at most 32.
    target, error : QFormat
        Of ``t``, and of ``e``, signed.
    rate : int
        0 to 31.
    random_bits : int
        Bits of a draw, 1 to 15; 0 for rounding half up.

    Raises
    ------
    FormatError
        If the sizes, signs, formats or options do not fit together, or a sum or product would need
        more than 64 bits.
    """

    sizes: tuple[int, ...]
    signs: tuple[tuple[int, ...], ...]
    input: QFormat
    activations: tuple[QFormat, ...]
    weights: tuple[QFormat, ...]
    bias_width: int = 32
    target: QFormat
    error: QFormat
    rate: int
    random_bits: int = 0

    def __post_init__(self) -> None:
        self._check_layers()
        check_range("Rate", self.rate, 0, MOST_RATE)
        check_range("Random bits", self.random_bits, 0, MOST_BITS)
        for layer, shift in enumerate(self.shifts):
            if shift < self.random_bits:
                raise FormatError(
                    f"Update of layer {layer} must drop at least {self.random_bits} bits, as many "
                    f"as it draws, not {shift}: use more fraction bits of the error or a larger "
                    "rate"
                )
        _ = self.difference, self.updates, self.weight_sums, self.bias_sums
        for product, shift in zip(self.products, self.activation_shifts, strict=False):
            z = product.accumulator
            format_for(_shifted(z.lo, shift), _shifted(z.hi, shift))

    def _check_layers(self) -> None:
        sizes = self.sizes
        if len(sizes) < 2 or min(sizes) < 1 or sizes[-1] != 1:
            raise FormatError(
                f"Sizes must be two or more positive integers, the last 1, not {sizes}"
            )
        layers = len(sizes) - 1
        for what, given, wanted in (
            ("Signs", self.signs, layers - 1),
            ("Activation formats", self.activations, layers - 1),
            ("Weight formats", self.weights, layers),
        ):
            if len(given) != wanted:
                raise FormatError(f"{what} must be {wanted}, one for each layer, not {len(given)}")
        for signs, size in zip(self.signs, sizes[1:], strict=False):
            if len(signs) != size or any(sign not in (1, -1) for sign in signs):
                raise FormatError(
                    f"Signs must be 1 or -1, one for each of {size} nodes, not {signs}"
                )
        for what, signed, formats in (
            ("Activation", False, self.activations),
            ("Weight", True, self.weights),
            ("Error", True, (self.error,)),
        ):
            for fmt in formats:
                if fmt.signed != signed:
                    kind = "signed" if signed else "unsigned"
                    raise FormatError(f"{what} format must be {kind}, not {fmt}")

    @cached_property
    def inputs(self) -> tuple[QFormat, ...]:
        """Format of each layer's input: that of hidden nodes has a sign besides ``a``."""
        return (self.input, *(format_for(-a.hi, a.hi, a.frac) for a in self.activations))

    @cached_property
    def products(self) -> tuple[MatVec, ...]:
        """``z = W x + b`` of each layer; its ``accumulator`` cannot overflow."""
        pairs = zip(self.sizes[1:], self.sizes, self.inputs, self.weights, strict=False)
        return tuple(
            MatVec(
                rows=rows,
                columns=columns,
                input=x,
                weight_format=weight,
                weight="weight",
                bias="bias",
                bias_width=self.bias_width,
            )
            for rows, columns, x, weight in pairs
        )

    @cached_property
    def activation_shifts(self) -> tuple[int, ...]:
        """Bits that each hidden layer's sums drop; negative ones are added."""
        pairs = zip(self.products, self.activations, strict=False)
        return tuple(product.bias_format.frac - a.frac for product, a in pairs)

    @cached_property
    def _reach(self) -> tuple[int, ...]:
        """Largest magnitude of ``tau`` of each hidden layer."""
        return tuple(n * -w.lo for n, w in zip(self.sizes[2:], self.weights[1:], strict=True))

    @cached_property
    def taus(self) -> tuple[QFormat, ...]:
        """Narrowest format of every ``tau`` and its negative, of each hidden layer."""
        pairs = zip(self._reach, self.weights[1:], strict=True)
        return tuple(format_for(-reach, reach, w.frac) for reach, w in pairs)

    @cached_property
    def difference(self) -> QFormat:
        """Format of ``y - t``, before it is rounded to the error's."""
        y, t = self.products[-1].accumulator, self.target
        frac = max(y.frac, t.frac)
        lo = (y.lo << frac - y.frac) - (t.hi << frac - t.frac)
        hi = (y.hi << frac - y.frac) - (t.lo << frac - t.frac)
        return format_for(lo, hi, frac)

    @cached_property
    def _deltas(self) -> tuple[tuple[int, int], ...]:
        """Ends of ``e tau_j rho_j`` of each layer's nodes."""
        ends = [self.error.lo * reach for reach in self._reach]
        return (*((end, -end) for end in ends), (self.error.lo, self.error.hi))

    @cached_property
    def deltas(self) -> tuple[QFormat, ...]:
        """Format of ``e tau_j rho_j`` of each layer's nodes; of the output, that of ``e``."""
        fracs = (*(tau.frac for tau in self.taus), 0)
        pairs = zip(self._deltas, fracs, strict=True)
        return tuple(format_for(lo, hi, self.error.frac + frac) for (lo, hi), frac in pairs)

    @cached_property
    def shifts(self) -> tuple[int, ...]:
        """Bits that the update of each layer's weights drops."""
        return tuple(
            delta.frac + x.frac + self.rate - weight.frac
            for delta, x, weight in zip(self.deltas, self.inputs, self.weights, strict=True)
        )

    @cached_property
    def updates(self) -> tuple[QFormat, ...]:
        """Format of ``e tau_j rho_j x_i`` and what rounding adds to it, of each layer."""
        formats = []
        for delta, x, shift in zip(self._deltas, self.inputs, self.shifts, strict=True):
            ends = [d * code for d in delta for code in (x.lo, x.hi)]
            formats.append(format_for(min(ends), max(ends) + (1 << shift)))
        return tuple(formats)

    @cached_property
    def bias_shifts(self) -> tuple[int, ...]:
        """Bits that the update of each layer's biases drops; negative ones are added."""
        return tuple(
            delta.frac + self.rate - product.bias_format.frac
            for delta, product in zip(self.deltas, self.products, strict=True)
        )

    @cached_property
    def weight_sums(self) -> tuple[QFormat, ...]:
        """Format of a weight less its update, before it saturates, of each layer."""
        triples = zip(self.weights, self.updates, self.shifts, strict=True)
        return tuple(
            format_for(w.lo - (update.hi >> shift), w.hi - (update.lo >> shift), w.frac)
            for w, update, shift in triples
        )

    @cached_property
    def bias_sums(self) -> tuple[QFormat, ...]:
        """Format of a bias less its update, before it saturates, of each layer."""
        formats = []
        for product, (lo, hi), shift in zip(
            self.products, self._deltas, self.bias_shifts, strict=True
        ):
            bias = product.bias_format
            ends = bias.lo - _shifted(hi, shift), bias.hi - _shifted(lo, shift)
            formats.append(format_for(*ends, bias.frac))
        return tuple(formats)

    @property
    def draws(self) -> int:
        """Draws of the generator for each sample, ``P``: one for each weight."""
        return sum(product.rows * product.columns for product in self.products)


def _shifted(code: int, shift: int) -> int:
    """Drop or add bits, rounding half up, after a check that 64-bit codes can."""
    check_range("Shift", shift, 1 - MAX_WIDTH, MAX_WIDTH - 1)
    return code << -shift if shift <= 0 else (code + (1 << shift - 1)) >> shift
