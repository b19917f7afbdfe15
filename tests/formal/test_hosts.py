# SPDX-License-Identifier: Apache-2.0
"""Proofs of the host's side find faults, and what they rest on."""

import zlib
from unittest.mock import patch

import pytest
from amaranth.sim import Simulator, SimulatorContext

from formal.hosts import port, through
from formal.linear import only_exclusive_ors
from formal.probes import INITIAL, CrcSteps, probe
from formal.sby import Proof, failures
from spikewright.hw.product.mac_row import MacRow
from spikewright.hw.product.weight_port import WeightPort
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port


def test_an_address_that_does_not_stand_for_long_enough_is_found() -> None:
    with patch.object(MacRow, "hold", 9):
        found = failures(Proof("WeightPort", "", lambda: port(2, 3, 1, 1), bound=30, reach=60))
    assert found == {"the address has stood long enough"}


class Upright(WeightPort):
    """Takes a matrix for the wrong way round."""

    def __init__(self, **shape: int):
        super().__init__(**shape | {"columns": shape["columns"] + 1})


@pytest.mark.parametrize(
    ("place", "proof"),
    [
        (
            "formal.hosts.WeightPort",
            Proof("WeightPort", "", lambda: port(3, 2, 2, 1), bound=40, reach=60),
        ),
        (
            "spikewright.hw.product.product_core.WeightPort",
            Proof("MatVec", "", lambda: through(2, 2, 2), bound=40, reach=60),
        ),
    ],
    ids=str,
)
def test_a_weight_in_the_wrong_place_is_found(place: str, proof: Proof) -> None:
    with patch(place, Upright):
        assert failures(proof)


def test_crc_steps_are_only_exclusive_ors() -> None:
    assert only_exclusive_ors(CrcSteps(32), ["at_once", "bit_by_bit"])


def test_the_definition_is_that_of_zlib() -> None:
    dut = CrcSteps(32)

    async def testbench(ctx: SimulatorContext) -> None:
        for word in (0, 1, 0xDEADBEEF, 0xFFFFFFFF):
            ctx.set(dut.state, INITIAL)
            ctx.set(dut.word, word)
            wanted = zlib.crc32(word.to_bytes(4, "little"))
            assert ctx.get(dut.bit_by_bit) ^ INITIAL == ctx.get(dut.at_once) ^ INITIAL == wanted

    simulator = Simulator(dut)
    simulator.add_testbench(testbench)
    simulator.run()


def test_a_crc_that_begins_elsewhere_is_found() -> None:
    elements = Port(size=2, format=QFormat(width=4))
    with patch("spikewright.hw.host.probe.INITIAL", 0):
        assert failures(Proof("Probe", "", lambda: probe(elements), k=5, reach=12))
