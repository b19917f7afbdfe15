# SPDX-License-Identifier: Apache-2.0
"""Numerics of decoders: least squares with a penalty on the length.

Everything is NumPy, whose wheels bring one BLAS; a second one beside it, SciPy's, makes two pools
of threads that wait for each other.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.sim.errors import DataError

Array = NDArray[np.float64]
Operator = Callable[[Array], Array]

FIX = "use LstsqL2 with reg of 0.01 or more"
TOLERANCE = 1e-6
"""Relative difference to the exact decoders that iterations guarantee before they end."""
MOST_ITERATIONS = 100
BLOCK = 1 << 17
"""Rates per block: 1 MiB in float64, so that the second product finds it in the cache."""
TRIANGLE = 128
"""Rows of a block of triangular substitution."""


def checked(rates: ArrayLike, targets: ArrayLike) -> tuple[Array, Array, float]:
    """Rates and targets as float64, and the highest rate.

    Raises
    ------
    DataError
        If they do not fit together or are not finite, or no neuron fires.
    """
    a, y = _numbers("Rates", rates), _numbers("Targets", targets)
    if a.ndim != 2 or not a.size:
        raise DataError(f"Rates must be (samples, neurons), at least one of each, not {a.shape}")
    if y.ndim != 2 or len(y) != len(a) or not y.size:
        raise DataError(f"Targets must be ({len(a)}, outputs), as many as rates, not {y.shape}")
    peak = float(a.max())
    if peak <= 0:
        raise DataError(
            f"None of {a.shape[1]} neurons fires at any of {len(a)} samples: look at the "
            "intercepts, which must be below what the samples reach"
        )
    return a, y, peak


def check_silent(a: Array) -> None:
    """Refuse rates of neurons that never fire."""
    silent = np.flatnonzero(~a.any(axis=0))
    if len(silent):
        raise DataError(
            f"{len(silent)} of {a.shape[1]} neurons never fire at {len(a)} samples, the first of "
            f"them neuron {silent[0]}: {FIX}"
        )


def check_rank(a: Array, rank: int) -> None:
    """Refuse rates whose rank leaves decoders open."""
    if rank < a.shape[1]:
        raise DataError(f"Rates of {size_of(a)} have rank {rank} of {a.shape[1]}: {FIX}")


def size_of(a: Array) -> str:
    """Neurons and samples, as sentences say it."""
    return f"{a.shape[1]} neurons at {len(a)} samples"


def cholesky(rates: Array, targets: Array, penalty: float) -> Array | None:
    """Minimum of ``||A D - Y||^2 + penalty ||D||^2`` by a Cholesky factor in float64.

    ``D = (A^T A + penalty)^-1 A^T Y``, or of fewer samples than neurons ``A^T (A A^T +
    penalty)^-1 Y``, which is the same.

    Parameters
    ----------
    rates : (samples, neurons) ndarray
    targets : (samples, outputs) ndarray
    penalty : float

    Returns
    -------
    (neurons, outputs) ndarray or None
        None where the matrix is singular in float64.
    """
    dual = rates.shape[0] < rates.shape[1]
    factor = factor_of(rates @ rates.T if dual else rates.T @ rates, penalty)
    if factor is None:
        return None
    found: Array = substitute(factor, targets if dual else rates.T @ targets)
    return rates.T @ found if dual else found


def svd(rates: Array, targets: Array, penalty: float) -> tuple[Array, int]:
    """Minimum of ``||A D - Y||^2 + penalty ||D||^2`` by singular values, and the rank of ``A``."""
    u, values, vt = np.linalg.svd(rates, full_matrices=False)
    rank = rank_of(values, rates.shape)
    weights = np.zeros_like(values)
    weights[:rank] = values[:rank] / (values[:rank] ** 2 + penalty)
    return vt.T @ (weights[:, None] * (u.T @ targets)), rank


def rank_of(values: Array, shape: tuple[int, ...]) -> int:
    """How many of a matrix's singular values, in descending order, are more than rounding."""
    return int((values > values[0] * max(shape) * np.finfo(np.float64).eps).sum())


