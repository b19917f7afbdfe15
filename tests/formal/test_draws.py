# SPDX-License-Identifier: Apache-2.0
"""What the proofs of random spikes rest on, and that they find faults."""

from unittest.mock import patch

import pytest
from amaranth.hdl import Value

from formal.draws import PROOFS, SHORT, Skips, short_generator
from formal.linear import only_exclusive_ors
from formal.sby import failures
from spikewright.hw.lfsr import Strides
from spikewright.sim.lfsr import skip


def test_skips_are_only_exclusive_ors() -> None:
    """So the 31 states of a single one bit tell all: a state's result is the sum of theirs."""
    component = Skips(8, 4, 3)
    outputs = [name for name in component.signature.members if name != "state"]
    assert only_exclusive_ors(component, outputs)


def test_the_short_generator_has_its_greatest_length() -> None:
    with short_generator():
        identity = tuple(1 << k for k in range(SHORT))
        assert skip((1 << SHORT) - 1) == identity != skip(1)
    assert len(skip(1)) > SHORT


def stuck(self: Strides, coordinates: Value, bits: int) -> Value:
    return coordinates


@pytest.mark.parametrize(
    "name", ["Bernoulli draws of 3 x u2.2, 2 lanes", "Bernoulli 3 x u2.2, 2 lanes"]
)
def test_a_tail_that_is_not_skipped_is_found(name: str) -> None:
    with patch.object(Strides, "skipped", stuck):
        (proof,) = (proof for proof in PROOFS if str(proof) == name)
        assert failures(proof)
