# SPDX-License-Identifier: Apache-2.0
"""Layers of a network: what each computes, and how it records itself on a tape."""

from spikewright.learn.layers.activations import (
    HardTanh,
    LeakyRelu,
    Relu,
    Sigmoid,
    SignedRelu,
    Tanh,
)
from spikewright.learn.layers.dense import Dense, Maxout
from spikewright.learn.layers.images import AvgPool2d, Conv2d, Flatten, MaxPool2d
from spikewright.learn.layers.layer import Layer, Plain, Shape, Weighted
from spikewright.learn.layers.neurons import RESETS, Alif, Leaky, Lif, RecurrentLif
from spikewright.learn.layers.normalisation import BatchNorm, Dropout
from spikewright.learn.layers.sequences import Gru, Lstm, Rnn, pad

LAYERS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Dense,
        Maxout,
        Conv2d,
        MaxPool2d,
        AvgPool2d,
        Flatten,
        Relu,
        SignedRelu,
        LeakyRelu,
        HardTanh,
        Sigmoid,
        Tanh,
        Dropout,
        BatchNorm,
        Leaky,
        Lif,
        Alif,
        RecurrentLif,
        Rnn,
        Lstm,
        Gru,
    )
}
"""Layers by class name, as saved files call them."""

__all__ = [
    "LAYERS",
    "RESETS",
    "Alif",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "Dense",
    "Dropout",
    "Flatten",
    "Gru",
    "HardTanh",
    "Layer",
    "Leaky",
    "LeakyRelu",
    "Lif",
    "Lstm",
    "MaxPool2d",
    "Maxout",
    "Plain",
    "RecurrentLif",
    "Relu",
    "Rnn",
    "Shape",
    "Sigmoid",
    "SignedRelu",
    "Tanh",
    "Weighted",
    "pad",
]
