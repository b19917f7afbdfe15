# SPDX-License-Identifier: Apache-2.0
"""ULX3S-85F: a top that gives an accelerator a clock and a serial line, and its constraints.

No board has run this yet.
"""

from dataclasses import dataclass
from pathlib import Path

from amaranth import Cat, ClockDomain, ClockSignal, Instance, Module, ResetSignal, Signal, Value
from amaranth.back import rtlil
from amaranth.build import Platform
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.boards.board import ULX3S
from spikewright.hw.cells.family import ECP5
from spikewright.hw.host.serial_bridge import SerialBridge
from spikewright.hw.host.serial_line import bit_cycles
from spikewright.hw.verilog import TOP as CORE
from spikewright.sim.errors import BoardError

TOP = "top"
"""Name of the top module."""
SOURCE = "top.il"
CORE_FILE = "spikewright_ecp5.v"
"""The accelerator with the part's own blocks; the plain text beside it computes the same."""
CONSTRAINTS = "top.lpf"
BLOCK_RAMS = 1
"""Block RAMs that the top takes beside the accelerator's."""
BAUD = 1_000_000
"""Rate of the serial line, in bit/s."""

INPUT_MHZ = 25.0
PHASE_MHZ = (10.0, 400.0)
"""Range of the PLL's phase detector."""
VCO_MHZ = (400.0, 800.0)
OUTPUT_MHZ = (10.0, 400.0)
TOLERANCE = 0.005
"""Most by which the clock may miss what was asked for, as a fraction."""


@dataclass(frozen=True)
class Pll:
    """Divisors of an EHXPLLL whose output CLKOS, divided to the input's rate, is fed back.

    The oscillator of the loop runs at ``25 MHz / clki_div * clkos_div``, the core's clock at that
    over ``clkop_div``.
    """

    clki_div: int
    clkos_div: int
    clkop_div: int

    @property
    def vco_mhz(self) -> float:
        """Frequency of the loop's oscillator."""
        return INPUT_MHZ / self.clki_div * self.clkos_div

    @property
    def clock_mhz(self) -> float:
        """Frequency of the core's clock."""
        return self.vco_mhz / self.clkop_div


def solve_pll(clock_mhz: float) -> Pll:
    """Divisors for the clock nearest to a frequency.

    Raises
    ------
    BoardError
        If no clock is within half a percent.
    """
    lo, hi = OUTPUT_MHZ
    if not lo <= clock_mhz <= hi:
        raise BoardError(
            f"Clock of the {ULX3S.title} must be between {lo:g} and {hi:g} MHz, not {clock_mhz!r}"
        )
    choices = [
        Pll(clki, clkos, clkop)
        for clki in range(1, int(INPUT_MHZ / PHASE_MHZ[0]) + 1)
        for clkos in range(1, 129)
        for clkop in range(1, 129)
        if VCO_MHZ[0] <= INPUT_MHZ / clki * clkos <= VCO_MHZ[1]
    ]
    best = min(choices, key=lambda pll: (abs(pll.clock_mhz - clock_mhz), pll.clki_div, pll.vco_mhz))
    if abs(best.clock_mhz - clock_mhz) > TOLERANCE * clock_mhz:
        raise BoardError(
            f"Clock of the {ULX3S.title} cannot be {clock_mhz:g} MHz: "
            f"the nearest is {best.clock_mhz:.3f} MHz"
        )
    return best


