# SPDX-License-Identifier: Apache-2.0
"""Proofs of activations: for every code the golden model's result, whatever streams do."""

from typing import Any

import numpy as np
from amaranth.hdl import Array, C, Value

from formal.bench import Bench
from formal.contract import Vectors, hosts_quiet, progress
from formal.follow import Balance, Tracker
from formal.sby import Proof
from spikewright.hw.activation import Activation
from spikewright.hw.lookup import Lookup
from spikewright.sim.activation import Activation as ActivationPrimitive
from spikewright.sim.fixed import QFormat
from spikewright.sim.lookup import Lookup as LookupPrimitive


def pointwise(kind: Any, primitive: Any, lanes: int) -> Bench:
    """An element's result hangs on the element alone, so the golden model is a table."""
    (given,) = primitive.ports().inputs.values()
    (wanted,) = primitive.ports().outputs.values()
    codes = np.arange(1 << given.format.width)
    if given.format.signed:
        codes = np.where(codes > given.format.hi, codes - (1 << given.format.width), codes)
    inputs = np.repeat(codes[:, None], given.size, axis=1)
    _, (results,) = primitive.step({}, primitive.init_state(len(codes)), inputs)
    width = wanted.format.width
    table = Array([C(int(y) & ((1 << width) - 1), width) for y in results[:, 0]])
    bench = Bench(kind(primitive, lanes=lanes), inductive=False)
    hosts_quiet(bench)
    i = Vectors(bench, "i_x", size=given.size, lanes=lanes, source=True)
    o = Vectors(bench, "o_y", size=given.size, lanes=lanes, source=False)
    balance = Balance(bench, i.done, o.done, most=20)

    def right(bits: Value) -> Value:
        return table[bits]

    Tracker(bench, i, o, balance, changed=right)
    progress(bench, [i, o], within=10)
    return bench


X, Y = QFormat(width=6, frac=3), QFormat(width=5, frac=3)


def _lookup(function: str) -> LookupPrimitive:
    return LookupPrimitive(size=2, input=X, output=Y, function=function)


def _activation(function: str, **options: Any) -> ActivationPrimitive:
    return ActivationPrimitive(size=3, input=X, output=Y, function=function, **options)


PROOFS = [
    # The table is in a memory, which must hold what it is made with.
    *(
        Proof(
            "Lookup",
            f"{function} of 2 x s6.3, 1 lane",
            lambda function=function: pointwise(Lookup, _lookup(function), 1),
            bound=18,
            keeps=True,
        )
        for function in ("tanh", "sigmoid")
    ),
    Proof(
        "Activation",
        "leaky ReLU of 3 x s6.3, 2 lanes",
        lambda: pointwise(Activation, _activation("leaky_relu", slope=(2, 4)), 2),
        bound=18,
    ),
    Proof(
        "Activation",
        "hard tanh of 3 x s6.3, 2 lanes",
        lambda: pointwise(Activation, _activation("hard_tanh"), 2),
        bound=18,
    ),
    Proof(
        "Activation",
        "sign of 3 x s6.3, 2 lanes",
        lambda: pointwise(Activation, _activation("sign"), 2),
        bound=18,
    ),
]
