# SPDX-License-Identifier: Apache-2.0
"""Integer Kickback against loops over Python integers, and its formats against what they hold."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.kickback import ERRORS, Kickback, Memory
from spikewright.sim.lfsr import advance

BYTE = QFormat(width=8, frac=7)
RULE = Kickback(
    sizes=(3, 2, 1),
    signs=((1, -1),),
    input=QFormat(width=8, frac=8, signed=False),
    activations=(QFormat(width=8, frac=6, signed=False),),
    weights=(BYTE, BYTE),
    target=QFormat(width=2),
    error=QFormat(width=8, frac=5),
    rate=4,
)


@st.composite
def rules(draw: st.DrawFn) -> Kickback:
    hidden = tuple(draw(st.lists(st.integers(1, 4), max_size=3)))
    sizes = (draw(st.integers(1, 4)), *hidden, 1)
    signs = tuple(tuple(draw(st.sampled_from((1, -1))) for _ in range(n)) for n in hidden)
    # The error's fraction bits leave enough to drop for any number of random bits.
    return Kickback(
        sizes=sizes,
        signs=signs,
        input=draw(formats(st.booleans(), 10)),
        activations=tuple(draw(formats(st.just(False), 10)) for _ in hidden),
        weights=tuple(draw(formats(st.just(True), 10)) for _ in sizes[1:]),
        bias_width=draw(st.integers(4, 20)),
        target=draw(formats(st.booleans(), 6)),
        error=QFormat(width=draw(st.integers(1, 12)), frac=draw(st.integers(8, 12))),
        rate=draw(st.integers(2, 8)),
        random_bits=draw(st.integers(0, 2)),
        loss=draw(st.sampled_from(list(ERRORS))),
    )


def formats(signed: st.SearchStrategy[bool], widest: int) -> st.SearchStrategy[QFormat]:
    return st.builds(QFormat, width=st.integers(1, widest), frac=st.integers(0, 8), signed=signed)


def anything(rule: Kickback, seed: int) -> Memory:
    """Weights and biases from all of their formats, or from its ends."""
    rng = np.random.default_rng(seed)
    pairs = [(p, (p.rows, p.columns), p.weight_format) for p in rule.products]
    return Memory(
        [codes(rng, fmt, shape) for _, shape, fmt in pairs],
        [codes(rng, p.bias_format, (p.rows,)) for p, *_ in pairs],
        int(rng.integers(1, 2**31)),
    )


def codes(rng: np.random.Generator, fmt: QFormat, shape: tuple[int, ...]) -> Any:
    if rng.random() < 0.3:
        return rng.choice([fmt.lo, fmt.hi], shape)
    return rng.integers(fmt.lo, fmt.hi, shape, endpoint=True)


def rounded(code: int, shift: int, u: int = 0, bits: int = 0) -> int:
    """As the docstring has it, with one more bit for its half."""
    if shift < 0:
        return code << -shift
    return (2 * code + ((2 * u + 1) << (shift - bits))) >> (shift + 1)


def oracle(rule: Kickback, memory: Memory, x: list[int], target: int) -> tuple[Any, ...]:
    """One sample by loops over Python integers: output, error, taus, new memory, values seen."""
    weights = [w.tolist() for w in memory.weights]
    biases = [b.tolist() for b in memory.biases]
    seen: dict[str, list[list[int]]] = {"z": [], "tau": [], "delta": [], "update": []}
    inputs, active = [x], []
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        z = [
            b + sum(w * v for w, v in zip(row, inputs[-1], strict=True))
            for row, b in zip(weight, bias, strict=True)
        ]
        seen["z"].append(z)
        if layer == len(weights) - 1:
            break
        a = rule.activations[layer]
        shift = rule.inputs[layer].frac + rule.weights[layer].frac - a.frac
        active.append([v > 0 for v in z])
        magnitudes = [min(rounded(max(v, 0), shift), a.hi) for v in z]
        inputs.append([r * m for r, m in zip(rule.signs[layer], magnitudes, strict=True)])
    y_frac = rule.inputs[-1].frac + rule.weights[-1].frac
    frac = max(y_frac, rule.target.frac)
    y, t = z[0] << (frac - y_frac), target << (frac - rule.target.frac)
    exact = y - t
    if rule.loss == "squared-hinge" and ((t > 0 and y > t) or (t <= 0 and y < t)):
        exact = 0
    seen["difference"] = [[y - t]]
    error = rounded(exact, frac - rule.error.frac)
    error = min(max(error, rule.error.lo), rule.error.hi)
    taus, deltas = [], []
    for layer, signs in enumerate(rule.signs):
        last = layer == len(rule.signs) - 1
        rhos, on = ([1], [1]) if last else (rule.signs[layer + 1], active[layer + 1])
        taus.append(
            [
                sum(
                    row[j] * rho
                    for row, rho, one in zip(weights[layer + 1], rhos, on, strict=True)
                    if one
                )
                for j in range(len(signs))
            ]
        )
        terms = zip(taus[-1], signs, active[layer], strict=True)
        deltas.append([error * tau * rho * one for tau, rho, one in terms])
    deltas.append([error])
    state = memory.generator
    clipped = 0
    for layer, delta in enumerate(deltas):
        shift = rule.deltas[layer].frac + rule.inputs[layer].frac + rule.rate
        shift -= rule.weights[layer].frac
        products = []
        for j, row in enumerate(weights[layer]):
            for i in range(len(row)):
                u = state & ((1 << rule.random_bits) - 1)
                state = advance(state, rule.random_bits)
                products.append(delta[j] * inputs[layer][i])
                wanted = row[i] - rounded(products[-1], shift, u, rule.random_bits)
                row[i] = min(max(wanted, rule.weights[layer].lo), rule.weights[layer].hi)
                clipped += row[i] != wanted
        fmt = rule.products[layer].bias_format
        shift = rule.deltas[layer].frac + rule.rate - fmt.frac
        for j in range(len(delta)):
            wanted = biases[layer][j] - rounded(delta[j], shift)
            biases[layer][j] = min(max(wanted, fmt.lo), fmt.hi)
            clipped += biases[layer][j] != wanted
        seen["update"].append(products)
    seen["tau"], seen["delta"] = taus, deltas
    return seen["z"][-1][0], error, taus, clipped, weights, biases, state, seen


@given(rules(), st.integers(0, 2**32))
def test_a_step_is_what_loops_over_integers_give(rule: Kickback, seed: int) -> None:
    memory, rng = anything(rule, seed), np.random.default_rng(seed)
    for _ in range(3):
        x = codes(rng, rule.input, (rule.sizes[0],))
        target = int(codes(rng, rule.target, ()))
        output, error, taus, clipped, weights, biases, state, seen = oracle(
            rule, memory, x.tolist(), target
        )
        step = rule.step(memory, x, target)
        assert int(step.run.output) == output
        assert (step.error, step.clipped) == (error, clipped)
        assert [tau.tolist() for tau in step.taus] == taus
        assert [w.tolist() for w in memory.weights] == weights
        assert [b.tolist() for b in memory.biases] == biases
        assert memory.generator == state
        for product, z in zip(rule.products, seen["z"], strict=True):
            assert product.accumulator.holds(z)
        assert rule.difference.holds(seen["difference"])
        for formats_of, what in ((rule.taus, "tau"), (rule.deltas, "delta")):
            for fmt, found in zip(formats_of, seen[what], strict=True):
                assert fmt.holds(found)
                assert fmt.holds([-value for value in found]) or what == "delta"
        for fmt, shift, found in zip(rule.updates, rule.shifts, seen["update"], strict=True):
            assert fmt.holds(found)
            assert fmt.holds([max(found) + (1 << shift) - 1])


@given(rules(), st.integers(0, 2**32))
def test_samples_together_are_samples_one_by_one(rule: Kickback, seed: int) -> None:
    memory, rng = anything(rule, seed), np.random.default_rng(seed)
    x = codes(rng, rule.input, (5, rule.sizes[0]))
    together = rule.forward(memory, x)
    for row, output in zip(x, together.output, strict=True):
        assert rule.forward(memory, row).output == output


def test_formats_are_as_narrow_as_the_numbers_allow() -> None:
    # z: 3 * 255 * 128 with a bias of 32 bits; y: 2 * 255 * 128 with a bias.
    assert [str(p.accumulator) for p in RULE.products] == ["s33.15", "s33.13"]
    assert [str(x) for x in RULE.inputs] == ["u8.8", "s9.6"]
    # tau is one weight or its negative: -128 to 128.
    assert [str(tau) for tau in RULE.taus] == ["s9.7"]
    assert [str(delta) for delta in RULE.deltas] == ["s16.12", "s8.5"]
    # e tau x reaches 128 * 128 * 255, and 128 * 255.
    assert RULE.shifts == (12 + 8 + 4 - 7, 5 + 6 + 4 - 7)
    assert [str(update) for update in RULE.updates] == ["s24.0", "s17.0"]
    assert RULE.bias_shifts == (12 + 4 - 15, 5 + 4 - 13)
    # The updates' formats reach 63 and 255 codes of a weight, and less than 2^31 of a bias.
    assert [str(fmt) for fmt in RULE.weight_sums] == ["s9.7", "s10.7"]
    assert [str(fmt) for fmt in RULE.bias_sums] == ["s33.15", "s33.13"]


def test_a_right_answer_changes_nothing_but_the_generator() -> None:
    rule = replace(RULE, loss="squared-hinge", random_bits=4)
    memory = Memory(
        [np.full((2, 3), 5), np.array([[100, 50]])], [np.zeros(2, int), np.array([1 << 14])], 12345
    )
    before = [array.copy() for array in memory.weights + memory.biases]
    step = rule.step(memory, np.array([10, 20, 30]), 1)
    assert step.error == 0
    for array, kept in zip(memory.weights + memory.biases, before, strict=True):
        np.testing.assert_array_equal(array, kept)
    assert memory.generator == advance(12345, 8 * 4)


def test_the_smallest_positive_sum_makes_a_node_active() -> None:
    memory = Memory(
        [np.array([[1, 0, 0], [0, 0, 0]]), np.array([[0, 0]])],
        [np.zeros(2, int), np.zeros(1, int)],
    )
    run = RULE.forward(memory, np.array([1, 0, 0]))
    assert run.active[0].tolist() == [True, False]
    # And yet its activation rounds to 0.
    assert run.inputs[1].tolist() == [0, 0]


def test_saturation_is_counted_and_holds() -> None:
    rule = replace(RULE, rate=0)
    memory = Memory(
        [np.full((2, 3), 127), np.array([[127, 127]])], [np.zeros(2, int), np.zeros(1, int)]
    )
    step = rule.step(memory, np.array([255, 255, 255]), 1)
    # y = 0, so e = -1: node 0 and its output weight grow beyond their format, 3 + 1 weights; node 1
    # loses 127 * 255 / 256 and its output weight, by 190 / 64, falls beyond its format.
    assert (step.error, step.clipped, step.saturated) == (-32, 5, 0)
    assert memory.weights[0].tolist() == [[127, 127, 127], [0, 0, 0]]
    assert memory.weights[1].tolist() == [[127, -128]]
    memory.biases[0][:] = 1 << 20
    assert rule.step(memory, np.array([255, 255, 255]), 1).saturated == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sizes": (3, 2, 2)},
            "Sizes must be two or more positive integers, the last 1, not (3, 2, 2)",
        ),
        ({"sizes": (3, 2, 2, 1)}, "Signs must be 2, one for each layer, not 1"),
        ({"weights": (BYTE,)}, "Weight formats must be 2, one for each layer, not 1"),
        ({"signs": ((1, 0),)}, "Signs must be 1 or -1, one for each of 2 nodes, not (1, 0)"),
        ({"signs": ((1,),)}, "Signs must be 1 or -1, one for each of 2 nodes, not (1,)"),
        ({"activations": (BYTE,)}, "Activation format must be unsigned, not s8.7"),
        ({"error": RULE.input}, "Error format must be signed, not u8.8"),
        ({"rate": 32}, "Rate must be between 0 and 31, not 32"),
        ({"random_bits": 16}, "Random bits must be between 0 and 15, not 16"),
        ({"loss": "l1"}, "Loss must be mse or squared-hinge, not 'l1'"),
        ({"bias_width": 33}, "Bias width must be between 1 and 32, not 33"),
        (
            {"random_bits": 12},
            (
                "Update of layer 1 must drop at least 12 bits, as many as it draws, not 8: use "
                "more fraction bits of the error or a larger rate"
            ),
        ),
        (
            {"rate": 0, "weights": (QFormat(width=8, frac=30), BYTE)},
            (
                "Update of layer 0 must drop at least 0 bits, as many as it draws, not -10: use "
                "more fraction bits of the error or a larger rate"
            ),
        ),
        (
            {"activations": (QFormat(width=40, frac=60, signed=False),)},
            (
                "Accumulator would need 70 bits, and 64 is the limit: use narrower weights or "
                "activations"
            ),
        ),
        (
            {"error": QFormat(width=40, frac=30), "input": QFormat(width=20, frac=8)},
            (
                "Accumulator would need 67 bits, and 64 is the limit: use narrower weights or "
                "activations"
            ),
        ),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=f"^{re.escape(message)}$"):
        replace(RULE, **change)