class Ulx3sTop(wiring.Component):
    """Clock, reset and serial line around the accelerator's Verilog module.

    The probes are left open, so that synthesis removes what only verification needs.

    Parameters
    ----------
    pll : Pll
    divisor : int
        Clock cycles of a bit of the serial line.

    Members
    -------
    clk_25mhz : In(1)
    ftdi_txd : In(1), ftdi_rxd : Out(1)
        From and to the USB chip.
    btn_fire : In(1)
        Resets everything but the parameters.
    led_running, led_failed : Out(1)
        Whether the clock runs; whether the last command was refused.
    wifi_gpio0 : Out(1)
        High, so that the ESP32 leaves the board alone.
    """

    clk_25mhz: Signal
    ftdi_txd: Signal
    ftdi_rxd: Signal
    btn_fire: Signal
    led_running: Signal
    led_failed: Signal
    wifi_gpio0: Signal

    def __init__(self, pll: Pll, divisor: int):
        self.pll = pll
        self.divisor = divisor
        inputs = ("clk_25mhz", "ftdi_txd", "btn_fire")
        super().__init__({name: In(1) if name in inputs else Out(1) for name in ULX3S.pins})

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        m.domains.sync = ClockDomain()
        clock, locked, running = Signal(), Signal(), Signal()
        # What comes in at any time passes three flip-flops; reset holds from the first clock on.
        reset = Signal(3, init=0b111, reset_less=True)
        rx = Signal(3, init=0b111, reset_less=True)
        m.submodules.pll = self._pll(clock, locked)
        m.submodules.bridge = bridge = SerialBridge(self.divisor)
        m.submodules.core = Instance(CORE, *self._core(bridge, running))
        m.d.comb += [
            ClockSignal().eq(clock),
            ResetSignal().eq(reset[-1]),
            running.eq(~reset[-1]),
            bridge.rx.eq(rx[-1]),
            self.ftdi_rxd.eq(bridge.tx),
            self.led_running.eq(running),
            self.led_failed.eq(bridge.failed),
            self.wifi_gpio0.eq(1),
        ]
        m.d.sync += [
            reset.eq(Cat(~locked | self.btn_fire, reset)),
            rx.eq(Cat(self.ftdi_txd, rx)),
        ]
        return m

    @staticmethod
    def _core(bridge: SerialBridge, running: Signal) -> list[tuple[str, str, Value]]:
        """Ports of the accelerator's module."""
        ports: list[tuple[str, str, Value]] = [
            ("i", "aclk", ClockSignal()),
            ("i", "aresetn", running),
        ]
        for bus, interface, out in (
            ("s_axi", bridge.axi, "i"),
            ("s_axis", bridge.o, "i"),
            ("m_axis", bridge.i, "o"),
        ):
            back = "o" if out == "i" else "i"
            for name, member in interface.signature.members.items():
                given = member.flow is (Out if out == "i" else In)
                ports.append((out if given else back, f"{bus}_{name}", getattr(interface, name)))
        return ports

    def _pll(self, clock: Signal, locked: Signal) -> Instance:
        pll, feedback = self.pll, Signal()
        return Instance(
            "EHXPLLL",
            # What the loop filter needs at these rates, as Project Trellis sets it.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_CLKI_DIV=pll.clki_div,
            p_CLKFB_DIV=1,
            p_FEEDBK_PATH="CLKOS",
            p_OUTDIVIDER_MUXA="DIVA",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=pll.clkop_div,
            p_CLKOP_CPHASE=pll.clkop_div - 1,
            p_CLKOP_FPHASE=0,
            p_OUTDIVIDER_MUXB="DIVB",
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOS_DIV=pll.clkos_div,
            p_CLKOS_CPHASE=pll.clkos_div - 1,
            p_CLKOS_FPHASE=0,
            i_CLKI=self.clk_25mhz,
            i_CLKFB=feedback,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_CLKOP=clock,
            o_CLKOS=feedback,
            o_LOCK=locked,
        )


def top_rtlil(clock_mhz: float, *, baud: int = BAUD) -> str:
    """RTLIL of the top, in which the accelerator is a module of another file.

    Raises
    ------
    BoardError
        If the board cannot make the clock.
    FormatError
        If the clock cannot make the rate.
    """
    pll = solve_pll(clock_mhz)
    top = Ulx3sTop(pll, bit_cycles(pll.clock_mhz * 1e6, baud))
    ports = {name: (getattr(top, name), None) for name in ULX3S.pins}
    return str(rtlil.convert(top, name=TOP, platform=ECP5, ports=ports, emit_src=False))


def constraints() -> str:
    """Constraints (.lpf): where each port is, and the clock that comes in."""
    lines = [f'FREQUENCY PORT "clk_25mhz" {INPUT_MHZ:g} MHZ;']
    for port, ball in ULX3S.pins.items():
        lines.append(f'LOCATE COMP "{port}" SITE "{ball}";')
        pull = "DOWN" if port == "btn_fire" else "NONE" if port == "clk_25mhz" else "UP"
        lines.append(f'IOBUF PORT "{port}" PULLMODE={pull} IO_TYPE=LVCMOS33;')
    return "\n".join([*lines, ""])


def write_files(folder: Path, *, clock_mhz: float, baud: int = BAUD) -> None:
    """Write the top and its constraints into a build folder.

    Raises
    ------
    BoardError
        If the board cannot make the clock.
    FormatError
        If the clock cannot make the rate.
    """
    (folder / SOURCE).write_text(top_rtlil(clock_mhz, baud=baud))
    (folder / CONSTRAINTS).write_text(constraints())
