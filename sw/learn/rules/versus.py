# SPDX-License-Identifier: Apache-2.0
"""Several classes by rules with one output: a network for each class against the rest."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.data import labels
from spikewright.learn.fit import fit
from spikewright.learn.options import check_count
from spikewright.learn.rules.online import OnlineKickback
from spikewright.network import Network
from spikewright.sim.errors import DataError, ProgramError

Member = Network | OnlineKickback
"""What tells one class from the rest by one output."""


class OneVersusRest:
    """One network for each class; the class is that of the largest output.

    Kickback has a single global error and so a single output: here each class has its own.

    Parameters
    ----------
    make_network : callable
        From a class to its :class:`~spikewright.network.Network` or
        :class:`~spikewright.learn.rules.online.OnlineKickback`, with one output. Give each its own
        seed, or all begin alike.
    classes : int
        At least 2.

    Raises
    ------
    ProgramError
        If there are fewer classes, or a network has several outputs.

    Examples
    --------
    >>> from spikewright.learn.layers import Dense, SignedRelu
    >>> def make(k):
    ...     layers = [Dense(2, 4), SignedRelu.alternating(4), Dense(4, 1)]
    ...     return Network(layers, initialiser="coherent", seed=k)
    >>> OneVersusRest(make, 3).forward(np.zeros((5, 2))).shape
    (5, 3)
    """

    def __init__(self, make_network: Callable[[int], Member], classes: int):
        check_count("Classes", classes, 2)
        self.members = [make_network(k) for k in range(classes)]
        """Of each class, in order."""
        for k, member in enumerate(self.members):
            if isinstance(member, Network) and member.n_out != 1:
                raise ProgramError(
                    f"Network of class {k} must have one output, not {member.n_out}: the class "
                    "against the rest"
                )

    def fit(self, x: Any, y: Any, **options: Any) -> list[list[Any]]:
        """Train each member to tell its class from the rest.

        Parameters
        ----------
        x : (frames, ...) array_like
        y : (frames,) array_like of int
            Classes, counted from 0.
        **options
            Of :func:`spikewright.learn.fit.fit`, where the rule is "kickback" and the loss
            "bernoulli" if not given, or of :meth:`OnlineKickback.fit`.

        Returns
        -------
        list of list
            History of each member.

        Raises
        ------
        DataError
            If samples or labels do not fit.
        ProgramError
            If an option is wrong.
        """
        for name in ("checkpoint", "resume"):
            if name in options:
                raise ProgramError(
                    f"Option {name} must be left out: it names one file, and there is a network "
                    "for each class"
                )
        classes = labels("y", y, len(self.members))
        histories: list[list[Any]] = []
        for k, member in enumerate(self.members):
            mine = classes == k
            if isinstance(member, OnlineKickback):
                targets = _targets(mine, member.rule.loss)
                histories.append([*member.fit(x, targets, **options)])
            else:
                settings = {"rule": "kickback", "loss": "bernoulli", **options}
                targets = _targets(mine, settings["loss"])
                histories.append([*fit(member, x, targets, **settings)])
        return histories

    def forward(self, x: Any) -> NDArray[np.floating[Any]]:
        """Outputs (frames, classes) of samples (frames, ...)."""
        return np.concatenate([member.forward(x) for member in self.members], axis=1)

    def predict(self, x: Any) -> NDArray[np.int64]:
        """Class of each sample: the largest output, the lowest class among equals."""
        return np.asarray(self.forward(x).argmax(axis=1), np.int64)

    def accuracy(self, x: Any, y: Any) -> float:
        """Share of samples (0 to 1) whose class is predicted."""
        predicted = self.predict(x)
        classes = labels("y", y, len(self.members))
        if len(classes) != len(predicted):
            raise DataError(f"y must hold {len(predicted)} labels, not {len(classes)}")
        return float(np.mean(predicted == classes))


def _targets(mine: NDArray[np.bool_], loss: str) -> NDArray[np.float32]:
    """Labels 0 and 1, or for squares -1 and +1: outputs of all networks then have one scale."""
    return (2 * mine - 1 if loss == "mse" else mine).astype(np.float32)
