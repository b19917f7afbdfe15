# SPDX-License-Identifier: Apache-2.0
"""Verilog and RTLIL of an accelerator; weights are not in them."""

import re

import amaranth.back.rtlil as rtlil
import amaranth.back.verilog as verilog

from spikewright.hw.accelerator import Accelerator, Top
from spikewright.hw.cells.block_memory import STORE
from spikewright.hw.cells.family import Family, Text

TOP = "spikewright"
"""Name of the top module."""


def to_verilog(accelerator: Accelerator, family: Family | None = None) -> str:
    """Verilog with flat, Vivado-inferable port names.

    Parameters
    ----------
    accelerator : Accelerator
    family : Family, optional
        Whose own blocks it names; a plain description if not given.
    """
    top = Top(accelerator)
    ports = {name: (signal, None) for name, signal in top.ports().items()}
    text = str(verilog.convert(top, name=TOP, platform=Text(family), ports=ports, emit_src=False))
    # Yosys 0.70 takes a wire named \word[0] for bit 0 of another named \word, and fails in abc9.
    text = re.sub(r"\\\S+", lambda name: name[0].replace("[", ".").replace("]", ""), text)
    return text + STORE


def to_rtlil(accelerator: Accelerator, family: Family | None = None) -> str:
    """The same as RTLIL, which needs no Yosys to write."""
    top = Top(accelerator)
    ports = {name: (signal, None) for name, signal in top.ports().items()}
    return str(rtlil.convert(top, name=TOP, platform=family, ports=ports, emit_src=False))
