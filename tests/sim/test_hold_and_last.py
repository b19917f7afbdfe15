# SPDX-License-Identifier: Apache-2.0
"""The two crossings that keep codes as they are."""

import numpy as np
import pytest
from bench.codes import expected_outputs, golden_run, random_codes

from spikewright.sim.fixed import QFormat
from spikewright.sim.hold import Hold
from spikewright.sim.last import Last
from spikewright.sim.ports import Rate

FORMAT = QFormat(width=7, frac=2)


@pytest.mark.parametrize("primitive", [Hold(size=3, format=FORMAT), Last(size=3, format=FORMAT)])
def test_codes_pass_unchanged(primitive: Hold | Last) -> None:
    x = random_codes(np.random.default_rng(0), FORMAT, (2, 4, 3))
    (y,) = golden_run(primitive, {}, [x])
    assert np.array_equal(y, x)
    ports = primitive.ports()
    assert ports.inputs["x"] == ports.outputs["y"]


def test_rates() -> None:
    hold, last = Hold(size=3, format=FORMAT), Last(size=3, format=FORMAT)
    assert hold.crossing == (Rate.FRAME, Rate.STEP)
    assert last.crossing == (Rate.STEP, Rate.FRAME)
    x = random_codes(np.random.default_rng(0), FORMAT, (2, 4, 3))
    (once,) = expected_outputs(last, [x], 4)
    assert np.array_equal(once, x[:, 3:])
    (again,) = expected_outputs(hold, [x[:, :1]], 4)
    assert np.array_equal(again[:, 2], x[:, 0])
