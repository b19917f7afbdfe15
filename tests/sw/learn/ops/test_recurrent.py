# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.ops import neurons
from spikewright.learn.ops.recurrent import Adaptation, recurrent_lif
from spikewright.learn.tape import Tape, Value

STEPS, LEAK, THRESHOLD, SLOPE = 9, 0.1, 0.8, 4.0
OPTIONS = {"steps": STEPS, "leak": LEAK, "threshold": THRESHOLD, "slope": SLOPE}
ADAPTATION = Adaptation(step=0.3, leak=0.2)


def unrolled(
    currents: list[Value],
    weight: Value | None,
    reset: str,
    surrogate: str,
    adaptation: Adaptation | None,
) -> Value:
    """Build the neurons from elementary operations, step by step."""
    tape = currents[0].tape
    zeros = np.zeros(currents[0].data.shape)
    v, a, spikes = tape.constant(zeros), tape.constant(zeros), []
    for t, i in enumerate(currents):
        u = ops.add(ops.scale(v, 1 - LEAK), i)
        if weight is not None and t:
            u = ops.add(u, ops.matmul(spikes[-1], ops.transpose(weight)))
        over = ops.sub(u, a) if adaptation else u
        s = ops.spike(over, threshold=THRESHOLD, slope=SLOPE, surrogate=surrogate)
        spikes.append(s)
        fired = ops.detach(s)
        if reset == "subtract":
            v = ops.add(u, ops.scale(fired, -THRESHOLD))
        else:
            v = ops.mul(u, ops.scale(fired, -1.0, 1.0))
        if adaptation:
            a = ops.add(ops.scale(a, 1 - adaptation.leak), ops.scale(s, adaptation.step))
    return ops.stack(spikes)


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize(
    ("reset", "surrogate"),
    [("subtract", "fast-sigmoid"), ("zero", "arctan"), ("subtract", "triangular")],
)
@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("adaptation", [ADAPTATION, None])
def test_neurons_equal_their_unrolled_definition_in_value_and_gradient(
    held: bool, reset: str, surrogate: str, recurrent: bool, adaptation: Adaptation | None
) -> None:
    rng = np.random.default_rng(5)
    drive = [rng.normal(0.3, 0.4, (3, 4)) for _ in range(1 if held else STEPS)]
    matrix, weights = rng.normal(0, 0.4, (4, 4)), rng.normal(size=(STEPS, 3, 4))
    outcomes = []
    for fused in (True, False):
        tape = Tape()
        currents = [tape.parameter(i) for i in drive]
        weight = tape.parameter(matrix) if recurrent else None
        if fused:
            given = currents[0] if held else ops.stack(currents)
            options = {"reset": reset, "surrogate": surrogate, "adaptation": adaptation}
            spikes = recurrent_lif(given, weight, **OPTIONS, **options)
        else:
            sequence = currents * STEPS if held else currents
            spikes = unrolled(sequence, weight, reset, surrogate, adaptation)
        loss = ops.total(ops.mul(spikes, tape.constant(weights)))
        for _ in range(2):
            tape.replay()
            tape.backward(loss)
        trained = [*currents, *([weight] if weight else [])]
        outcomes.append((spikes.data, [value.gradient() for value in trained]))
    np.testing.assert_array_equal(outcomes[0][0], outcomes[1][0])
    assert 0.1 < outcomes[0][0].mean() < 0.9
    for a, b in zip(outcomes[0][1], outcomes[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_without_recurrence_and_adaptation_they_are_lif() -> None:
    drive = np.random.default_rng(1).normal(0.3, 0.4, (STEPS, 3, 4))
    results = []
    for run in (
        lambda i: recurrent_lif(i, None, reset="zero", **OPTIONS),
        lambda i: neurons.lif(i, reset="zero", **OPTIONS),
    ):
        tape = Tape()
        current = tape.parameter(drive)
        spikes = run(current)
        tape.backward(ops.total(spikes))
        results.append((spikes.data, current.gradient()))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-12)


def test_adaptation_slows_a_constant_drive() -> None:
    tape = Tape(gradients=False)
    drive = tape.constant(np.full((1, 1), 0.5))
    options = {**OPTIONS, "steps": 60}
    plain = recurrent_lif(drive, None, reset="zero", **options)
    strong = Adaptation(step=1.0, leak=0.1)
    slowed = recurrent_lif(drive, None, reset="zero", adaptation=strong, **options)
    assert slowed.data.sum() < 0.8 * plain.data.sum()
    gaps = np.diff(np.flatnonzero(slowed.data))
    assert gaps[-1] > gaps[0]
