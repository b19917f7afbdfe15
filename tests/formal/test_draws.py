# SPDX-License-Identifier: Apache-2.0
"""What the proofs of random spikes rest on, and that they find faults."""

import re
from unittest.mock import patch

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Value

from formal.draws import PROOFS, SHORT, Skips, short_generator
from formal.sby import Proof, run
from spikewright.hw.lfsr import Strides
from spikewright.sim.lfsr import skip


def test_skips_are_only_exclusive_ors() -> None:
    """So the 31 states of a single one bit tell all: a state's result is the sum of theirs."""
    component = Skips(8, 4, 3)
    ports = {name: (getattr(component, name), None) for name in component.signature.members}
    text = str(rtlil.convert(component, name="top", ports=ports, emit_src=False))
    cells = re.findall(r"^ *cell (\S+) .*?^ *end$", text, re.MULTILINE | re.DOTALL)
    assert set(cells) == {"$xor", "$reduce_xor", "$and"}
    masks = re.findall(r"^ *cell \$and .*?^ *connect \\B (\S+)$", text, re.MULTILINE | re.DOTALL)
    assert len(masks) == cells.count("$and")
    assert all(re.fullmatch(r"\d+'[01]+", mask) for mask in masks)


def test_the_short_generator_has_its_greatest_length() -> None:
    with short_generator():
        identity = tuple(1 << k for k in range(SHORT))
        assert skip((1 << SHORT) - 1) == identity != skip(1)
    assert len(skip(1)) > SHORT


def broken(name: str) -> set[str]:
    (proof,) = (proof for proof in PROOFS if str(proof) == name)
    return failed(proof)


def failed(proof: Proof) -> set[str]:
    results = [r for r in run(proof) if not r.method.startswith("reached")]
    return {name for r in results if not r.holds for name in r.trace.split("; ")[:-1]}


def stuck(self: Strides, coordinates: Value, bits: int) -> Value:
    return coordinates


@pytest.mark.parametrize(
    "name", ["Bernoulli draws of 3 x u2.2, 2 lanes", "Bernoulli 3 x u2.2, 2 lanes"]
)
def test_a_tail_that_is_not_skipped_is_found(name: str) -> None:
    with patch.object(Strides, "skipped", stuck):
        assert broken(name)
