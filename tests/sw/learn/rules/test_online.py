# SPDX-License-Identifier: Apache-2.0
"""Integer Kickback beside the float rule, and the driver around it."""

import itertools
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.data import digits
from spikewright.learn.fit import fit
from spikewright.learn.layers import Dense, Layer, Relu, SignedRelu
from spikewright.learn.rules.kickback import Pass, forward, gradients, kicked_back, unsigned
from spikewright.learn.rules.online import OnlineKickback
from spikewright.learn.tape import Array
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim import kickback as golden
from spikewright.sim.errors import DataError, FormatError, ProgramError, SpikewrightError
from spikewright.sim.fixed import QFormat

WIDE = QFormat(width=24, frac=20)


def signed(sizes: list[int], *, seed: int = 0) -> Network:
    layers: list[Layer] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [Dense(n_in, n_out), SignedRelu.alternating(n_out)]
    return Network(layers[:-1], seed=seed, initialiser="coherent")


def wide(sizes: list[int], rate: int, random_bits: int, seed: int) -> Any:
    """Rule of wide formats with any weights, and a sample and a target."""
    rng = np.random.default_rng(seed)
    rule = golden.Kickback(
        sizes=(*sizes, 1),
        signs=tuple(tuple(int(s) for s in rng.choice([-1, 1], n)) for n in sizes[1:]),
        input=QFormat(width=10, frac=8),
        activations=(QFormat(width=14, frac=9, signed=False),) * (len(sizes) - 1),
        weights=(WIDE,) * len(sizes),
        target=QFormat(width=8, frac=4),
        error=QFormat(width=20, frac=14),
        rate=rate,
        random_bits=random_bits,
    )
    shapes = itertools.pairwise([*sizes, 1])
    weights = [WIDE.encode(rng.uniform(-1, 1, (n, m))) for m, n in shapes]
    biases = [p.bias_format.encode(rng.uniform(-0.5, 0.5, p.rows)) for p in rule.products]
    memory = golden.Memory(weights, biases, 12345)
    return rule, memory, rng.integers(-256, 257, sizes[0]), int(rng.integers(-32, 33))


def decoded(rule: golden.Kickback, memory: golden.Memory) -> tuple[list[Array], list[Array]]:
    products = rule.products
    return (
        [p.weight_format.decode(w) for p, w in zip(products, memory.weights, strict=True)],
        [p.bias_format.decode(b) for p, b in zip(products, memory.biases, strict=True)],
    )


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.integers(0, 8),
    st.sampled_from([0, 1, 8, 15]),
    st.integers(0, 2**32),
)
def test_an_update_is_the_float_rules_but_for_its_one_rounding(
    sizes: list[int], rate: int, random_bits: int, seed: int
) -> None:
    random_bits = min(random_bits, 2 + rate)
    rule, memory, x, target = wide(sizes, rate, random_bits, seed)
    weights, biases = decoded(rule, memory)
    step = rule.step(memory, x, target)
    inputs = [f.decode(v)[None] for f, v in zip(rule.inputs, step.run.inputs, strict=True)]
    run = Pass(inputs, [on[None] for on in step.run.active], np.zeros((1, 1)))
    signs = [np.array(s, float) for s in rule.signs]
    error = np.array([[step.error * rule.error.lsb]])
    found = gradients(run, error, signs, kicked_back(run, weights, signs))
    after = decoded(rule, memory)
    # Half an LSB of the one rounding; with random bits less than a whole one.
    slack = 0.5 if random_bits == 0 else 1.0
    for layer, (by_weight, by_bias) in enumerate(found):
        moved = weights[layer] - after[0][layer] - 2.0**-rate * by_weight
        assert (abs(moved) <= slack * WIDE.lsb + 1e-12).all()
        moved = biases[layer] - after[1][layer] - 2.0**-rate * by_bias
        lsb = rule.products[layer].bias_format.lsb
        assert (abs(moved) <= 0.5 * lsb + 1e-12).all()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 2**32))
def test_the_forward_pass_is_the_float_rules_but_for_rounded_activations(
    sizes: list[int], seed: int
) -> None:
    rule, memory, x, target = wide(sizes, 0, 0, seed)
    weights, biases = decoded(rule, memory)
    signs = [np.array(s, float) for s in rule.signs]
    run = forward(rule.input.decode(x)[None], weights, biases, signs)
    output = rule.forward(memory, x).output * rule.products[-1].accumulator.lsb
    # Each activation is off by half an LSB and by the weights' sums of the layer before.
    off = 0.0
    for weight, fmt in zip(weights[1:], rule.activations, strict=True):
        off = (off + fmt.lsb / 2) * float(abs(weight).sum(axis=1).max())
        assert fmt.hi * fmt.lsb > 1.0
    assert abs(run.output[0, 0] - output) <= off + 1e-12
    wanted = run.output[0, 0] - target / 16
    assert (
        abs(rule.error_of(int(rule.forward(memory, x).output), target) * rule.error.lsb - wanted)
        <= off + rule.error.lsb / 2 + 1e-12
    )


