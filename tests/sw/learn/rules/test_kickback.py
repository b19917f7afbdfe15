# SPDX-License-Identifier: Apache-2.0
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.aware import quantization_aware
from spikewright.data import digits
from spikewright.learn import ops
from spikewright.learn.fit import fit
from spikewright.learn.layers import Dense, Layer, Relu, SignedRelu
from spikewright.learn.rules.kickback import (
    ERRORS,
    Kickback,
    feedback,
    forward,
    gradients,
    kicked_back,
    unsigned,
)
from spikewright.learn.tape import Array, Tape
from spikewright.learn.training import losses
from spikewright.network import Network
from spikewright.quantize import quantize
from spikewright.sim.errors import ProgramError


def drawn(sizes: list[int], seed: int) -> tuple[list[Array], list[Array], list[Array]]:
    """Weights, biases and signs in float64, of no particular sign."""
    rng = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(sizes))
    weights = [rng.normal(0, 1, (n_out, n_in)) for n_in, n_out in pairs]
    biases = [rng.normal(0, 1, n_out) for _, n_out in pairs]
    signs = [rng.choice([-1.0, 1.0], n) for n in sizes[1:-1]]
    return weights, biases, signs


def by_tape(
    loss: str, x: Array, targets: Array, weights: list[Array], biases: list[Array], signs: Any
) -> list[Array]:
    """Gradients of weights and biases by reverse-mode differentiation."""
    tape = Tape()
    made = [(tape.parameter(w), tape.parameter(b)) for w, b in zip(weights, biases, strict=True)]
    value = tape.constant(x)
    for (weight, bias), rho in zip(made, signs, strict=False):
        value = ops.mul(ops.relu(ops.linear(value, weight, bias)), tape.constant(rho))
    output = ops.linear(value, *made[-1])
    total = losses.LOSSES[loss](output, tape.constant(targets))
    tape.replay()
    tape.backward(total)
    return [parameter.gradient() for pair in made for parameter in pair]


