# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest
from trained import blobs, trained

from spikewright.encoding import input_codes
from spikewright.learn.fit import fit
from spikewright.quantize import quantize
from spikewright.sim.emulator import Emulator
from spikewright.sim.errors import DataError, FormatError
from spikewright.widths import narrowest


def search(neuron, **options):
    data = blobs()
    return narrowest(trained(neuron), data.x_test, data.y_test, calibrate=data.x_train, **options)


@pytest.mark.parametrize("neuron", ["relu", "lif"])
def test_widths_found_keep_the_budget(neuron):
    data = blobs()
    found = search(neuron, budget=2.0)
    assert found.float_accuracy - found.accuracy <= 0.02
    assert sum(found.weight_bits + found.activation_bits) < 5 * len(
        found.weight_bits + found.activation_bits
    )
    program = quantize(found.network)
    codes = {"x": input_codes(program, data.x_test)}
    classes = Emulator(program, engine="NumPy").run(codes)["class"][:, 0]
    assert np.mean(classes == data.y_test) == found.accuracy
    assert [form.width for form in found.network.formats.weights] == list(found.weight_bits)


def test_every_step_takes_the_width_that_costs_least():
    found = search("relu", budget=2.0, start=6)
    kept = [k for k, trial in enumerate(found.trials) if trial.kept]
    assert kept[0] == 0
    bits = [trial.weight_bits + trial.activation_bits for trial in found.trials]
    for before, after in itertools.pairwise(kept):
        assert sum(bits[before]) - sum(bits[after]) == 1
        rivals = [
            trial
            for trial, widths in zip(found.trials, bits, strict=True)
            if sum(widths) == sum(bits[after])
        ]
        assert found.trials[after].accuracy == max(trial.accuracy for trial in rivals)
    last = [
        t
        for t, widths in zip(found.trials, bits, strict=True)
        if widths not in bits[: kept[-1] + 1]
    ]
    assert all(found.float_accuracy - trial.accuracy > 0.02 for trial in last)


def test_a_width_that_could_not_be_narrowed_is_not_tried_again():
    found = search("relu", budget=2.0)
    bits = [trial.weight_bits + trial.activation_bits for trial in found.trials]
    base, failed = bits[0], {}
    for trial, widths in zip(found.trials[1:], bits[1:], strict=True):
        base = next(
            kept
            for kept, t in zip(bits, found.trials, strict=True)
            if t.kept and sum(kept) == sum(widths) + 1
        )
        place = next(k for k, (old, new) in enumerate(zip(base, widths, strict=True)) if old > new)
        assert failed.get(place, sum(base)) == sum(base)
        if found.float_accuracy - trial.accuracy > 0.021:
            failed[place] = sum(base)
    assert failed


def test_a_larger_budget_finds_narrower_widths():
    totals = [sum(search("relu", budget=b, activations=False).weight_bits) for b in (0, 60)]
    assert totals[0] > totals[1] == 4


def test_activations_may_stay():
    found = search("relu", budget=2.0, activations=False)
    assert found.activation_bits == (8, 8)
    assert sum(found.weight_bits) < 16


def test_least_is_a_limit():
    found = search("lif", budget=100.0, start=5, least=4)
    assert found.weight_bits == (4, 4)
    assert found.activation_bits == (4, 4, 4)


def test_training_between_goes_further_and_leaves_the_network_alone():
    data, network = blobs(), trained("relu")
    before = [array.copy() for array in network.parameters()]

    def tune(aware):
        options = {"epochs": 10, "batch": 16, "learning_rate": 0.01}
        fit(aware, data.x_train, data.y_train, **options)

    plain = search("relu", budget=2.0, start=6)
    found = search("relu", budget=2.0, start=6, tune=tune)
    assert sum(found.weight_bits + found.activation_bits) < sum(
        plain.weight_bits + plain.activation_bits
    )
    assert found.best.tuned or any(trial.tuned and trial.kept for trial in found.trials)
    assert found.network.accuracy(data.x_test, data.y_test) == found.accuracy
    assert all(np.array_equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_search_goes_on_from_what_was_trained():
    data, calls = blobs(), []

    def tune(aware):
        before = aware.network.layers[0].weight.copy()
        options = {"epochs": 5, "batch": 16, "learning_rate": 0.01, "validation": 0.0}
        fit(aware, data.x_train, data.y_train, **options)
        calls.append((before, aware.network.layers[0].weight.copy()))

    found = search("relu", budget=2.0, start=4, tune=tune)
    tuned = [trial.kept for trial in found.trials if trial.tuned]
    assert len(tuned) == len(calls)
    last = trained("relu").layers[0].weight
    for kept, (before, after) in zip(tuned, calls, strict=True):
        assert np.array_equal(before, last)
        last = after if kept else last
    assert sum(tuned) >= 2
    assert np.array_equal(found.network.network.layers[0].weight, last)


def test_table_says_every_trial():
    found = search("relu", budget=100.0, start=3)
    lines = found.table().splitlines()
    assert lines[0] == "| weights | activations | accuracy (%) | lost (points) | tuned | kept |"
    assert len(lines) == 2 + len(found.trials)
    first = found.trials[0]
    lost = 100 * (found.float_accuracy - first.accuracy)
    assert lines[2] == f"| 3 3 | 3 3 | {100 * first.accuracy:.2f} | {lost:.2f} |  | yes |"


def test_widths_that_lose_too_much_at_first_are_refused():
    with pytest.raises(
        DataError,
        match=r"^Widths of 2 bits lose \d+\.\d\d points, more than the budget of 0\.5: begin with "
        r"more bits \(at most 16\), or give more points$",
    ):
        search("relu", budget=0.5, start=2)


@pytest.mark.parametrize("budget", [-1.0, 101.0, float("nan")])
def test_budget_is_in_points(budget):
    with pytest.raises(
        DataError, match=rf"^Budget must be between 0 and 100 points, not {budget}$"
    ):
        search("relu", budget=budget)


def test_limits_are_checked():
    with pytest.raises(FormatError, match=r"^Weight width must be between 2 and 16 bits, not 17$"):
        search("relu", budget=1.0, start=17)
    with pytest.raises(FormatError, match=r"^Least width must be between 2 and 8 bits, not 9$"):
        search("relu", budget=1.0, least=9)
