# SPDX-License-Identifier: Apache-2.0
"""One design for all tests of the board, and pynq imported without its warnings."""

import importlib
import importlib.util
import warnings
from pathlib import Path

import pytest
from bench.relay import LAYERS, VERILOG

from spikewright.sim.board.bundle import write_bundle

if importlib.util.find_spec("pynq") is not None:
    with warnings.catch_warnings():
        # It warns that this is no ARM processor.
        warnings.simplefilter("ignore")
        importlib.import_module("pynq")
        importlib.import_module("pynq.lib.dma")


@pytest.fixture(scope="session")
def bit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .bit of the relay, with its .hwh beside it."""
    return write_bundle(tmp_path_factory.mktemp("bundle"), "relay", VERILOG, LAYERS, 100.0)
