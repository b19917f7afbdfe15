# SPDX-License-Identifier: Apache-2.0
"""Solvers of decoders: what a population's rates say of the vector it represents.

Of ``A``, rates in Hz (samples, neurons), and ``Y``, the values wanted (samples, outputs), each
finds decoders ``D`` (neurons, outputs) in value per Hz with ``A D`` near ``Y``. Names and the
meaning of options are Nengo's.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from spikewright.learn.options import check_name, within
from spikewright.nef.decoders import solving
from spikewright.nef.decoders.active_set import sparse_decoders
from spikewright.nef.decoders.solving import FIX, Array, check_rank, check_silent, checked, size_of
from spikewright.sim.errors import DataError, ProgramError

ITERATED = {"refined": solving.refined, "pcg": solving.sketched}
METHODS = ("auto", "cholesky", "refined", "pcg", "svd")
"""Ways to the same decoders, see :class:`LstsqL2`."""


class Solver(Protocol):
    """What solves decoders.

    ``weights`` says that a connection wants the full matrix from neurons to neurons, in place of
    decoders and encoders; it changes nothing in ``solve``.
    """

    @property
    def weights(self) -> bool:
        """Whether a connection wants full weights."""

    def solve(self, rates: ArrayLike, targets: ArrayLike) -> Array:
        """Decoders (neurons, outputs)."""


@dataclass(frozen=True)
class LstsqL2:
    """Least squares with a penalty on the length of the decoders.

    ``D = argmin ||A D - Y||^2 + M s^2 ||D||^2``, ``s = reg max(A)``, of ``M`` samples: the best
    decoders for rates with noise of the standard deviation ``s`` (Eliasmith and Anderson, Neural
    Engineering, 2003, 2.2).

    Parameters
    ----------
    reg : float
        Standard deviation of the noise, relative to the highest rate. Larger = smaller decoders,
        which fixed point can hold.
    method : str
        ``"cholesky"``: normal equations in float64 on the smaller side, neurons or samples.
        ``"pcg"``: conjugate gradients with a random sketch as preconditioner, which read the rates
        some ten times instead of multiplying them with each other. ``"refined"``: a Cholesky factor
        in float32 that conjugate gradients make exact. ``"svd"``: singular values, slow and the
        most exact. ``"pcg"`` and ``"refined"`` guarantee a relative difference to the exact
        decoders of 1e-6, by their residual. ``"auto"``: what is fastest, which is ``"pcg"`` where
        the smaller side is at least 300 and 100 times the outputs, and ``reg`` at least 0.02;
        ``"refined"`` where it is 1000 and 300 times, and ``reg`` at least 0.005; ``"cholesky"``
        otherwise, or where those do not converge; ``"svd"`` without regularisation.
    weights : bool
        See :class:`Solver`.

    Raises
    ------
    ProgramError
        If an option is out of range.

    Examples
    --------
    >>> LstsqL2(reg=0.0).solve([[1.0, 0.0], [0.0, 2.0]], [[3.0], [4.0]])
    array([[3.],
           [2.]])
    """

    reg: float = 0.1
    method: str = "auto"
    weights: bool = False

    def __post_init__(self) -> None:
        _check("LstsqL2's reg", self.reg)
        check_name("LstsqL2's method", self.method, METHODS)
        if self.reg == 0 and self.method in ITERATED:
            raise ProgramError(
                f"LstsqL2's method {self.method!r} needs a reg above 0, not {self.reg!r}: use 'svd'"
            )

    def solve(self, rates: ArrayLike, targets: ArrayLike) -> Array:
        """Decoders (neurons, outputs).

        Parameters
        ----------
        rates : (samples, neurons) array_like
            In Hz.
        targets : (samples, outputs) array_like

        Raises
        ------
        DataError
            If the arrays do not fit together or are not finite, no neuron fires, the rates leave
            decoders open, or a method does not converge.
        """
        a, y, peak = checked(rates, targets)
        if self.reg == 0:
            check_silent(a)
        penalty = len(a) * (self.reg * peak) ** 2
        method = self._method(a.shape, y.shape[1])
        if method == "svd":
            decoders, rank = solving.svd(a, y, penalty)
            if self.reg == 0:
                check_rank(a, rank)
            return decoders
        if method in ITERATED:
            found = ITERATED[method](a, y, penalty, peak)
            if found is not None:
                return found
            if self.method != "auto":
                raise DataError(
                    f"Method {method!r} does not converge for {size_of(a)} at reg of "
                    f"{self.reg!r}: use a larger reg or method 'cholesky'"
                )
        found = solving.cholesky(a, y, penalty)
        if self.reg == 0 and (found is None or len(a) < a.shape[1]):
            check_rank(a, int(np.linalg.matrix_rank(a)))
        if found is None:
            raise DataError(
                f"Normal equations of {size_of(a)} are singular at reg of {self.reg!r}: {FIX}"
            )
        return found

    def _method(self, shape: tuple[int, ...], outputs: int) -> str:
        """The method that is meant for rates of a shape."""
        if self.method != "auto":
            return self.method
        side = min(shape)
        if self.reg == 0:
            return "svd"
        if side >= max(300, 100 * outputs) and self.reg >= 0.02:
            return "pcg"
        if side >= max(1000, 300 * outputs) and 0.005 <= self.reg < 0.02:
            return "refined"
        return "cholesky"


@dataclass(frozen=True)
class Lstsq:
    """Least squares without a penalty: ``D = argmin ||A D - Y||^2``, by singular values.

    Parameters
    ----------
    rcond : float
        Singular values below ``rcond`` times the largest count as zero.
    weights : bool
        See :class:`Solver`.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """

    rcond: float = 0.01
    weights: bool = False

    def __post_init__(self) -> None:
        if not within(self.rcond, 0, 1):
            raise ProgramError(f"Lstsq's rcond must be at least 0 and below 1, not {self.rcond!r}")

    def solve(self, rates: ArrayLike, targets: ArrayLike) -> Array:
        """Decoders (neurons, outputs).

        Raises
        ------
        DataError
            As of :meth:`LstsqL2.solve`; rates whose rank is below the neurons are refused, whatever
            ``rcond`` is.
        """
        a, y, _ = checked(rates, targets)
        check_silent(a)
        decoders, _, _, values = np.linalg.lstsq(a, y, rcond=self.rcond)
        check_rank(a, solving.rank_of(np.asarray(values, np.float64), a.shape))
        return np.asarray(decoders, np.float64)


@dataclass(frozen=True)
class LstsqL1:
    """Least squares with few decoders that are not zero, the elastic net of Zou and Hastie (2005).

    ``D = argmin ||A D - Y||^2 / (2 M) + l1 p |D|_1 + l2 p^2 ||D||^2 / 2``, of ``M`` samples, with
    ``p = max(A)``. The minimum is found exactly, by its active set, output by output.

    Parameters
    ----------
    l1, l2 : float
        Prices of the decoders' sum and of their squares. Larger = fewer, or smaller.
    weights : bool
        See :class:`Solver`.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """

    l1: float = 1e-4
    l2: float = 1e-6
    weights: bool = False

    def __post_init__(self) -> None:
        _check("LstsqL1's l1", self.l1)
        _check("LstsqL1's l2", self.l2)

    def solve(self, rates: ArrayLike, targets: ArrayLike) -> Array:
        """Decoders (neurons, outputs), most of them zero; raises as :meth:`Nnls.solve`."""
        a, y, peak = checked(rates, targets)
        penalty, l1 = len(a) * self.l2 * peak**2, len(a) * self.l1 * peak
        return sparse_decoders(a, y, penalty, l1=l1, signs=(1, -1))


@dataclass(frozen=True)
class Nnls:
    """Least squares with decoders that are not negative: ``argmin ||A D - Y||^2``, ``D >= 0``.

    Neurons that the others make superfluous get zero.

    Parameters
    ----------
    weights : bool
        See :class:`Solver`.
    """

    weights: bool = False

    def solve(self, rates: ArrayLike, targets: ArrayLike) -> Array:
        """Decoders (neurons, outputs), none negative.

        Raises
        ------
        DataError
            If the arrays do not fit together or are not finite, or no neuron fires.
        """
        a, y, _ = checked(rates, targets)
        return sparse_decoders(a, y, 0.0, l1=0.0, signs=(1,))


@dataclass(frozen=True)
class NnlsL2:
    """The least squares of :class:`LstsqL2` with decoders that are not negative.

    ``D = argmin ||A D - Y||^2 + M s^2 ||D||^2``, ``s = reg max(A)``, ``D >= 0``. Nengo's solver of
    this name minimises the residual of the normal equations instead, which is another problem.

    Parameters
    ----------
    reg : float
        Standard deviation of the noise, relative to the highest rate.
    weights : bool
        See :class:`Solver`.

    Raises
    ------
    ProgramError
        If an option is out of range.
    """

    reg: float = 0.1
    weights: bool = False

    def __post_init__(self) -> None:
        _check("NnlsL2's reg", self.reg)

    def solve(self, rates: ArrayLike, targets: ArrayLike) -> Array:
        """Decoders (neurons, outputs), none negative; raises as :meth:`Nnls.solve`."""
        a, y, peak = checked(rates, targets)
        return sparse_decoders(a, y, len(a) * (self.reg * peak) ** 2, l1=0.0, signs=(1,))


def rmse(rates: ArrayLike, decoders: ArrayLike, targets: ArrayLike) -> float:
    """Root of the mean square of ``A D - Y``, over all samples and outputs.

    >>> rmse([[2.0], [0.0]], [[1.0]], [[2.0], [1.0]])
    0.7071067811865476
    """
    a, d, y = (np.asarray(array, np.float64) for array in (rates, decoders, targets))
    error = a @ d - y
    return math.sqrt(float(np.mean(error * error)))


def _check(what: str, value: float) -> None:
    if not within(value, 0, math.inf):
        raise ProgramError(f"{what} must be at least 0 and finite, not {value!r}")
