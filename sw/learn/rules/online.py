# SPDX-License-Identifier: Apache-2.0
"""Kickback sample by sample in integers: a network that goes on learning where it runs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.data import array_of
from spikewright.learn.layers import Dense, Layer
from spikewright.learn.options import check_count
from spikewright.learn.rules.kickback import Kickback, forward
from spikewright.learn.tape import Array
from spikewright.network import Network
from spikewright.sim import kickback as golden
from spikewright.sim.errors import DataError, FormatError, ProgramError
from spikewright.sim.fixed import QFormat
from spikewright.sim.lfsr import seed_of
from spikewright.sim.primitive import Codes

HEADROOM = 4.0
"""How many times the activations that calibration saw the format covers: they grow in training."""

CHUNK = 512
"""Samples whose codes are made together."""


class OnlineKickback:
    """Learns as hardware does: one sample at a time, integers only, each bit defined.

    What a step computes is in :class:`spikewright.sim.kickback.Kickback`, the attribute ``rule``;
    the weights so far are in ``memory``.

    * Inputs have ``activation_bits``, for the largest value that calibration saw; hidden
      activations as many, for :data:`HEADROOM` times the largest of any hidden layer.
    * Targets and errors have ``error_bits``, of which 3 lie above the point: -8 to 8.
    * Weights have ``weight_bits``, biases 32: the learning rate times a bias' error is below a
      weight's LSB, and a bias has no large fan-in to be worth narrowing.

    Parameters
    ----------
    network : Network
        Dense, SignedRelu, Dense, ..., Dense with one output, drawn with
        ``initialiser="coherent"`` or trained; it is not changed.
    calibrate : (frames, ...) array_like
        Samples on which the formats are chosen.
    weight_bits : int
        2 to 16.
    weight_limit : float, optional
        Power of two that magnitudes of weights stay below; of each layer the least that is 1 or
        more and twice the largest weight, if not given.
    activation_bits, error_bits : int
        4 to 16, and 6 to 20.
    rate : int
        The learning rate is ``2^-rate``.
    random_bits : int
        Bits of a draw for stochastic rounding of weights, up to 15; 0 rounds to the nearest, and
        updates below half an LSB are lost.
    loss : {"mse", "squared-hinge"}
        Half the squared difference, for real targets. For two classes "squared-hinge" as well,
        whose targets are -1 and +1 and which leaves what is beyond them alone: most samples then
        change no weight, which saves their writes. Neither needs the exponential of "bernoulli".
    seed : int
        Seed of the rounding.

    Raises
    ------
    ProgramError
        If the layers are others or there are several outputs.
    DataError
        If the samples do not fit the network.
    FormatError
        If a width is out of range, a weight beyond the limit, or the formats do not fit together.

    Examples
    --------
    >>> from spikewright.learn.layers import SignedRelu
    >>> layers = [Dense(2, 8), SignedRelu.alternating(8), Dense(8, 1)]
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> learner = OnlineKickback(
    ...     Network(layers, initialiser="coherent"), calibrate=x, rate=3, weight_bits=12
    ... )
    >>> _ = learner.fit(x, [-1.0, 1.0, 1.0, -1.0], epochs=200)
    >>> learner.predict(x)
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        network: Network,
        *,
        calibrate: Any,
        weight_bits: int = 8,
        weight_limit: float | None = None,
        activation_bits: int = 16,
        error_bits: int = 16,
        rate: int = 6,
        random_bits: int = 8,
        loss: str = "mse",
        seed: int = 0,
    ):
        _check_bits("Weight", weight_bits, 2, 16)
        _check_bits("Activation", activation_bits, 4, 16)
        _check_bits("Error", error_bits, 6, 20)
        float_rule = Kickback(network, "mse")
        x = network.check_samples(calibrate, name="calibrate")
        weights, biases, signs = float_rule.weights, float_rule.biases, float_rule.signs
        run = forward(x, weights, biases, signs)
        largest = HEADROOM * max((float(np.abs(a).max()) for a in run.inputs[1:]), default=1.0)
        limits = [_limit(weight) if weight_limit is None else weight_limit for weight in weights]
        error = QFormat(width=error_bits, frac=error_bits - 4)
        self._network = network
        self.rule = golden.Kickback(
            sizes=(network.n_in, *map(len, biases)),
            signs=tuple(tuple(int(sign) for sign in rho) for rho in signs),
            input=_format_of(x, activation_bits),
            activations=(_format_of(np.array([largest]), activation_bits),) * len(signs),
            weights=tuple(_weights_of(limit, weight_bits) for limit in limits),
            target=error,
            error=error,
            rate=rate,
            random_bits=random_bits,
            loss=loss,
        )
        bias_formats = [product.bias_format for product in self.rule.products]
        self.memory = golden.Memory(
            _encode("Weights", self.rule.weights, weights),
            _encode("Biases", bias_formats, biases),
            seed_of(seed),
        )

    def fit(
        self,
        x: Any,
        y: Any,
        *,
        epochs: int = 1,
        rates: Sequence[int] | None = None,
        seed: int = 0,
    ) -> list[dict[str, float]]:
        """Learn from samples one by one; the same arguments give the same bits on every machine.

        Parameters
        ----------
        x : (frames, ...) array_like
        y : (frames,) or (frames, 1) array_like
            Real targets from -8 to below 8 for loss "mse"; labels 0 and 1 for "squared-hinge",
            whose targets are -1 and +1.
        epochs : int
            Passes over the samples.
        rates : sequence of int, optional
            Rate of each epoch in place of ``epochs`` and the rule's: one more halves the step,
            and what rounding and batches of one leave as noise.
        seed : int
            Seed of the order of the samples.

        Returns
        -------
        list of dict
            Of each epoch: ``loss``, the mean of half the squared error before each update;
            ``updates``, the share of samples with an error; ``clipped``, weights and biases that
            were held at an end of their format; ``saturated``, activations that were.

        Raises
        ------
        DataError
            If samples or targets do not fit the network, the formats or the loss.
        ProgramError
            If the epochs, the rates or the seed cannot be.
        FormatError
            If a rate is out of range.
        """
        check_count("Epochs", epochs, 1)
        check_count("Seed", seed, 0)
        if rates is not None and len(rates) == 0:
            raise ProgramError(f"Rates must be one or more, not {rates!r}")
        samples = self._samples(x)
        targets = self._targets(y, len(samples))
        rng, history = np.random.default_rng(seed), []
        for rate in [self.rule.rate] * epochs if rates is None else rates:
            rule = replace(self.rule, rate=rate)
            history.append(self._epoch(rule, samples, targets, rng.permutation(len(samples))))
        return history

    def forward(self, x: Any) -> NDArray[np.float64]:
        """Outputs (frames, 1) of samples (frames, ...), exact."""
        samples, fmt = self._samples(x), self.rule.products[-1].accumulator
        parts = [
            self.rule.forward(self.memory, self.rule.input.encode(samples[start : start + CHUNK]))
            for start in range(0, len(samples), CHUNK)
        ]
        return fmt.decode(np.concatenate([part.output for part in parts]))[:, None]

    def predict(self, x: Any) -> NDArray[np.int64]:
        """Class of each sample: 1 where the output is positive, else 0."""
        return (self.forward(x)[:, 0] > 0).astype(np.int64)

    def network(self) -> Network:
        """Network in floating point with the weights so far, exact but for biases beyond float32.

        :func:`spikewright.learn.rules.kickback.unsigned` prepares it for
        :func:`spikewright.quantize`.
        """
        layers: list[Layer] = list(self._network.layers)
        codes = zip(self.rule.products, self.memory.weights, self.memory.biases, strict=True)
        for place, (product, weight, bias) in zip(range(0, len(layers), 2), codes, strict=True):
            layers[place] = Dense(
                product.columns,
                product.rows,
                weight=product.weight_format.decode(weight),
                bias=product.bias_format.decode(bias),
            )
        return Network(layers, shape=self._network.shapes[0], seed=self._network.seed)

    def _epoch(
        self, rule: golden.Kickback, x: Array, targets: Codes, order: NDArray[np.int64]
    ) -> dict[str, float]:
        squares, changed, clipped, saturated = 0.0, 0, 0, 0
        for start in range(0, len(order), CHUNK):
            rows = order[start : start + CHUNK]
            for sample, target in zip(rule.input.encode(x[rows]), targets[rows], strict=True):
                step = rule.step(self.memory, sample, int(target))
                squares += (step.error * rule.error.lsb) ** 2
                changed += step.error != 0
                clipped += step.clipped
                saturated += step.saturated
        return {
            "loss": squares / 2 / len(order),
            "updates": changed / len(order),
            "clipped": clipped,
            "saturated": saturated,
        }

    def _samples(self, x: Any) -> Array:
        samples = self._network.check_samples(x)
        return _within("x", self.rule.input, samples, "scale it or calibrate on larger values")

    def _targets(self, y: Any, frames: int) -> Codes:
        values = array_of("y", y)
        if values.shape not in ((frames,), (frames, 1)) or values.dtype.kind not in "buif":
            raise DataError(f"y must hold {frames} numbers, one for each sample")
        values = values.reshape(-1).astype(np.float64)
        if self.rule.loss == "squared-hinge":
            if not np.isin(values, (0, 1)).all():
                raise DataError("y must hold labels 0 and 1 for loss squared-hinge")
            values = 2 * values - 1
        return self.rule.target.encode(_within("y", self.rule.target, values, "scale it"))


