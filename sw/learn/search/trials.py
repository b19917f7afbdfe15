# SPDX-License-Identifier: Apache-2.0
"""Trials of hyperparameters: trained, scored and sorted."""

import inspect
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.fit import fit
from spikewright.learn.options import check_count, check_name, within
from spikewright.learn.training.loop import DivergenceError, History, evaluate
from spikewright.learn.training.targets import prepare
from spikewright.network import Network
from spikewright.sim.errors import DataError, ProgramError

SCORES = ("accuracy", "loss")
"""What trials are compared by: the share of right classes, or minus the mean loss."""

OWN = ("progress", "checkpoint", "checkpoint_every", "resume")
"""Options of ``fit`` that are of one training, and of no search."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One point of the search.

    Attributes
    ----------
    params : dict of str to object
    score : float
        Mean over the folds of the accuracy, or of minus the loss: the higher the better. Minus
        infinity if training diverged.
    scores : tuple of float
        Of each fold.
    seconds : float
        Of all folds.
    error : str or None
        The sentence of a training that diverged.
    """

    params: dict[str, Any]
    score: float
    scores: tuple[float, ...]
    seconds: float
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a search found.

    Attributes
    ----------
    trials : list of Trial
        Best first; equal ones in the order of the search.
    network : Network
        Trained with the best parameters on all samples.
    history : list of dict
        Of that training.
    """

    trials: list[Trial]
    network: Network
    history: History

    @property
    def best(self) -> Trial:
        """Trial of the highest score."""
        return self.trials[0]

    def table(self) -> list[dict[str, Any]]:
        """Trials as rows: the parameters by name, the score and the seconds."""
        return [{**t.params, "score": t.score, "seconds": t.seconds} for t in self.trials]


class Search(ABC):
    """What searches share that differ in the points they try.

    Parameters
    ----------
    make : callable
        Makes a network of those options that it takes by name, such as ``Network.from_spec``.
    names : sequence of str
        Options that are searched.
    share : float
        Of the samples, drawn at random, that score the trials and are not trained on.
    folds : int, optional
        Instead of the share: each of so many parts scores once, trained on the others.
    score : {"accuracy", "loss"}, optional
        "accuracy" for labels and "loss" for other targets if not given.
    seed : int
        Of the parts, of what is drawn and, unless it is searched, of the weights and the training.
    progress : callable, optional
        Called with the trials done and their total.
    **fixed
        Options that are the same in all trials. As those that are searched they go to ``make``,
        to :func:`~spikewright.learn.fit.fit`, or to both if both take one of this name. Unlike
        there, ``validation`` is 0 by default.

    Raises
    ------
    ProgramError
        If an option is unknown or wrong.
    """

    def __init__(
        self,
        make: Callable[..., Network],
        names: Sequence[str],
        *,
        share: float = 0.2,
        folds: int | None = None,
        score: str | None = None,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
        **fixed: Any,
    ):
        self.make, self.share, self.folds, self.seed = make, share, folds, seed
        self.progress, self.fixed = progress, {"validation": 0.0, "seed": seed, **fixed}
        # Means of different losses tell nothing.
        self.score = "accuracy" if score is None and "loss" in names else score
        self._making, self._fitting = _options(make), [n for n in _options(fit) if n not in OWN]
        for name in [*names, *fixed]:
            known = dict.fromkeys([*self._making, *self._fitting])
            check_name("Option of a search", name, list(known))
        for name in names:
            if name in fixed:
                raise ProgramError(f"Option {name} must be either searched or fixed, not both")
        for name in _needed(make):
            if name not in [*names, *fixed]:
                raise ProgramError(f"Option {name} of the network must be searched or fixed")
        if score is not None:
            check_name("Score", score, SCORES)
        if score == "loss" and "loss" in names:
            raise ProgramError("Different losses cannot be compared: search by accuracy")
        check_count("Seed", seed, 0)
        check_count("Folds", 2 if folds is None else folds, 2)
        if not within(share, 0, 1, "()"):
            raise ProgramError(f"Share of the samples must be between 0 and 1, not {share!r}")

    @abstractmethod
    def points(self) -> list[dict[str, Any]]:
        """Parameters of every trial, in their order."""

    def run(self, x: Any, y: Any) -> Outcome:
        """Try every point, and train with the best on all samples.

        Parameters
        ----------
        x, y : array_like
            As for :func:`~spikewright.learn.fit.fit`.

        Raises
        ------
        DataError
            If samples or labels do not fit, are fewer than the folds, or every trial diverged.
        ProgramError
            If the value of an option is wrong.
        """
        x, y = np.asarray(x), np.asarray(y)
        if x.shape[:1] != y.shape[:1]:
            raise DataError(f"x and y must be of one length, not {len(x)} and {len(y)}")
        parts, points = list(self._parts(len(x))), self.points()
        trials = []
        for done, params in enumerate(points, 1):
            trials.append(self._try(params, x, y, parts))
            if self.progress is not None:
                self.progress(done, len(points))
        trials.sort(key=lambda trial: -trial.score)
        if trials[0].error is not None:
            raise DataError(f"Every trial diverged, the first so: {trials[0].error}")
        network, history = self._train(trials[0].params, x, y)
        return Outcome(trials=trials, network=network, history=history)

    def _parts(self, length: int) -> Iterator[tuple[Rows, Rows]]:
        """Rows to train on, and rows that score."""
        order = np.random.default_rng([self.seed, 1]).permutation(length)
        if self.folds is None:
            held = math.ceil(self.share * length)
            parts = [order[:held]]
        else:
            parts = np.array_split(order, self.folds)
        if any(not 0 < len(part) < length for part in parts):
            raise DataError(f"{length} samples are too few for {len(parts)} parts that score")
        for part in parts:
            yield np.setdiff1d(order, part, assume_unique=True), part

    def _try(
        self, params: dict[str, Any], x: Any, y: Any, parts: Sequence[tuple[Rows, Rows]]
    ) -> Trial:
        started, scores, error = time.perf_counter(), [], None
        for rows, held in parts:
            try:
                network, _ = self._train(params, x[rows], y[rows])
                scores.append(self._score(network, params, x[held], y[held]))
            except DivergenceError as diverged:
                scores.append(-math.inf)
                error = str(diverged)
        seconds = time.perf_counter() - started
        mean = sum(scores) / len(scores)
        return Trial(params=params, score=mean, scores=tuple(scores), seconds=seconds, error=error)

    def _train(self, params: dict[str, Any], x: Any, y: Any) -> tuple[Network, History]:
        options = {**self.fixed, **params}
        network = self.make(**{k: v for k, v in options.items() if k in self._making})
        chosen = {k: v for k, v in options.items() if k in self._fitting}
        return network, fit(network, x, y, **chosen)

    def _score(self, network: Network, params: dict[str, Any], x: Any, y: Any) -> float:
        options = {"loss": "cross-entropy", "loss_options": {}, **self.fixed, **params}
        name, samples = options["loss"], network.check_samples(x)
        targets = prepare(network, y, len(samples), name)
        loss, accuracy = evaluate(network, samples, targets, name, options["loss_options"] or {})
        if accuracy is None and y.ndim == 1 and network.n_out > 1:
            accuracy = network.accuracy(x, y)
        if self.score == "loss" or (self.score is None and accuracy is None):
            return -loss if math.isfinite(loss) else -math.inf
        if accuracy is None:
            raise DataError("Score accuracy needs labels as y, and these are other targets")
        return accuracy


def _options(function: Callable[..., Any]) -> list[str]:
    """Options that a function takes by name; of ``fit`` those that it takes only so."""
    kinds = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    if function is fit:
        kinds.remove(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds]


def _needed(make: Callable[..., Any]) -> list[str]:
    """Options that cannot be left out."""
    empty, known = inspect.Parameter.empty, inspect.signature(make).parameters
    return [n for n in _options(make) if known[n].default is empty]
