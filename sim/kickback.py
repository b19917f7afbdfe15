# SPDX-License-Identifier: Apache-2.0
"""Kickback in integers: learning sample by sample, as hardware computes it, bit by bit.

Balduzzi, Vanchinathan and Buhmann, Kickback cuts Backprop's red-tape, AAAI 2015. No division, no
exponential, no second pass over the layers: after the forward pass one error goes to every node.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import round_half_up
from spikewright.sim.kickback_formats import KickbackFormats
from spikewright.sim.primitive import Codes
from spikewright.sim.stochastic import draws_at, jump, round_randomly


@dataclass
class Memory:
    """What learning changes: of each layer, weights (n_out, n_in) and biases (n_out,).

    ``generator`` is the state of :mod:`spikewright.sim.lfsr`, not 0; rounding half up needs none.
    """

    weights: list[Codes]
    biases: list[Codes]
    generator: int = 1


@dataclass(frozen=True)
class Pass:
    """What samples leave in the network.

    ``inputs`` (..., n_in) of each layer, with the signs of hidden nodes; ``active`` (..., n) of
    each hidden layer, ``1_k = [z_k > 0]``; ``output`` (...), the output node's accumulator.
    """

    inputs: list[Codes]
    active: list[NDArray[np.bool_]]
    output: Codes


@dataclass(frozen=True)
class Step:
    """What one sample did: the pass, the error's code, ``tau`` of each hidden layer.

    ``clipped`` counts the weights and biases that were held at an end of their format, and
    ``saturated`` the hidden nodes whose ``a`` is the largest there is.
    """

    run: Pass
    error: int
    taus: list[Codes]
    clipped: int
    saturated: int


@dataclass(frozen=True, kw_only=True)
class Kickback(KickbackFormats):
    """Network of signed rectifiers with one linear output that learns from single samples.

    Forward, with exact sums ``z`` and ``a`` rounded half up and saturated at the top::

        z = W x + b        1_j = [z_j > 0]        x_j = rho_j a_j,  a_j = round(max(z_j, 0))

    Learning, with all products exact, from the weights before any of them changes::

        e     = saturate(round(error(y, t)))
        tau_j = sum over the active nodes k of the next layer of w_kj rho_k
        w_ji <- saturate(w_ji - round(2^-rate e tau_j rho_j 1_j x_i))
        b_j  <- saturate(b_j  - round(2^-rate e tau_j rho_j 1_j))

    The last hidden layer's ``tau_j`` is the output's weight, and the output node itself learns by
    the delta rule, ``e x_i``. A node whose ``a`` is saturated still learns.

    Weights round once, by :func:`~spikewright.sim.stochastic.round_randomly`. Draw ``t P + k`` of
    the generator belongs to weight ``k`` of the ``P`` of all layers, row by row, at sample ``t``,
    whether or not it changes. Biases have the fraction bits of the product, so many more than
    weights that they round half up.

    Parameters
    ----------
    sizes, signs, input, activations, weights, bias_width, target, error, rate, random_bits
        See :class:`~spikewright.sim.kickback_formats.KickbackFormats`, which also has the formats
        of everything between.
    loss : str
        A name in :data:`ERRORS`.

    Raises
    ------
    FormatError
        If the sizes, signs, formats or options do not fit together, or a sum or product would need
        more than 64 bits.
    """

    loss: str = "mse"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in ERRORS:
            raise FormatError(f"Loss must be {' or '.join(ERRORS)}, not {self.loss!r}")

    def forward(self, memory: Memory, x: Codes) -> Pass:
        """Evaluate samples ``x`` of shape (..., n_in); nothing changes."""
        inputs, active = [x], []
        layers = zip(memory.weights, memory.biases, strict=True)
        nodes = zip(layers, self.activations, self.activation_shifts, self._rho, strict=False)
        for (weight, bias), a, shift, rho in nodes:
            z = inputs[-1] @ weight.T + bias
            active.append(z > 0)
            rounded = round_half_up(np.maximum(z, 0), shift)
            inputs.append(rho * np.minimum(rounded, a.hi))
        y = inputs[-1] @ memory.weights[-1][0] + memory.biases[-1][0]
        return Pass(inputs, active, y)

    def kicked_back(self, memory: Memory, run: Pass) -> list[Codes]:
        """``tau`` of each hidden layer for one sample: the active nodes of the next one count."""
        taus = [
            (rho * on) @ weight
            for rho, on, weight in zip(
                self._rho[1:], run.active[1:], memory.weights[1:-1], strict=True
            )
        ]
        return [*taus, *(memory.weights[-1].copy() if self.activations else ())]

    def step(self, memory: Memory, x: Codes, target: int) -> Step:
        """Learn from one sample: ``memory`` changes in place.

        Parameters
        ----------
        memory : Memory
        x : (n_in,) ndarray of int64
            In the input's format.
        target : int
            In the target's format.
        """
        run = self.forward(memory, x)
        taus, error = self.kicked_back(memory, run), self.error_of(int(run.output), target)
        ones = np.ones(1, np.int64)
        nodes = [t * rho * on for t, rho, on in zip(taus, self._rho, run.active, strict=True)]
        drawn = np.zeros(1, np.uint16)
        if self.random_bits:
            drawn = draws_at(memory.generator, self.draws, self.random_bits)
            memory.generator = jump(memory.generator, self.draws * self.random_bits)
        clipped, first = 0, 0
        if error:
            for layer, node in enumerate([*nodes, ones]):
                size = memory.weights[layer].size
                clipped += self._update(
                    memory, layer, error * node, run.inputs[layer], drawn[first : first + size]
                )
                first += size if self.random_bits else 0
        tops = zip(run.inputs[1:], self.activations, strict=True)
        saturated = sum(int(np.count_nonzero(np.abs(x) == a.hi)) for x, a in tops)
        return Step(run, error, taus, clipped, saturated)

    def error_of(self, output: int, target: int) -> int:
        """Code of the error for an output in the last accumulator's format."""
        frac = self.difference.frac
        y = output << frac - self.products[-1].accumulator.frac
        t = target << frac - self.target.frac
        exact = ERRORS[self.loss](y, t)
        shift = frac - self.error.frac
        code = exact << -shift if shift < 0 else (exact + (1 << shift >> 1)) >> shift
        return min(max(code, self.error.lo), self.error.hi)

    def _update(
        self, memory: Memory, layer: int, delta: Codes, x: Codes, drawn: NDArray[np.uint16]
    ) -> int:
        """Change a layer; where ``delta`` or ``x`` is 0 nothing does, and nothing is computed."""
        rows, columns = np.flatnonzero(delta), np.flatnonzero(x)
        weight, bias = memory.weights[layer], memory.biases[layer]
        place, bits = np.ix_(rows, columns), self.random_bits
        noise = drawn.reshape(weight.shape)[place] if bits else drawn
        change = round_randomly(np.outer(delta[rows], x[columns]), self.shifts[layer], noise, bits)
        wanted = weight[place] - change
        weight[place] = held = self.weights[layer].saturate(wanted)
        moved = bias[rows] - round_half_up(delta[rows], self.bias_shifts[layer])
        bias[rows] = kept = self.products[layer].bias_format.saturate(moved)
        return int(np.count_nonzero(wanted != held) + np.count_nonzero(moved != kept))

    @cached_property
    def _rho(self) -> tuple[Codes, ...]:
        return tuple(np.array(signs, np.int64) for signs in self.signs)


def _squares(y: int, t: int) -> int:
    return y - t


def _margin(y: int, t: int) -> int:
    return min(y - t, 0) if t > 0 else max(y - t, 0)


ERRORS: dict[str, Callable[[int, int], int]] = {"mse": _squares, "squared-hinge": _margin}
"""Error of an output and a target of the same fraction bits, by the name of half its loss.

``"mse"``: ``y - t``, for any targets. ``"squared-hinge"``: the same, but 0 for an output beyond
its target on the target's side of 0, which is right and needs no correction: for two classes.
"""