@pytest.mark.parametrize("loss", ERRORS)
@pytest.mark.parametrize("seed", range(5))
def test_one_hidden_layer_is_backprop(loss: str, seed: int) -> None:
    weights, biases, signs = drawn([5, 7, 1], seed)
    rng = np.random.default_rng(seed)
    x, targets = rng.normal(0, 1, (11, 5)), rng.random((11, 1))
    run = forward(x, weights, biases, signs)
    _, errors = ERRORS[loss](run.output, targets)
    found = gradients(run, errors, signs, kicked_back(run, weights, signs))
    wanted = by_tape(loss, x, targets, weights, biases, signs)
    for a, b in zip([array for pair in found for array in pair], wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_tau_counts_active_nodes_of_the_next_layer_alone() -> None:
    weights, biases, signs = drawn([4, 3, 5, 2, 1], 0)
    x = np.random.default_rng(1).normal(0, 1, (6, 4))
    run = forward(x, weights, biases, signs)
    taus = kicked_back(run, weights, signs)
    for frame in range(6):
        for layer in range(3):
            for j in range(len(signs[layer])):
                if layer == 2:
                    wanted = weights[3][0, j]
                else:
                    nodes = range(len(signs[layer + 1]))
                    wanted = sum(
                        weights[layer + 1][k, j] * signs[layer + 1][k]
                        for k in nodes
                        if run.active[layer + 1][frame, k]
                    )
                assert taus[layer][frame, j] == pytest.approx(wanted, abs=1e-12)


def signed(sizes: list[int], *, seed: int = 0, initialiser: str | None = "coherent") -> Network:
    layers: list[Layer] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [Dense(n_in, n_out), SignedRelu.alternating(n_out)]
    return Network(layers[:-1], seed=seed, initialiser=initialiser)


@pytest.mark.parametrize("depth", [1, 2, 6])
def test_coherent_networks_learn_in_the_gradients_direction(depth: int) -> None:
    network = signed([9, *[16] * depth, 1])
    rng = np.random.default_rng(0)
    x, targets = rng.random((50, 9), np.float32), rng.random((50, 1)).astype(np.float32)
    rule = Kickback(network, "mse")
    step = rule.step(x, targets, np.arange(50), seed=0)
    # A node whose every successor is silent has tau = 0, and no gradient either.
    taus = kicked_back(forward(x, rule.weights, rule.biases, rule.signs), rule.weights, rule.signs)
    assert all((tau >= 0).all() for tau in taus)
    assert step.notes["coherence"] == np.mean(np.concatenate([t.ravel() for t in taus]) > 0)
    assert step.notes["coherence"] > 0.95
    wanted = by_tape("mse", x, targets, rule.weights, rule.biases, rule.signs)
    for found, gradient in zip(step.gradients, wanted, strict=True):
        assert found.shape == gradient.shape
        assert np.vdot(found, gradient) >= 0
        # Frame by frame the signs agree; their sum over frames need not.
    assert step.loss == pytest.approx(float(np.mean((network.forward(x) - targets) ** 2)), rel=1e-5)
    np.testing.assert_allclose(step.outputs, network.forward(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", ["kickback", "broadcast", "frozen", "feedback"])
def test_without_hidden_layers_it_is_the_delta_rule(rule: str) -> None:
    x = np.random.default_rng(0).normal(0, 1, (400, 3))
    y = x @ [0.5, -1, 0.25] + 0.125
    network = Network([Dense(3, 1)])
    history = fit(network, x, y, rule=rule, loss="mse", epochs=30, learning_rate=0.03)
    np.testing.assert_allclose(network.parameters()[0], [[0.5, -1, 0.25]], atol=1e-3)
    assert "coherence" not in history[0]


def odd_or_even() -> tuple[Array, Array, Array, Array]:
    data = digits(seed=0)
    return data.x_train, data.y_train % 2, data.x_test, data.y_test % 2


def share(network: Network, x: Array, y: Array) -> float:
    return float(np.mean((network.forward(x)[:, 0] > 0) == y))


def test_it_learns_and_the_lower_layers_do() -> None:
    x, y, x_test, y_test = odd_or_even()
    found = {}
    for rule in ("kickback", "frozen"):
        network = signed([64, 24, 24, 1], seed=1)
        before = network.parameters()[0].copy()
        history = fit(network, x, y, rule=rule, loss="bernoulli", epochs=12, seed=0)
        found[rule] = share(network, x_test, y_test)
        assert (network.parameters()[0] == before).all() == (rule == "frozen")
        assert all(0 < entry["coherence"] <= 1 for entry in history)
    assert found["kickback"] > 0.9
    assert found["kickback"] > found["frozen"] + 0.08


@pytest.mark.parametrize("rule", ["kickback", "broadcast", "frozen", "feedback"])
def test_a_run_is_repeated_to_the_bit(rule: str) -> None:
    x, y, *_ = odd_or_even()
    runs = []
    for _ in range(2):
        network = signed([64, 8, 8, 1])
        fit(network, x[:200], y[:200], rule=rule, loss="bernoulli", epochs=2)
        runs.append(network.parameters())
    assert all((a == b).all() for a, b in zip(*runs, strict=True))


def test_feedback_is_drawn_once() -> None:
    weights, biases, signs = drawn([4, 6, 5, 1], 0)
    paths = feedback(3)
    x = np.random.default_rng(0).normal(0, 1, (7, 4))
    first = paths(forward(x, weights, biases, signs), weights, signs)
    again = paths(forward(x[:2], weights, biases, signs), weights, signs)
    assert [tau.shape for tau in first] == [(7, 6), (7, 5)]
    for a, b in zip(first, again, strict=True):
        assert (a == a[0]).all()
        assert (a[0] == b[0]).all()
        assert len(set(a[0])) == a.shape[1]


def test_without_signs_it_is_the_same_function(tmp_path: Path) -> None:
    x, y, *_ = odd_or_even()
    network = signed([64, 12, 8, 1])
    fit(network, x[:400], y[:400], rule="kickback", loss="bernoulli", epochs=3)
    plain = unsigned(network)
    assert [type(layer) for layer in plain.layers] == [Dense, Relu, Dense, Relu, Dense]
    np.testing.assert_array_equal(plain.forward(x), network.forward(x))
    quantize(plain, calibrate=x[:64])
    message = (
        "Signs of SignedRelu must be in the weights after it to have a hardware form: "
        "quantize spikewright.learn.rules.kickback.unsigned(network)"
    )
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        quantize(network, calibrate=x[:64])
    network.save(tmp_path / "network.npz")
    np.testing.assert_array_equal(
        Network.load(tmp_path / "network.npz").forward(x), network.forward(x)
    )


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        (
            [Dense(3, 4), SignedRelu([1, -1, 1, -1]), Dense(4, 2)],
            {},
            (
                "Kickback has one global error and so needs one output, not 2: train a network "
                "for each class against the rest by spikewright.learn.rules.versus.OneVersusRest, "
                'or use rule="backprop"'
            ),
        ),
        (
            [Dense(3, 4), Relu(), Relu(), Dense(4, 1)],
            {},
            "Kickback needs layers Dense, SignedRelu, ..., Dense, not Dense, Relu, Relu, Dense",
        ),
        (
            [Dense(3, 1)],
            {"loss": "l1"},
            "Kickback needs the loss mse or bernoulli, not 'l1'",
        ),
    ],
)
def test_refused(layers: list[Layer], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        fit(
            Network(layers),
            np.zeros((8, 3)),
            np.zeros((8, Network(layers).n_out)),
            **{"rule": "kickback", "loss": "mse", **options},
        )


@pytest.mark.parametrize("signs", [[], [1, 0], [2]])
def test_signs_refused(signs: list[int]) -> None:
    with pytest.raises(ProgramError, match=r"^Signs must be 1 or -1, one for each node$"):
        SignedRelu(signs)


def test_what_cannot_be_unsigned() -> None:
    network = Network([Dense(3, 2), SignedRelu([1, -1]), Relu(), Dense(2, 1)])
    with pytest.raises(
        ProgramError, match=r"^Layer 2, Relu\(\), must be Dense to take the signs before it$"
    ):
        unsigned(network)
    with pytest.raises(
        ProgramError, match=r"^Network must not end in SignedRelu: Dense must follow it$"
    ):
        unsigned(Network([Dense(3, 2), SignedRelu([1, -1])]))


def test_a_network_that_rounds_is_refused() -> None:
    x, *_ = odd_or_even()
    aware = quantization_aware(Network([Dense(64, 4), Relu(), Dense(4, 1)]), x[:64])
    message = 'Kickback needs a network in floating point, not one that rounds: use rule="backprop"'
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        fit(aware, x, np.zeros(len(x)), rule="kickback", loss="mse", epochs=1)
