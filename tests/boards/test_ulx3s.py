# SPDX-License-Identifier: Apache-2.0
import re

import pytest

from spikewright.boards.board import ULX3S
from spikewright.boards.ulx3s import (
    OUTPUT_MHZ,
    PHASE_MHZ,
    VCO_MHZ,
    Pll,
    constraints,
    solve_pll,
    top_rtlil,
)
from spikewright.sim.errors import BoardError, FormatError


def test_pll_makes_the_default_clock_exactly() -> None:
    assert solve_pll(80) == Pll(clki_div=1, clkos_div=16, clkop_div=5)
    assert solve_pll(80).clock_mhz == 80
    assert solve_pll(80).vco_mhz == 400


@pytest.mark.parametrize("wanted", [10, 33.3, 50, 66, 75, 81, 87.5, 95, 120, 133, 400])
def test_pll_stays_in_its_ranges(wanted: float) -> None:
    pll = solve_pll(wanted)
    assert abs(pll.clock_mhz / wanted - 1) <= 0.005
    assert VCO_MHZ[0] <= pll.vco_mhz <= VCO_MHZ[1]
    assert PHASE_MHZ[0] <= 25 / pll.clki_div <= PHASE_MHZ[1]
    assert OUTPUT_MHZ[0] <= pll.clock_mhz <= OUTPUT_MHZ[1]
    assert max(pll.clki_div, pll.clkos_div, pll.clkop_div) <= 128


def test_clocks_the_pll_cannot_make() -> None:
    with pytest.raises(
        BoardError,
        match=r"^Clock of the Radiona ULX3S-85F must be between 10 and 400 MHz, not 5$",
    ):
        solve_pll(5)
    with pytest.raises(
        BoardError,
        match=r"^Clock of the Radiona ULX3S-85F cannot be 360 MHz: the nearest is 362\.500 MHz$",
    ):
        solve_pll(360)
    with pytest.raises(
        FormatError,
        match=r"^Baud rate must be at most an eighth of the 10 MHz clock, not 3000000$",
    ):
        top_rtlil(10, baud=3_000_000)


def test_top_has_the_pins_of_the_constraints() -> None:
    located = re.findall(r'^LOCATE COMP "(\w+)" SITE "(\w+)";$', constraints(), re.MULTILINE)
    assert dict(located) == ULX3S.pins
    assert len(set(ULX3S.pins.values())) == len(ULX3S.pins)
    assert 'FREQUENCY PORT "clk_25mhz" 25 MHZ;' in constraints()
    rtlil = top_rtlil(100)
    top = rtlil[rtlil.index("module \\top\n") :].partition("\nend\n")[0]
    ports = re.findall(r"^\s+wire(?: width \d+)? (?:in|out)put \d+ +\\(\S+)$", top, re.MULTILINE)
    assert set(ports) == set(ULX3S.pins)
    assert len(re.findall(r"cell \\spikewright ", top)) == 1
    assert re.search(r"parameter \\CLKOP_DIV (\d+)", top)[1] == str(solve_pll(100).clkop_div)
