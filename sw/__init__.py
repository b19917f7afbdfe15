# SPDX-License-Identifier: Apache-2.0
"""Spikewright: one network, the same bits everywhere.

>>> import spikewright as sw
>>> net = sw.Network([sw.Dense(64, 32), sw.Relu(), sw.Dense(32, 10)])
>>> net.n_in, net.n_out
(64, 10)
"""

__version__ = "0.1.0"

from spikewright.build import Build, load_build
from spikewright.cost import compare
from spikewright.data import Dataset, digits
from spikewright.generate import generate
from spikewright.learn.fit import fit
from spikewright.learn.layers import (
    Alif,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Gru,
    HardTanh,
    Leaky,
    LeakyRelu,
    Lif,
    Lstm,
    Maxout,
    MaxPool2d,
    RecurrentLif,
    Relu,
    Rnn,
    Sigmoid,
    SignedRelu,
    Tanh,
)
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.runtime.opening import open_device as open
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import SpikewrightError
from spikewright.sim.program import Program
from spikewright.sim.program_file import load_program as load
from spikewright.sim.program_file import save_program as save
from spikewright.synthesize import synthesize
from spikewright.verify import verify

__all__ = [
    "Alif",
    "AvgPool2d",
    "BatchNorm",
    "Build",
    "Conv2d",
    "Dataset",
    "Dense",
    "Dropout",
    "Emulator",
    "Flatten",
    "Gru",
    "HardTanh",
    "Leaky",
    "LeakyRelu",
    "Lif",
    "Lstm",
    "MaxPool2d",
    "Maxout",
    "Network",
    "Program",
    "RecurrentLif",
    "Relu",
    "Rnn",
    "Sigmoid",
    "SignedRelu",
    "SpikewrightError",
    "Tanh",
    "compare",
    "digits",
    "fit",
    "generate",
    "load",
    "load_build",
    "open",
    "quantize",
    "save",
    "synthesize",
    "verify",
]