def odd_or_even() -> tuple[Array, Array, Array, Array]:
    data = digits(seed=0)
    return data.x_train, data.y_train % 2, data.x_test, data.y_test % 2


def test_wide_formats_train_as_floating_point_does() -> None:
    x, y, x_test, _ = odd_or_even()
    x, targets = x[:300], 2.0 * y[:300] - 1
    network = signed([64, 12, 8, 1])
    learner = OnlineKickback(network, calibrate=x, weight_bits=16, random_bits=0, rate=7)
    learner.fit(x, targets, rates=[7, 8], seed=3)
    weights = [w.astype(float) for w in network.parameters()[::2]]
    biases = [b.astype(float) for b in network.parameters()[1::2]]
    signs = [np.array(layer.signs, float) for layer in network.layers[1::2]]
    rng = np.random.default_rng(3)
    for rate in (7, 8):
        for row in rng.permutation(len(x)):
            run = forward(x[row : row + 1].astype(float), weights, biases, signs)
            found = gradients(
                run, run.output - targets[row], signs, kicked_back(run, weights, signs)
            )
            for layer, (by_weight, by_bias) in enumerate(found):
                weights[layer] -= 2.0**-rate * by_weight
                biases[layer] -= 2.0**-rate * by_bias
    wanted = forward(x_test.astype(float), weights, biases, signs).output
    assert np.std(wanted) > 0.3
    assert abs(learner.forward(x_test) - wanted).max() < 0.02


@pytest.mark.parametrize("loss", ["mse", "squared-hinge"])
def test_few_bits_learn_with_random_bits_and_not_without(loss: str) -> None:
    x, y, x_test, y_test = odd_or_even()
    x, y, found = x[:600], y[:600], {}
    for random_bits in (8, 0):
        learner = OnlineKickback(
            signed([64, 16, 12, 1], seed=1),
            calibrate=x,
            weight_bits=6,
            loss=loss,
            random_bits=random_bits,
        )
        history = learner.fit(x, 2.0 * y - 1 if loss == "mse" else y, rates=[5, 5, 6])
        assert len(history) == 3
        found[random_bits] = float(np.mean(learner.predict(x_test) == y_test))
        if random_bits:
            assert history[-1]["loss"] < history[0]["loss"] / 1.5
            assert history[-1]["updates"] < (0.6 if loss == "squared-hinge" else 1.01)
    # Rounding to the nearest loses updates below half an LSB: here all that would start it.
    assert found[8] > 0.85
    assert found[0] < 0.6


def test_the_same_arguments_give_the_same_bits() -> None:
    x, y, *_ = odd_or_even()
    memories = []
    for seed, order in ((0, 0), (0, 0), (1, 0), (0, 1)):
        learner = OnlineKickback(signed([64, 8, 8, 1]), calibrate=x, seed=seed)
        learner.fit(x[:100], 2.0 * y[:100] - 1, epochs=2, seed=order)
        memories.append(learner.memory)
    assert (memories[0].weights[0] == memories[1].weights[0]).all()
    assert memories[0].generator == memories[1].generator
    for other in memories[2:]:
        assert (memories[0].weights[0] != other.weights[0]).any()


def test_what_was_learned_goes_back_to_floating_point_and_on_to_hardware() -> None:
    x, y, *_ = odd_or_even()
    network = signed([64, 12, 8, 1])
    before = [array.copy() for array in network.parameters()]
    learner = OnlineKickback(network, calibrate=x, loss="squared-hinge")
    learner.fit(x, y, epochs=2)
    back = learner.network()
    assert all((a == b).all() for a, b in zip(network.parameters(), before, strict=True))
    assert (back.parameters()[0] == learner.memory.weights[0] * learner.rule.weights[0].lsb).all()
    # Activations are rounded to 2^-11 or less.
    assert abs(back.forward(x) - learner.forward(x)).max() < 0.01
    quantize(unsigned(back), calibrate=x[:64])


