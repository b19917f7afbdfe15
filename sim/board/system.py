# SPDX-License-Identifier: Apache-2.0
"""The PYNQ-Z2 design around an accelerator: what the simulated and the real board have in common.

The .hwh of the simulated board, its address decoder, the driver and the Vivado script read these.
"""

from spikewright.sim.errors import BoardError, FormatError
from spikewright.sim.registers import CRC_WINDOW, MAX_LAYERS, REGISTERS, Access, Register

BOARD_NAME = "Pynq-Z2"
"""What pynq calls the board."""
BOARD_PART = "tul.com.tw:pynq-z2:part0:1.0"
PART = "xc7z020clg400-1"

TOP = "spikewright"
"""Verilog module of an accelerator."""
CORE_VLNV = "spikewright:ip:spikewright:1.0"
CORE_NAME = "spikewright_0"
DMA_VLNV = "xilinx.com:ip:axi_dma:7.1"
DMA_NAME = "axi_dma_0"

ADDRESSES = {CORE_NAME: 0x43C00000, DMA_NAME: 0x40400000}
"""Base address of each block behind M_AXI_GP0."""
ADDRESS_RANGE = 0x10000
"""Bytes that each block takes."""

DMA_LENGTH_BITS = 26
"""Width of the DMA's length registers, in bits."""
DMA_ALIGNMENT = 8
"""Bytes that a buffer's address must be a multiple of: the DMA's memory side is so wide."""
DMA_MAX_BYTES = (1 << DMA_LENGTH_BITS) - DMA_ALIGNMENT
"""Most bytes of one transfer that leave the next one aligned."""

DMA_PARAMETERS = {
    "c_include_sg": 0,
    "c_sg_include_stscntrl_strm": 0,
    "c_sg_length_width": DMA_LENGTH_BITS,
    "c_micro_dma": 0,
    "c_include_mm2s": 1,
    "c_include_mm2s_dre": 0,
    "c_m_axi_mm2s_data_width": 8 * DMA_ALIGNMENT,
    "c_m_axis_mm2s_tdata_width": 32,
    "c_mm2s_burst_size": 64,
    "c_include_s2mm": 1,
    "c_include_s2mm_dre": 0,
    "c_m_axi_s2mm_data_width": 8 * DMA_ALIGNMENT,
    "c_s2mm_burst_size": 64,
    "c_addr_width": 32,
}
"""Parameters of axi_dma, in the lower case in which Vivado writes them."""

MAX_CLOCK_MHZ = 250.0
"""Fastest clock the processing system gives the fabric on this part, in MHz."""
IO_PLL_MHZ = 1000.0
"""What the fabric's clocks are divided from, in MHz."""
MAX_DIVISOR = 63


def core_registers(layers: int) -> tuple[Register, ...]:
    """Registers of an accelerator: the fixed ones and a CRC for each layer.

    Raises
    ------
    FormatError
        If the number of layers is out of range.
    """
    if not 0 <= layers <= MAX_LAYERS:
        raise FormatError(f"Number of layers must be between 0 and {MAX_LAYERS}, not {layers!r}")
    crcs = (
        Register(
            f"CRC_{layer}",
            CRC_WINDOW + 4 * layer,
            Access.READ_ONLY,
            f"CRC-32 of layer {layer} in the last frame",
        )
        for layer in range(layers)
    )
    return (*REGISTERS, *crcs)


def clock_divisors(fclk_mhz: float) -> tuple[int, int]:
    """Divisors of the fabric's clock nearest to a frequency: ``IO_PLL_MHZ / (first * second)``.

    Raises
    ------
    BoardError
        If the processing system cannot make such a clock.
    """
    slowest = IO_PLL_MHZ / MAX_DIVISOR**2
    if not slowest <= fclk_mhz <= MAX_CLOCK_MHZ:
        raise BoardError(
            f"Fabric clock must be between {slowest:.2f} and {MAX_CLOCK_MHZ:g} MHz, "
            f"not {fclk_mhz!r}"
        )
    # Of the pairs with the nearest product the most even one, as Vivado and pynq prefer.
    divisors = range(1, MAX_DIVISOR + 1)
    pairs = ((first, second) for second in divisors for first in range(second, MAX_DIVISOR + 1))
    wanted = IO_PLL_MHZ / fclk_mhz
    return min(pairs, key=lambda pair: (abs(pair[0] * pair[1] - wanted), pair[0] - pair[1]))
