# SPDX-License-Identifier: Apache-2.0
"""Solvers of Nengo's, as ours or in our form."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.nef.decoders import solvers
from spikewright.nef.nengo.reading import is_exactly

Array = NDArray[np.float64]


class Foreign:
    """A solver of Nengo's kind, a function of rates, values and a generator.

    Parameters
    ----------
    solver : nengo.solvers.Solver
    seed : int
    """

    weights = False

    def __init__(self, solver: Any, seed: int):
        self._solver, self._seed = solver, seed

    def solve(self, rates: ArrayLike, targets: ArrayLike) -> Array:
        """Decoders (neurons, outputs)."""
        rng = np.random.RandomState(self._seed)
        a, y = np.array(rates, np.float64), np.array(targets, np.float64)
        return np.asarray(self._solver(a, y, rng=rng)[0], np.float64)


class Given:
    """Decoders that are known.

    Parameters
    ----------
    decoders : (neurons, outputs) ndarray
    """

    weights = False

    def __init__(self, decoders: Array):
        self.decoders = decoders

    def solve(self, rates: ArrayLike, targets: ArrayLike) -> Array:
        """Return them."""
        return self.decoders


OURS = {
    "LstsqL2": ("reg",),
    "Lstsq": ("rcond",),
    "LstsqL1": ("l1", "l2"),
    "Nnls": (),
}
"""Nengo's solvers whose problem is that of one of ours, and their options."""


def solver_of(solver: Any, seed: int) -> solvers.Solver:
    """A solver with ``solve``, whatever it says of weights."""
    name = type(solver).__name__
    if is_exactly(solver, *OURS):
        options = {option: float(getattr(solver, option)) for option in OURS[name]}
        ours: solvers.Solver = getattr(solvers, name)(**options)
        return ours
    if is_exactly(solver, "NoSolver") and solver.values is not None:
        return Given(np.array(solver.values, np.float64))
    return Foreign(solver, seed)
