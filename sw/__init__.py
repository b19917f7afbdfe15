# SPDX-License-Identifier: Apache-2.0
"""Spikewright: one network, the same bits everywhere.

>>> import spikewright as sw
>>> net = sw.Network([sw.Dense(64, 32), sw.Relu(), sw.Dense(32, 10)])
>>> net.n_in, net.n_out
(64, 10)
"""

__version__ = "0.1.0"

import importlib
from typing import TYPE_CHECKING, Any

from spikewright.aware import quantization_aware
from spikewright.build import Build, load_build
from spikewright.convert import to_spiking
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
from spikewright.learn.rules.online import OnlineKickback
from spikewright.learn.rules.versus import OneVersusRest
from spikewright.learn.search.distributions import choice, log_uniform, uniform
from spikewright.learn.search.searches import GridSearch, RandomSearch
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.runtime.opening import open_device as open
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import SpikewrightError, ToolError
from spikewright.sim.program import Program
from spikewright.sim.program_file import load_program as load
from spikewright.sim.program_file import save_program as save
from spikewright.synthesize import synthesize
from spikewright.verify import verify
from spikewright.widths import narrowest

if TYPE_CHECKING:
    from spikewright import nef as nef
    from spikewright.estimators import SpikewrightClassifier as SpikewrightClassifier
    from spikewright.estimators import SpikewrightRegressor as SpikewrightRegressor

_ESTIMATORS = ("SpikewrightClassifier", "SpikewrightRegressor")

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
    "GridSearch",
    "Gru",
    "HardTanh",
    "Leaky",
    "LeakyRelu",
    "Lif",
    "Lstm",
    "MaxPool2d",
    "Maxout",
    "Network",
    "OneVersusRest",
    "OnlineKickback",
    "Program",
    "RandomSearch",
    "RecurrentLif",
    "Relu",
    "Rnn",
    "Sigmoid",
    "SignedRelu",
    "SpikewrightError",
    "Tanh",
    "choice",
    "compare",
    "digits",
    "fit",
    "generate",
    "load",
    "load_build",
    "log_uniform",
    "narrowest",
    "open",
    "quantization_aware",
    "quantize",
    "save",
    "synthesize",
    "to_spiking",
    "uniform",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import what is slow to load when it is asked for; estimators need scikit-learn besides."""
    if name == "nef":
        return importlib.import_module("spikewright.nef")
    if name not in _ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module("spikewright.estimators"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise ToolError(
            f"{name} needs scikit-learn: run pip install spikewright[sklearn]"
        ) from error