def _within(name: str, fmt: QFormat, values: Array, fix: str) -> Array:
    lo, hi = (fmt.lo - 0.5) * fmt.lsb, (fmt.hi + 0.5) * fmt.lsb
    outside = ~((values >= lo) & (values < hi))
    if outside.any():
        raise DataError(
            f"{name} must lie between {fmt.lo * fmt.lsb:g} and {fmt.hi * fmt.lsb:g}, what its "
            f"format {fmt} holds, not at {values[outside].ravel()[0]:g}: {fix}"
        )
    return values


def _format_of(values: Array, bits: int) -> QFormat:
    """Of so many bits for the largest magnitude; unsigned where nothing is negative."""
    signed, largest = bool(values.min() < 0), float(np.abs(values).max())
    # A value rounds up to at most twice its own power of two, which the next one holds.
    above = math.frexp(largest)[1] if largest else 0
    fmt = QFormat(width=bits, frac=bits - signed - above, signed=signed)
    if largest >= (fmt.hi + 0.5) * fmt.lsb:
        fmt = replace(fmt, frac=fmt.frac - 1)
    return fmt


def _limit(weight: Array) -> float:
    return max(1.0, 2.0 ** math.ceil(math.log2(max(2 * float(np.abs(weight).max()), 1e-9))))


def _weights_of(limit: float, bits: int) -> QFormat:
    mantissa, exponent = math.frexp(limit)
    if mantissa != 0.5:
        raise ProgramError(f"Weight limit must be a positive power of two, not {limit!r}")
    return QFormat(width=bits, frac=bits - exponent)


def _check_bits(what: str, bits: int, least: int, most: int) -> None:
    if not isinstance(bits, int | np.integer) or not least <= bits <= most:
        raise FormatError(f"{what} width must be between {least} and {most} bits, not {bits!r}")


def _encode(what: str, formats: Sequence[QFormat], arrays: Sequence[Array]) -> list[Codes]:
    """Refuse what is beyond a format's limit; what rounds up to the limit becomes the largest."""
    codes = []
    for layer, (fmt, values) in enumerate(zip(formats, arrays, strict=True)):
        limit, largest = -fmt.lo * fmt.lsb, float(np.abs(values).max())
        if largest > limit:
            raise FormatError(
                f"{what} of layer {layer} must lie below their limit of {limit:g}, not "
                f"{largest:.3g}: use a larger one"
            )
        codes.append(fmt.encode(np.minimum(values, fmt.hi * fmt.lsb)))
    return codes
