# SPDX-License-Identifier: Apache-2.0
"""A search for the narrowest widths, layer by layer, within an accuracy that the user gives up."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.aware import Aware, quantization_aware
from spikewright.learn.options import within
from spikewright.network import Network
from spikewright.scales import MAX_BITS, MIN_BITS, check_bits
from spikewright.sim.errors import DataError, FormatError

Tune = Callable[[Aware], object]
"""Trains a quantization-aware network a little, in place."""


@dataclass(frozen=True)
class Trial:
    """Widths that were tried.

    Attributes
    ----------
    weight_bits : tuple of int
        Of each layer with weights.
    activation_bits : tuple of int
        Of the input and of each activation.
    accuracy : float
        Of the integer program, 0 to 1.
    tuned : bool
        Whether it was trained with these widths.
    kept : bool
        Whether the search went on from here.
    """

    weight_bits: tuple[int, ...]
    activation_bits: tuple[int, ...]
    accuracy: float
    tuned: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Narrowest:
    """Outcome of :func:`narrowest`.

    Attributes
    ----------
    network : Aware
        With the widths found: ``quantize`` makes the program of it.
    float_accuracy : float
        Of the network in floating point, 0 to 1.
    trials : tuple of Trial
        In the order of the search; the last that was kept is the outcome.
    """

    network: Aware
    float_accuracy: float
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """What was found."""
        return [trial for trial in self.trials if trial.kept][-1]

    @property
    def weight_bits(self) -> tuple[int, ...]:
        """Of each layer with weights."""
        return self.best.weight_bits

    @property
    def activation_bits(self) -> tuple[int, ...]:
        """Of the input and of each activation."""
        return self.best.activation_bits

    @property
    def accuracy(self) -> float:
        """Of the integer program, 0 to 1."""
        return self.best.accuracy

    def table(self) -> str:
        """All trials as a Markdown table; points are percent lost against float."""
        lines = ["| weights | activations | accuracy (%) | lost (points) | tuned | kept |"]
        lines.append("|---|---|---|---|---|---|")
        for trial in self.trials:
            lost = 100 * (self.float_accuracy - trial.accuracy)
            cells = [
                " ".join(map(str, trial.weight_bits)),
                " ".join(map(str, trial.activation_bits)),
                f"{100 * trial.accuracy:.2f}",
                f"{lost:.2f}",
                "yes" if trial.tuned else "",
                "yes" if trial.kept else "",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


def narrowest(
    network: Network,
    x: Any,
    y: Any,
    *,
    calibrate: Any,
    budget: float,
    start: int = 8,
    least: int = MIN_BITS,
    activations: bool = True,
    per_channel: bool = False,
    tune: Tune | None = None,
) -> Narrowest:
    """Find narrow widths for each layer at which the integer program loses little accuracy.

    Greedy: from ``start`` bits everywhere, the one width is taken down by a bit that costs the
    least, until no more can be; a width that could not is not tried again. Each trial is measured
    on the quantization-aware network, whose outputs are the program's.

    Parameters
    ----------
    network : Network
        Trained; not changed.
    x : (frames, ...) array_like
        Validation samples, none of which were trained on.
    y : (frames,) array_like of int
    calibrate : (frames, ...) array_like
        Samples on which formats are chosen.
    budget : float
        Points (percent) of accuracy that may be lost against floating point, at least 0.
    start, least : int
        Widths to begin with and not to go below, 2 to 16.
    activations : bool
        Whether activations and input are narrowed as well as weights.
    per_channel : bool
        A weight scale for each output channel and not one for each layer.
    tune : callable, optional
        Called with a quantization-aware copy where no width can be taken down without training,
        such as ``lambda aware: fit(aware, x_train, y_train, epochs=1)``.

    Returns
    -------
    Narrowest

    Raises
    ------
    FormatError
        If a width is out of range, or ``least`` above ``start``.
    DataError
        If samples or labels do not fit, or the widths to begin with lose more than the budget.
    """
    check_bits("Weight", start)
    if not isinstance(least, int | np.integer) or not MIN_BITS <= least <= start:
        raise FormatError(f"Least width must be between {MIN_BITS} and {start} bits, not {least!r}")
    if not within(budget, 0, 100, "[]"):
        raise DataError(f"Budget must be between 0 and 100 points, not {budget!r}")
    samples = network.check_samples(x)
    labels = network.check_labels(y, len(samples))
    search = _Search(network, samples, labels, calibrate, budget, per_channel, tune)
    return search.run(start, least, activations)


class _Search:
    def __init__(
        self,
        network: Network,
        x: NDArray[np.float32],
        y: NDArray[np.int64],
        calibrate: Any,
        budget: float,
        per_channel: bool,
        tune: Tune | None,
    ):
        self.network, self.x, self.y, self.tune = copy.deepcopy(network), x, y, tune
        self.calibrate, self.per_channel, self.budget = calibrate, per_channel, budget
        self.reference = network.accuracy(x, y)
        # Half a sample of slack: shares of samples are not exact in floating point.
        self.wanted = self.reference - budget / 100 - 0.5 / len(y)
        self.trials: list[Trial] = []

    def run(self, start: int, least: int, activations: bool) -> Narrowest:
        """Search from ``start`` bits down to ``least``."""
        best = self._aware(self.network, start, start)
        count = len(best.formats.weight_bits)
        widths = [*best.formats.weight_bits, *best.formats.activation_bits]
        first = self._try(best)
        if not self._within(first) and self.tune is not None:
            best = self._aware(copy.deepcopy(self.network), start, start)
            self.tune(best)
            self.network, first = best.network, self._try(best, tuned=True)
        if not self._keep(first):
            lost = 100 * (self.reference - self.trials[first].accuracy)
            raise DataError(
                f"Widths of {start} bits lose {lost:.2f} points, more than the budget of "
                f"{self.budget:g}: begin with more bits (at most {MAX_BITS}), or give more points"
            )
        left = set(range(len(widths) if activations else count))
        while left := {place for place in left if widths[place] > least}:
            found = self._step(widths, count, left)
            if found is None:
                break
            place, best = found
            widths[place] -= 1
        return Narrowest(best, self.reference, tuple(self.trials))

    def _step(self, widths: list[int], count: int, left: set[int]) -> tuple[int, Aware] | None:
        """Take the width down that costs least; ``left`` loses those that cannot be."""

        def narrower(network: Network, place: int) -> Aware:
            bits = [width - (k == place) for k, width in enumerate(widths)]
            return self._aware(network, bits[:count], bits[count:])

        made = {place: narrower(self.network, place) for place in sorted(left)}
        tried = {place: self._try(aware) for place, aware in made.items()}
        order = sorted(made, key=lambda place: -self.trials[tried[place]].accuracy)
        if self._keep(tried[order[0]]):
            if self.tune is None:
                left.intersection_update(k for k in order if self._within(tried[k]))
            return order[0], made[order[0]]
        for place in order if self.tune is not None else []:
            trained = narrower(copy.deepcopy(self.network), place)
            if self.tune is not None:
                self.tune(trained)
            if self._keep(self._try(trained, tuned=True)):
                self.network = trained.network
                return place, trained
            left.discard(place)
        return None

    def _aware(
        self, network: Network, weights: int | Sequence[int], activations: int | Sequence[int]
    ) -> Aware:
        return quantization_aware(
            network,
            self.calibrate,
            weight_bits=weights,
            activation_bits=activations,
            per_channel=self.per_channel,
        )

    def _try(self, aware: Aware, *, tuned: bool = False) -> int:
        """Measure, and return the number of the trial."""
        formats, accuracy = aware.formats, aware.accuracy(self.x, self.y)
        self.trials.append(Trial(formats.weight_bits, formats.activation_bits, accuracy, tuned))
        return len(self.trials) - 1

    def _within(self, number: int) -> bool:
        return self.trials[number].accuracy >= self.wanted

    def _keep(self, number: int) -> bool:
        """Go on from a trial, if it is within the budget."""
        if not self._within(number):
            return False
        self.trials[number] = replace(self.trials[number], kept=True)
        return True
