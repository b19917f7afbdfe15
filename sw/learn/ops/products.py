# SPDX-License-Identifier: Apache-2.0
"""Matrix products."""

import numpy as np

from spikewright.learn.tape import Array, Value
from spikewright.sim.errors import FormatError


def linear(x: Value, weight: Value, bias: Value) -> Value:
    """Fused affine map ``y = x @ weight.T + bias``.

    Parameters
    ----------
    x : (..., n_in) Value
        Leading axes are samples.
    weight : (n_out, n_in) Value
    bias : (n_out,) Value

    Returns
    -------
    (..., n_out) Value

    Raises
    ------
    FormatError
        If the shapes do not fit.
    """
    n_out, n_in = weight.data.shape
    if x.data.shape[-1] != n_in or bias.data.shape != (n_out,):
        raise FormatError(
            f"Linear operands must have shapes (..., {n_in}), {(n_out, n_in)} and ({n_out},), "
            f"not {x.data.shape}, {weight.data.shape} and {bias.data.shape}"
        )
    y = x.tape.output((*x.data.shape[:-1], n_out), x.data.dtype, x, weight, bias)
    rows, results = x.data.reshape(-1, n_in), y.data.reshape(-1, n_out)
    ones = np.ones(len(rows), x.data.dtype)

    def forward() -> None:
        np.matmul(rows, weight.data.T, out=results)
        np.add(results, bias.data, out=results)

    def backward() -> None:
        grads = y.gradient().reshape(-1, n_out)
        weight.receive(lambda out: np.matmul(grads.T, rows, out=out))
        # BLAS sums columns about five times faster than np.sum.
        bias.receive(lambda out: np.matmul(ones, grads, out=out))
        x.receive(lambda out: np.matmul(grads, weight.data, out=out.reshape(-1, n_in)))

    return x.tape.record(y, forward, backward)


def matmul(a: Value, b: Value) -> Value:
    """Matrix product ``y = a @ b``; leading axes are stacks of matrices and broadcast.

    ``dL/da = dL/dy @ b^T`` and ``dL/db = a^T @ dL/dy``, summed over broadcast axes.

    Parameters
    ----------
    a : (..., n, k) Value
    b : (..., k, m) Value

    Returns
    -------
    (..., n, m) Value

    Raises
    ------
    FormatError
        If an operand is no matrix or the shapes do not fit.
    """
    if min(a.data.ndim, b.data.ndim) < 2 or a.data.shape[-1] != b.data.shape[-2]:
        raise _misfit(a, b)
    try:
        lead = np.broadcast_shapes(a.data.shape[:-2], b.data.shape[:-2])
    except ValueError as error:
        raise _misfit(a, b) from error
    shape = (*lead, a.data.shape[-2], b.data.shape[-1])
    y = a.tape.output(shape, np.result_type(a.data, b.data), a, b)

    def forward() -> None:
        np.matmul(a.data, b.data, out=y.data)

    def backward() -> None:
        a.receive(lambda out: _product(y.gradient(), b.data.swapaxes(-1, -2), out))
        b.receive(lambda out: _product(a.data.swapaxes(-1, -2), y.gradient(), out))

    return a.tape.record(y, forward, backward)


def _product(left: Array, right: Array, out: Array) -> None:
    """``out = left @ right``, summed over the stacks that ``out`` does not have."""
    lead = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    if out.shape[:-2] == lead:
        np.matmul(left, right, out=out)
        return
    full = np.matmul(left, right)
    missing = (1,) * (full.ndim - out.ndim)
    target = out.reshape(missing + out.shape)
    axes = tuple(k for k, size in enumerate(target.shape[:-2]) if size != full.shape[k])
    np.sum(full, axis=axes, keepdims=True, out=target)


def _misfit(a: Value, b: Value) -> FormatError:
    return FormatError(
        "Matrix product operands must have shapes (..., n, k) and (..., k, m), "
        f"not {a.data.shape} and {b.data.shape}"
    )