def test_a_trained_network_goes_on_learning() -> None:
    x, y, x_test, y_test = odd_or_even()
    network = signed([64, 16, 1])
    fit(network, x, 2.0 * y - 1, rule="kickback", loss="mse", epochs=10)
    learner = OnlineKickback(network, calibrate=x, rate=7)
    assert learner.rule.weights[0].frac < 7
    inverted = 1 - x_test
    before = float(np.mean(learner.predict(inverted) == y_test))
    learner.fit(1 - x, 2.0 * y - 1, epochs=3)
    assert float(np.mean(learner.predict(inverted) == y_test)) > max(0.75, before + 0.1)


def test_formats() -> None:
    x = np.array([[0.0, 1.0, 0.25], [0.5, 0.25, 0.125]])
    rule = OnlineKickback(signed([3, 4, 1]), calibrate=x, activation_bits=8).rule
    # 1 has no place in 8 fraction bits of 8.
    assert str(rule.input) == "u8.7"
    assert (str(rule.error), str(rule.target)) == ("s16.12", "s16.12")
    assert str(OnlineKickback(signed([3, 4, 1]), calibrate=-x).rule.input) == "s16.14"
    assert str(OnlineKickback(signed([3, 4, 1]), calibrate=x * 0.99).rule.input) == "u16.16"
    limited = OnlineKickback(signed([3, 4, 1]), calibrate=x, weight_limit=8.0).rule
    assert {str(fmt) for fmt in limited.weights} == {"s8.4"}
    assert str(OnlineKickback(signed([3, 1]), calibrate=x).rule.weights[0])[:2] == "s8"


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"weight_bits": 17}, FormatError, "Weight width must be between 2 and 16 bits, not 17"),
        (
            {"activation_bits": 3},
            FormatError,
            "Activation width must be between 4 and 16 bits, not 3",
        ),
        ({"error_bits": 5}, FormatError, "Error width must be between 6 and 20 bits, not 5"),
        ({"rate": 32}, FormatError, "Rate must be between 0 and 31, not 32"),
        ({"loss": "bernoulli"}, FormatError, "Loss must be mse or squared-hinge, not 'bernoulli'"),
        (
            {"weight_limit": 3.0},
            ProgramError,
            "Weight limit must be a positive power of two, not 3.0",
        ),
        (
            {"weight_limit": 0.5},
            FormatError,
            "Weights of layer 0 must lie below their limit of 0.5, not 1.06: use a larger one",
        ),
        (
            {"calibrate": np.zeros((2, 4))},
            DataError,
            "calibrate must have 3 features, one per input of the network, not 4",
        ),
    ],
)
def test_refused(options: dict[str, Any], kind: type[SpikewrightError], message: str) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        OnlineKickback(signed([3, 4, 1]), **{"calibrate": np.ones((2, 3)), **options})


def test_other_networks_are_refused() -> None:
    with pytest.raises(ProgramError, match=r"^Kickback has one global error and so needs one out"):
        OnlineKickback(signed([3, 4, 2]), calibrate=np.ones((2, 3)))
    layers = [Dense(3, 4), Relu(), Relu(), Dense(4, 1)]
    with pytest.raises(ProgramError, match=r"^Kickback needs layers Dense, SignedRelu, ..., Dense"):
        OnlineKickback(Network(layers), calibrate=np.ones((2, 3)))


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (
            np.full((2, 3), 2.5),
            np.zeros(2),
            {},
            (
                "x must lie between 0 and 1.99997, what its format u16.15 holds, not at 2.5: scale "
                "it or calibrate on larger values"
            ),
        ),
        (
            np.ones((2, 3)),
            np.array([0, 9]),
            {},
            "y must lie between -8 and 7.99976, what its format s16.12 holds, not at 9: scale it",
        ),
        (np.ones((2, 3)), np.zeros(3), {}, "y must hold 2 numbers, one for each sample"),
        (np.ones((2, 3)), np.array(["a", "b"]), {}, "y must hold 2 numbers, one for each sample"),
        (
            np.ones((2, 3)),
            np.array([-1, 1]),
            {"loss": "squared-hinge"},
            "y must hold labels 0 and 1 for loss squared-hinge",
        ),
    ],
)
def test_samples_refused(x: Array, y: Array, options: dict[str, Any], message: str) -> None:
    learner = OnlineKickback(signed([3, 4, 1]), calibrate=np.ones((2, 3)), **options)
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        learner.fit(x, y)


def test_epochs_refused() -> None:
    learner = OnlineKickback(signed([3, 4, 1]), calibrate=np.ones((2, 3)))
    with pytest.raises(ProgramError, match=r"^Epochs must be an integer from 1, not 0$"):
        learner.fit(np.ones((2, 3)), np.zeros(2), epochs=0)
    with pytest.raises(ProgramError, match=r"^Rates must be one or more, not \(\)$"):
        learner.fit(np.ones((2, 3)), np.zeros(2), rates=())
