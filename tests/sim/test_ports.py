# SPDX-License-Identifier: Apache-2.0
import pytest

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import SPIKE, Kind, Port


def test_size_must_be_positive() -> None:
    with pytest.raises(FormatError, match=r"^Port size must be a positive integer, not 0$"):
        Port(size=0, format=SPIKE)


def test_events_are_spikes() -> None:
    assert Port(size=2, format=SPIKE, kind=Kind.EVENT).format == QFormat(width=1, signed=False)
    with pytest.raises(FormatError, match=r"^Event port must carry spikes \(u1\.0\), not s1\.0$"):
        Port(size=2, format=QFormat(width=1), kind=Kind.EVENT)
