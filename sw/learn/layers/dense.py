# SPDX-License-Identifier: Apache-2.0
"""Layers that multiply a vector by weights."""

from typing import Any

from spikewright.learn import ops
from spikewright.learn.layers.layer import Shape, Weighted, check_size, trained, vector
from spikewright.learn.tape import Array, Value


class Dense(Weighted):
    """Fully connected layer ``y = W x + b``.

    Parameters
    ----------
    n_in, n_out : int
        Inputs and outputs.
    weight : (n_out, n_in) array_like, optional
        Kept as float32. Without, :class:`spikewright.network.Network` draws it.
    bias : (n_out,) array_like, optional
        Zero if not given.

    Raises
    ------
    FormatError
        If a size is not positive or an array's shape does not fit.
    """

    def __init__(
        self, n_in: int, n_out: int, *, weight: Array | None = None, bias: Array | None = None
    ):
        super().__init__(given=weight is not None)
        check_size("Dense n_in", n_in)
        check_size("Dense n_out", n_out)
        self.n_in: int = n_in
        self.n_out: int = n_out
        self.weight = trained("Dense weight", weight, (n_out, n_in))
        self.bias = trained("Dense bias", bias, (n_out,))

    def out_shape(self, shape: Shape) -> Shape:
        vector(self, shape, self.n_in)
        return (self.n_out,)

    def options(self) -> dict[str, Any]:
        """Constructor arguments without the arrays."""
        return {"n_in": self.n_in, "n_out": self.n_out}

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record ``y = W x + b`` for ``x`` of shape (..., n_in)."""
        return ops.linear(x, x.tape.parameter(self.weight), x.tape.parameter(self.bias))

    def __repr__(self) -> str:
        return f"Dense({self.n_in}, {self.n_out})"


class Maxout(Weighted):
    """Fully connected layer of the largest of several affine maps, ``y_i = max_k (W_ki x + b_ki)``.

    Goodfellow and others, Maxout networks, 2013. Each output learns a convex function of pieces.

    Parameters
    ----------
    n_in, n_out : int
        Inputs and outputs.
    pieces : int
        Affine maps ``k`` for each output.

    Raises
    ------
    FormatError
        If a size is not positive.
    """

    def __init__(self, n_in: int, n_out: int, pieces: int = 2):
        super().__init__(given=False)
        for name, size in (("n_in", n_in), ("n_out", n_out), ("pieces", pieces)):
            check_size(f"Maxout {name}", size)
        self.n_in: int = n_in
        self.n_out: int = n_out
        self.pieces = pieces
        self.weight = trained("Maxout weight", None, (n_out * pieces, n_in))
        self.bias = trained("Maxout bias", None, (n_out * pieces,))

    def out_shape(self, shape: Shape) -> Shape:
        vector(self, shape, self.n_in)
        return (self.n_out,)

    def options(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"n_in": self.n_in, "n_out": self.n_out, "pieces": self.pieces}

    def record(self, x: Value, *, dt: float, steps: int) -> Value:
        """Record the largest piece for ``x`` of shape (..., n_in)."""
        z = ops.linear(x, x.tape.parameter(self.weight), x.tape.parameter(self.bias))
        return ops.amax(ops.reshape(z, (*z.data.shape[:-1], self.n_out, self.pieces)), -1)

    def __repr__(self) -> str:
        return f"Maxout({self.n_in}, {self.n_out}, pieces={self.pieces})"