def refined(rates: Array, targets: Array, penalty: float, peak: float) -> Array | None:
    """The same with a Cholesky factor in float32, made exact by iterations in float64.

    The factor takes half the time of one in float64. It preconditions conjugate gradients, which
    refine where the plain correction ``D += (L L^T)^-1 residual`` would diverge.

    Parameters
    ----------
    rates, targets, penalty
        See :func:`cholesky`.
    peak : float
        Largest rate; what is rounded to float32 is relative to it, so that no unit overflows.

    Returns
    -------
    (neurons, outputs) ndarray or None
        None where iterations do not converge.
    """
    dual = rates.shape[0] < rates.shape[1]
    small = (rates * (1 / peak)).astype(np.float32)
    relative = penalty / peak**2
    factor = factor_of(small @ small.T if dual else small.T @ small, relative)
    if factor is None:
        return None

    def precondition(residual: Array) -> Array:
        # Of fewer samples than neurons, (A^T A + p)^-1 = (1 - A^T (A A^T + p)^-1 A) / p.
        rounded = residual.astype(np.float32)
        inner = substitute(factor, small @ rounded if dual else rounded)
        corrected: Array = (residual - small.T @ inner) / relative if dual else inner
        return corrected.astype(np.float64, copy=False)

    return conjugate_gradients(rates, targets, penalty, precondition)


def sketched(
    rates: Array, targets: Array, penalty: float, peak: float, *, seed: int = 0
) -> Array | None:
    """The same by conjugate gradients, preconditioned with the largest directions of the rates.

    Rates of neurons with smooth tuning curves have few directions above the penalty. A random
    sketch of ``r = 2 sqrt(min(neurons, samples))`` vectors finds them in float32 with two products,
    ``A^T (A Omega)``, which is all that is done at more than the cost of reading ``A``.

    Parameters
    ----------
    rates, targets, penalty, peak
        See :func:`refined`, and for what is returned.
    seed : int
        Of the random sketch, on which decoders do not depend beyond the tolerance.

    References
    ----------
    .. [1] Z. Frangella, J. A. Tropp and M. Udell, "Randomized Nyström preconditioning", SIAM J.
       Matrix Anal. Appl. 44(2), 2023.
    """
    try:
        vectors, values = _nystrom(rates, peak, seed)
    except np.linalg.LinAlgError:
        return None
    relative = penalty / peak**2
    weights = (values[0] + relative) / (values + relative) - 1

    def precondition(residual: Array) -> Array:
        corrected: Array = residual + vectors @ (weights[:, None] * (vectors.T @ residual))
        return corrected

    return conjugate_gradients(rates, targets, penalty, precondition)


def conjugate_gradients(
    rates: Array, targets: Array, penalty: float, precondition: Operator
) -> Array | None:
    """Solve ``(A^T A + penalty) D = A^T Y``, column by column of ``Y`` at once.

    No eigenvalue is below the penalty, so ``||D - exact|| <= ||residual|| / penalty``: that bound,
    and in the end that of the residual computed anew, is what :data:`TOLERANCE` is compared with.

    Returns None where the bound is not reached in :data:`MOST_ITERATIONS`.
    """
    tiny = np.finfo(np.float64).tiny
    wanted = np.zeros((rates.shape[1], targets.shape[1]))
    for part, samples in _blocks(rates):
        wanted += part.T @ targets[samples]
    solution, residual = np.zeros_like(wanted), wanted.copy()
    direction = np.zeros_like(wanted)
    before = np.full(wanted.shape[1], np.inf)
    for _ in range(MOST_ITERATIONS):
        if _reached(residual, solution, penalty):
            break
        corrected = precondition(residual)
        now = (residual * corrected).sum(axis=0)
        direction = corrected + now / np.maximum(before, tiny) * direction
        image = _apply(rates, direction, penalty)
        length = now / np.maximum((direction * image).sum(axis=0), tiny)
        solution += length * direction
        residual -= length * image
        before = now
    exact = wanted - _apply(rates, solution, penalty)
    return solution if _reached(exact, solution, penalty) else None


