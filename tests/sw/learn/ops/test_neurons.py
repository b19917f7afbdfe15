# SPDX-License-Identifier: Apache-2.0
import math
from collections.abc import Callable

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.ops import neurons
from spikewright.learn.tape import Tape, Value

STEPS, LEAK, THRESHOLD, SLOPE = 12, 0.1, 0.8, 4.0


def unrolled(currents: list[Value], reset: str) -> Value:
    """Build the neuron from elementary operations, step by step."""
    tape = currents[0].tape
    v, spikes = tape.constant(np.zeros(currents[0].data.shape)), []
    for i in currents:
        u = ops.add(ops.scale(v, 1 - LEAK), i)
        spikes.append(ops.spike(u, threshold=THRESHOLD, slope=SLOPE))
        fired = ops.detach(spikes[-1])
        if reset == "subtract":
            v = ops.add(u, ops.scale(fired, -THRESHOLD))
        else:
            v = ops.mul(u, ops.scale(fired, -1.0, 1.0))
    return ops.stack(spikes)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("held", [True, False])
def test_lif_equals_its_unrolled_definition_in_value_and_gradient(reset: str, held: bool) -> None:
    rng = np.random.default_rng(5)
    drive = [rng.normal(0.2, 0.3, (3, 4)) for _ in range(1 if held else STEPS)]
    weights = rng.normal(size=(STEPS, 3, 4))
    outcomes = []
    for fused in (True, False):
        tape = Tape()
        currents = [tape.parameter(i) for i in drive]
        if fused:
            spikes = neurons.lif(
                currents[0] if held else ops.stack(currents),
                steps=STEPS,
                leak=LEAK,
                threshold=THRESHOLD,
                reset=reset,
                slope=SLOPE,
            )
        else:
            spikes = unrolled(currents * STEPS if held else currents, reset)
        loss = ops.total(ops.mul(spikes, tape.constant(weights)))
        tape.backward(loss)
        tape.replay()
        tape.backward(loss)
        outcomes.append((spikes.data, [i.gradient() for i in currents]))
    np.testing.assert_array_equal(outcomes[0][0], outcomes[1][0])
    assert 0.1 < outcomes[0][0].mean() < 0.9
    np.testing.assert_allclose(outcomes[0][1], outcomes[1][1], rtol=1e-12)


def test_forward_only_lif_gives_the_same_spikes() -> None:
    drive = np.random.default_rng(6).normal(0.2, 0.3, (STEPS, 3, 4))
    options = {
        "steps": STEPS,
        "leak": LEAK,
        "threshold": THRESHOLD,
        "reset": "subtract",
        "slope": SLOPE,
    }
    trained = neurons.lif(Tape().parameter(drive), **options)
    plain = neurons.lif(Tape().constant(drive), **options)
    np.testing.assert_array_equal(trained.data, plain.data)


@pytest.mark.parametrize("current", [0.1, 0.11, 0.2, 0.5])
def test_first_spike_comes_when_the_closed_form_says(current: float) -> None:
    spikes = neurons.lif(
        Tape().constant(np.array([[current]])),
        steps=200,
        leak=LEAK,
        threshold=1.0,
        reset="zero",
        slope=1.0,
    ).data.ravel()
    # v[t] = current / leak * (1 - (1 - leak)**(t + 1)) reaches 1, or never does.
    if current <= LEAK:
        assert not spikes.any()
        return
    steps = math.ceil(math.log(1 - LEAK / current) / math.log(1 - LEAK))
    np.testing.assert_array_equal(np.flatnonzero(spikes), np.arange(steps - 1, 200, steps))


@pytest.mark.parametrize("shape", [(3, 4), (STEPS, 3, 4)])
def test_leaky_gradients(check_gradients: Callable[..., None], shape: tuple[int, ...]) -> None:
    drive = np.random.default_rng(7).normal(size=shape)
    check_gradients(lambda x: neurons.leaky(x, steps=STEPS, leak=LEAK), drive)


def test_leaky_charges_exponentially() -> None:
    v = neurons.leaky(Tape().constant(np.full((1, 1), 0.3)), steps=50, leak=LEAK)
    t = np.arange(50)
    np.testing.assert_allclose(v.data.ravel(), 0.3 / LEAK * (1 - (1 - LEAK) ** (t + 1)))


def test_a_voltage_at_the_threshold_fires() -> None:
    options = {"steps": 1, "leak": 0.5, "reset": "zero", "slope": 1.0}
    drive = np.array([[0.5, np.nextafter(0.5, 0)]])
    spikes = neurons.lif(Tape().constant(drive), threshold=0.5, **options)
    np.testing.assert_array_equal(spikes.data[0, 0], [1, 0])
