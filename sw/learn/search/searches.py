# SPDX-License-Identifier: Apache-2.0
"""Search for hyperparameters: every point of a grid, or points drawn at random."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spikewright.learn.options import check_count, choices
from spikewright.learn.search.distributions import Distribution, choice
from spikewright.learn.search.trials import Search
from spikewright.network import Network
from spikewright.sim.errors import ProgramError


class GridSearch(Search):
    """Every combination of given values.

    Parameters
    ----------
    make : callable
        See :class:`~spikewright.learn.search.trials.Search`.
    grid : mapping of str to sequence
        Values of each option that is searched; the last varies fastest.
    share, folds, score, seed, progress, **fixed
        See :class:`~spikewright.learn.search.trials.Search`.

    Raises
    ------
    ProgramError
        If the grid is empty, or an option is unknown or wrong.

    Examples
    --------
    >>> x, y = np.eye(4)[[0, 1, 2, 3] * 10], [0, 1, 0, 1] * 10
    >>> grid = {"spec": ["4-8-2"], "learning_rate": [1e-6, 0.01]}
    >>> GridSearch(Network.from_spec, grid, epochs=30).run(x, y).best.params
    {'spec': '4-8-2', 'learning_rate': 0.01}
    """

    def __init__(
        self, make: Callable[..., Network], grid: Mapping[str, Sequence[Any]], **options: Any
    ):
        if not grid:
            raise ProgramError("Grid must name at least one option, and it is empty")
        for name, values in grid.items():
            if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
                raise ProgramError(f"Grid must have a list of values of {name}, not {values!r}")
            if not len(values):
                raise ProgramError(f"Grid must have at least one value of {name}")
        super().__init__(make, list(grid), **options)
        # NumPy's integers are no int, which options must be.
        self.grid = {
            k: v.tolist() if isinstance(v, np.ndarray) else list(v) for k, v in grid.items()
        }

    def points(self) -> list[dict[str, Any]]:
        combinations = itertools.product(*self.grid.values())
        return [dict(zip(self.grid, values, strict=True)) for values in combinations]


class RandomSearch(Search):
    """Points drawn at random, each option by itself.

    With as many trials it finds better ones than a grid where few of the options matter (Bergstra
    and Bengio, Random search for hyper-parameter optimization, 2012).

    Parameters
    ----------
    make : callable
        See :class:`~spikewright.learn.search.trials.Search`.
    space : mapping of str to Distribution or sequence
        Of each option: :func:`~spikewright.learn.search.distributions.log_uniform`,
        :func:`~spikewright.learn.search.distributions.uniform`,
        :func:`~spikewright.learn.search.distributions.choice` or a list to choose from.
    trials : int
        Number of points; the first are the same whatever it is.
    share, folds, score, seed, progress, **fixed
        See :class:`~spikewright.learn.search.trials.Search`.

    Raises
    ------
    ProgramError
        If the space is empty, or an option is unknown or wrong.
    """

    def __init__(
        self,
        make: Callable[..., Network],
        space: Mapping[str, Distribution | Sequence[Any]],
        *,
        trials: int = 20,
        **options: Any,
    ):
        if not space:
            raise ProgramError("Space must name at least one option, and it is empty")
        check_count("Trials", trials, 1)
        self.space = {name: _distribution(name, values) for name, values in space.items()}
        self.trials = trials
        super().__init__(make, list(space), **options)

    def points(self) -> list[dict[str, Any]]:
        rng = np.random.default_rng(self.seed)
        return [
            {name: distribution(rng) for name, distribution in self.space.items()}
            for _ in range(self.trials)
        ]


def _distribution(name: str, values: Any) -> Distribution:
    if isinstance(values, Sequence) and not isinstance(values, str):
        return choice(values)
    if not callable(values):
        kinds = choices(["log_uniform", "uniform", "choice", "a list"])
        raise ProgramError(f"Space of {name} must be {kinds}, not {values!r}")
    made: Distribution = values
    return made
