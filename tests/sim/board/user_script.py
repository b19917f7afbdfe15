# SPDX-License-Identifier: Apache-2.0
"""Ordinary pynq code, as written for a board: nothing here knows of a simulation.

Usage: user_script.py BITFILE COUNT
"""

import sys

import numpy as np
from pynq import MMIO, Clocks, Overlay, allocate

overlay = Overlay(sys.argv[1])
count = int(sys.argv[2])
core, dma = overlay.spikewright_0, overlay.axi_dma_0
core.register_map.PARAM_START = 1000
with allocate(shape=(count,), dtype=np.uint32) as source, allocate((count,), np.uint32) as target:
    source[:] = np.arange(count)
    dma.recvchannel.transfer(target)
    dma.sendchannel.transfer(source)
    dma.sendchannel.wait()
    dma.recvchannel.wait()
    results = {
        "driver": type(core).__name__,
        "loaded": overlay.is_loaded(),
        "id": f"{MMIO(overlay.ip_dict['spikewright_0']['phys_addr'], 0x1000).read(0):x}",
        "fclk0": Clocks.fclk0_mhz,
        "bytes": dma.recvchannel.transferred,
        "sum": int(target.sum()),
    }
overlay.free()
sys.stdout.write(f"{results}\n")
