# SPDX-License-Identifier: Apache-2.0
"""Differentiable operations; each records itself on the tape of its operands."""

from spikewright.learn.ops.arithmetic import add, div, mul, scale, sub
from spikewright.learn.ops.convolution import conv2d
from spikewright.learn.ops.functions import (
    absolute,
    clip,
    exp,
    leaky_relu,
    log,
    relu,
    sigmoid,
    sin,
    sqrt,
    tanh,
)
from spikewright.learn.ops.pooling import avg_pool2d, max_pool2d
from spikewright.learn.ops.products import linear, matmul
from spikewright.learn.ops.reductions import (
    amax,
    log_softmax,
    log_sum_exp,
    mean,
    softmax,
    total,
)
from spikewright.learn.ops.shapes import (
    concatenate,
    detach,
    index,
    last,
    reshape,
    stack,
    transpose,
)
from spikewright.learn.ops.spiking import SURROGATES, spike

__all__ = [
    "SURROGATES",
    "absolute",
    "add",
    "amax",
    "avg_pool2d",
    "clip",
    "concatenate",
    "conv2d",
    "detach",
    "div",
    "exp",
    "index",
    "last",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "log_sum_exp",
    "matmul",
    "max_pool2d",
    "mean",
    "mul",
    "relu",
    "reshape",
    "scale",
    "sigmoid",
    "sin",
    "softmax",
    "spike",
    "sqrt",
    "stack",
    "sub",
    "tanh",
    "total",
    "transpose",
]
