# SPDX-License-Identifier: Apache-2.0
"""The Verilog of each component, in cocotb on Verilator, equals the golden model."""

from collections.abc import Callable

import pytest
from bench.vectors import compare_with_golden

from spikewright.hw.activation import Activation
from spikewright.hw.bernoulli import Bernoulli
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.count import Count
from spikewright.hw.delay import Delay
from spikewright.hw.elementwise import Elementwise
from spikewright.hw.event_matvec import EventMatVec
from spikewright.hw.extremum import Extremum
from spikewright.hw.hold import Hold
from spikewright.hw.last import Last
from spikewright.hw.leaky import Leaky
from spikewright.hw.learn import Learn
from spikewright.hw.lif import Lif
from spikewright.hw.lookup import Lookup
from spikewright.hw.matvec import MatVec
from spikewright.hw.requantize import Requantize
from spikewright.hw.route import Route
from spikewright.sim import primitives as golden
from spikewright.sim.fixed import QFormat

FMT = QFormat(width=7, frac=2)
MEMBRANE = QFormat(width=10, frac=2)
STEPS = 5
SIZE = 7

COMPONENTS: dict[str, Callable[[], PrimitiveComponent]] = {
    "MatVec": lambda: MatVec(
        golden.MatVec(
            rows=SIZE, columns=5, input=FMT, weight_format=FMT, weight="w", bias="b", bias_width=12
        ),
        lanes=3,
    ),
    "EventMatVec": lambda: EventMatVec(
        golden.EventMatVec(
            rows=SIZE, columns=5, weight_format=FMT, weight="w", bias="b", bias_width=8
        ),
        lanes=3,
    ),
    "Learn": lambda: Learn(
        golden.Learn(
            rows=SIZE, columns=5, weight="w", weight_format=FMT, change=QFormat(width=5, frac=2)
        ),
        lanes=3,
    ),
    "Leaky": lambda: Leaky(
        golden.Leaky(
            size=SIZE, input=FMT, membrane=MEMBRANE, leak="l", leak_frac=7, per_neuron=True
        ),
        lanes=3,
    ),
    "Lif": lambda: Lif(
        golden.Lif(
            size=SIZE,
            input=FMT,
            membrane=MEMBRANE,
            leak="l",
            threshold="t",
            leak_frac=7,
            per_neuron=True,
            refractory=2,
            reset_next=True,
            lower=-100,
            adaptation=MEMBRANE,
            adaptation_leak="l",
            adaptation_step="s",
            voltage="after",
        ),
        lanes=3,
    ),
    "Requantize": lambda: Requantize(
        golden.Requantize(size=SIZE, input=QFormat(width=20, frac=9), output=FMT, shift="s"),
        lanes=3,
    ),
    "Activation": lambda: Activation(
        golden.Activation(
            size=SIZE, input=MEMBRANE, output=FMT, function="leaky_relu", slope=(1, 4)
        ),
        lanes=3,
    ),
    "Lookup": lambda: Lookup(
        golden.Lookup(
            size=SIZE,
            input=QFormat(width=18, frac=14),
            output=QFormat(width=14, frac=13),
            function="tanh",
        ),
        lanes=3,
    ),
    "Bernoulli": lambda: Bernoulli(
        golden.Bernoulli(size=SIZE, input=QFormat(width=8, frac=7), seed="s"), lanes=3
    ),
    "Elementwise": lambda: Elementwise(
        golden.Elementwise(size=SIZE, a=FMT, b=MEMBRANE, operation="multiply"), lanes=3
    ),
    "Extremum": lambda: Extremum(golden.Extremum(size=SIZE, input=QFormat(width=3))),
    "Hold": lambda: Hold(golden.Hold(size=SIZE, format=FMT), lanes=3, steps=STEPS),
    "Last": lambda: Last(golden.Last(size=SIZE, format=FMT), lanes=3),
    "Count": lambda: Count(golden.Count(size=SIZE, steps=STEPS)),
    "Delay": lambda: Delay(golden.Delay(size=SIZE, format=FMT, steps=2), steps=STEPS),
    "Route": lambda: Route(golden.Route(sizes=(4, 3), format=FMT, index=(6, 0, 0, 3, 5))),
}

FRAMES = 4


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", COMPONENTS)
def test_verilog_equals_golden(name: str, seed: int) -> None:
    frames = 1 if name == "Learn" else FRAMES
    compare_with_golden(
        COMPONENTS[name](),
        seed=seed,
        frames=frames,
        steps=FRAMES * STEPS // frames,
        plain_inputs={"frames": FRAMES} if name == "Delay" else None,
        backend="cocotb",
    )


def test_no_component_is_left_out() -> None:
    assert set(COMPONENTS) == set(golden.__all__) - {"primitive_from"}