def factor_of(matrix: NDArray[Any], penalty: float) -> NDArray[Any] | None:
    """Lower Cholesky factor of a matrix, to whose diagonal the penalty is added in place.

    None where the matrix has no more than rounding in some direction.
    """
    matrix.flat[:: len(matrix) + 1] += penalty
    try:
        factor = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return None
    pivots = factor.diagonal() ** 2
    rounding = len(matrix) * np.finfo(np.float64).eps
    return factor if pivots.min() > rounding * pivots.max() else None


def substitute(factor: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Solve ``L L^T x = wanted`` in blocks, of which matrix products are nearly all the work."""
    x: NDArray[Any] = wanted.copy()
    starts = range(0, len(factor), TRIANGLE)
    for start in starts:
        block = slice(start, start + TRIANGLE)
        x[block] -= factor[block, :start] @ x[:start]
        x[block] = np.linalg.solve(factor[block, block], x[block])
    for start in reversed(starts):
        block, after = slice(start, start + TRIANGLE), start + TRIANGLE
        x[block] -= factor[after:, block].T @ x[after:]
        x[block] = np.linalg.solve(factor[block, block].T, x[block])
    return x


def _nystrom(rates: Array, peak: float, seed: int) -> tuple[Array, Array]:
    """Largest eigenvectors and eigenvalues, ascending, of ``A^T A / peak^2``, approximately."""
    neurons, side = rates.shape[1], min(rates.shape)
    rank = min(side, math.ceil(2 * math.sqrt(side)))
    sketch = np.random.default_rng(seed).standard_normal((neurons, rank), np.float32)
    image = np.zeros((neurons, rank))
    for part, _ in _blocks(rates, 4 * BLOCK):
        small = (part * (1 / peak)).astype(np.float32)
        image += small.T @ (small @ sketch)
    fires = np.asarray(image.any(axis=1))
    # What float32 rounds off must not make the small matrix indefinite.
    shift = 1e-6 * float(np.linalg.norm(image) / np.linalg.norm(sketch))
    basis = sketch.astype(np.float64)
    image += shift * basis
    core = basis.T @ image
    lower = np.linalg.cholesky((core + core.T) / 2)
    half = np.linalg.solve(lower, image.T)
    squares, turned = np.linalg.eigh(half @ half.T)
    squares = np.maximum(squares, shift)
    vectors: Array = half.T @ (turned / np.sqrt(squares))
    return vectors * fires[:, None], squares - shift


def _reached(residual: Array, solution: Array, penalty: float) -> bool:
    """Whether every output is within the tolerance of its exact decoders."""
    norms = [np.linalg.norm(array, axis=0) for array in (residual, solution)]
    return bool((norms[0] <= TOLERANCE * penalty * norms[1]).all())


def _apply(rates: Array, decoders: Array, penalty: float) -> Array:
    """``(A^T A + penalty) D``, reading the rates once."""
    image = penalty * decoders
    for part, _ in _blocks(rates):
        image += part.T @ (part @ decoders)
    return image


def _numbers(what: str, given: ArrayLike) -> Array:
    try:
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"{what} must be one array of numbers, not {type(given).__name__}"
        ) from None
    wrong = array.size - int(np.isfinite(array).sum())
    if wrong:
        raise DataError(
            f"{what} must be finite, and {wrong} of {array.size} are not: remove those samples"
        )
    return array


def _blocks(rates: Array, size: int = BLOCK) -> Iterator[tuple[Array, slice]]:
    """Samples in blocks of so many rates, and where they are."""
    rows = max(8, size // rates.shape[1])
    for start in range(0, len(rates), rows):
        yield rates[start : start + rows], slice(start, start + rows)
