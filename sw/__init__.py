# SPDX-License-Identifier: Apache-2.0
"""Spikewright: one network, the same bits everywhere.

>>> import spikewright as sw
>>> net = sw.Network([sw.Dense(64, 32), sw.Relu(), sw.Dense(32, 10)])
>>> net.n_in, net.n_out
(64, 10)
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Dataset": "spikewright.data",
    "Dense": "spikewright.learn.layers",
    "Leaky": "spikewright.learn.layers",
    "Lif": "spikewright.learn.layers",
    "Network": "spikewright.network",
    "Program": "spikewright.sim.program",
    "Relu": "spikewright.learn.layers",
    "digits": "spikewright.data",
    "fit": "spikewright.learn.backprop",
    "generate": "spikewright.generate",
    "load": "spikewright.sim.program_file",
    "load_build": "spikewright.generate",
    "open": "spikewright.runtime.opening",
    "quantize": "spikewright.quantize",
    "save": "spikewright.sim.program_file",
    "synthesize": "spikewright.synthesize",
    "verify": "spikewright.verify",
}
"""Where each public name lives; it is imported when first used, so that importing stays light."""

_RENAMED = {"load": "load_program", "open": "open_device", "save": "save_program"}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spikewright' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), _RENAMED.get(name, name))


def __dir__() -> list[str]:
    return __all__
