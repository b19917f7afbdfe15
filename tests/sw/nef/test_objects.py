# SPDX-License-Identifier: Apache-2.0
"""What ensembles, nodes and networks are refused with, at once or where they are built."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikewright import nef
from spikewright.sim.errors import DataError, FormatError, ProgramError, SpikewrightWarning


def sentence_of(make: Callable[[], Any], error: type[Exception] = ProgramError) -> str:
    """What making something in a network of its own, and building that, is refused with."""
    with nef.Network(seed=1) as model:
        nef.Probe(make())
    with pytest.raises(error) as caught:
        nef.Simulator(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"n_neurons": 0}, "Neurons of an ensemble must be an integer from 1, not 0"),
        ({"n_neurons": 9.0}, "Neurons of an ensemble must be an integer from 1, not 9.0"),
        ({"n_neurons": True}, "Neurons of an ensemble must be an integer from 1, not True"),
        ({"dimensions": 0}, "Dimensions of an ensemble must be an integer from 1, not 0"),
        ({"radius": 0}, "Radius must be positive and finite, not 0"),
        ({"radius": -1.0}, "Radius must be positive and finite, not -1.0"),
        ({"radius": math.inf}, "Radius must be positive and finite, not inf"),
        ({"radius": "1"}, "Radius must be positive and finite, not '1'"),
        ({"seed": -1}, "Seed of an ensemble must be an integer from 0, not -1"),
        (
            {"n_eval_points": 0},
            "Evaluation points of an ensemble must be an integer from 1, not 0",
        ),
        ({"gain": 1.0}, "Gain and bias must be given together, or neither"),
        (
            {"neuron_type": "LIF"},
            "Neurons must be LIF() or SpikingRectifiedLinear(), not 'LIF'",
        ),
        (
            {"neuron_type": nef.LIF},
            (
                "Neurons must be LIF() or SpikingRectifiedLinear(), "
                "not <class 'spikewright.nef.neurons.LIF'>"
            ),
        ),
        ({"label": 3}, "Label of Ensemble must be text or None, not 3"),
    ],
)
def test_options_that_ensembles_refuse_at_once(options: Any, sentence: str) -> None:
    with nef.Network(), pytest.raises(ProgramError) as caught:
        nef.Ensemble(**{"n_neurons": 10, "dimensions": 1, **options})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"intercepts": 1.0},
            "Intercepts of e must be at least -1 and below 1, in units of the radius, not 1",
        ),
        (
            {"intercepts": [-1.5, *[0.0] * 9], "radius": 2.0},
            "Intercepts of e must be at least -1 and below 1, in units of the radius, not -1.5",
        ),
        ({"intercepts": "low"}, "Intercepts of e must be numbers, not 'low'"),
        ({"intercepts": None}, "Intercepts of e must be numbers, not None"),
        (
            {"max_rates": 350.0},
            (
                "Maximum rates of e must be below 333.3 Hz in steps of 0.001 s, not 350.0: "
                "use substeps=2 or lower rates"
            ),
        ),
        (
            {"max_rates": 480.0},
            (
                "Maximum rates of e must be below 333.3 Hz in steps of 0.001 s, not 480.0: "
                "use substeps=13 or lower rates"
            ),
        ),
        (
            {"max_rates": 501.0},
            (
                "Maximum rates of e must be below 333.3 Hz in steps of 0.001 s, not 501.0: "
                "use lower ones"
            ),
        ),
        (
            {"max_rates": 1000.0, "neuron_type": nef.SpikingRectifiedLinear()},
            (
                "Maximum rates of e must be below 1000.0 Hz in steps of 0.001 s, not 1000.0: "
                "use substeps=2 or lower rates"
            ),
        ),
        ({"max_rates": [100.0] * 9 + [0]}, "Maximum rates of e must be above 0 Hz, not 0"),
        (
            {"max_rates": [100.0] * 9 + [0.3]},
            (
                "Maximum rates of e must be higher than 0.3 Hz, whose current does not differ from "
                "that at which neurons begin to fire"
            ),
        ),
        (
            {"max_rates": [100, 120]},
            "Maximum rates of e must be Uniform, a number or 10 finite ones, not [100, 120]",
        ),
        (
            {"encoders": np.ones((10, 3))},
            "Encoders of e must have shape (10, 1), not (10, 3)",
        ),
        ({"encoders": np.zeros(10)}, "Encoders of e must be finite and not zero"),
        ({"encoders": [math.nan] * 10}, "Encoders of e must be finite and not zero"),
        (
            {"eval_points": np.ones((4, 2))},
            "Evaluation points of e must have shape (points, 1), one point at least, not (4, 2)",
        ),
        (
            {"eval_points": []},
            "Evaluation points of e must have shape (points, 1), one point at least, not (0, 1)",
        ),
        ({"eval_points": [0, math.inf]}, "Evaluation points of e must be finite"),
        (
            {"neuron_type": nef.LIF(tau_ref=0.3), "max_rates": 3.0},
            "Refractory period of e must be at most 255 steps (0.255 s), not 0.3 s",
        ),
    ],
)
def test_what_ensembles_are_refused_with_when_built(options: Any, sentence: str) -> None:
    options = {"label": "e", **options}
    assert sentence_of(lambda: nef.Ensemble(10, 1, **options)) == sentence


def test_substeps_that_a_sentence_offers_do() -> None:
    with nef.Network() as model:
        nef.Probe(nef.Ensemble(10, 1, max_rates=480.0))
    nef.Simulator(model, substeps=13)
    for fewer in (1, 12):
        with pytest.raises(
            ProgramError, match=r"^Maximum rates of .*: use substeps=13 or lower rates$"
        ):
            nef.Simulator(model, substeps=fewer)


@pytest.mark.parametrize(
    ("options", "reach"),
    [
        ({"intercepts": 0.9999999}, r"1\.\d+e\+07"),
        ({"gain": 1e9, "bias": 1.5 - 1e9}, r"\d\S*e\+08"),
    ],
)
def test_currents_without_a_format_are_refused(options: Any, reach: str) -> None:
    with nef.Network() as model:
        nef.Probe(nef.Ensemble(10, 1, label="e", **options))
    with pytest.raises(
        FormatError,
        match=rf"^Currents of e reach {reach} times the threshold, which leave a membrane of 18 "
        r"bits -\d+ fraction bits, and it needs 4: use lower intercepts, gains or biases$",
    ):
        nef.Simulator(model)


def test_gains_too_high_for_the_step_are_refused() -> None:
    assert sentence_of(lambda: nef.Ensemble(10, 1, gain=10.0, bias=30.0, label="e")) == (
        "Maximum rates of e must be below 333.3 Hz in steps of 0.001 s, not 399.0: "
        "use substeps=2 or lower rates"
    )


def test_neurons_whose_bits_keep_them_silent_are_told() -> None:
    with nef.Network(seed=1) as model:
        nef.Probe(nef.Ensemble(10, 1, label="e", max_rates=[5.0, 50.0] * 5))
    with pytest.warns(
        SpikewrightWarning,
        match=r"^5 neurons of e never fire in voltages of 18 bits, though their currents are above "
        r"the threshold: use higher maximum rates or a wider Precision\(membrane=\.\.\.\)$",
    ):
        nef.Simulator(model)


def test_neurons_that_never_fire_are_refused() -> None:
    found = sentence_of(lambda: nef.Ensemble(10, 1, gain=1.0, bias=-9, label="e"), DataError)
    assert found == (
        "Decoders of the vector of e cannot be solved: None of 10 neurons fires at any of 750 "
        "samples: look at the intercepts, which must be below what the samples reach"
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: nef.Node("x"), "Output of node must be numbers, not 'x'"),
        (lambda: nef.Node([math.nan]), "Output of node must be finite, not [nan]"),
        (
            lambda: nef.Node(np.ones((2, 2))),
            "Output of node must be a vector, not of shape (2, 2)",
        ),
        (
            lambda: nef.Node([1.0], size_in=1),
            "Output of node must be a function to take an input",
        ),
        (lambda: nef.Node([1.0], size_out=2), "Output of node must have 2 numbers, not 1"),
        (lambda: nef.Node(size_in=-1), "Size of a node's input must be an integer from 0, not -1"),
        (
            lambda: nef.Node(lambda t: 1, size_out="1"),
            "Size of a node's output must be an integer from 0, not '1'",
        ),
        (
            lambda: nef.Node(lambda t, x: x, label="n"),
            "Output of n must take the time, which (t, x) does not",
        ),
        (
            lambda: nef.Node(lambda t: t, size_in=2, label="n"),
            "Output of n must take the time and a vector, which (t) does not",
        ),
        (lambda: nef.Node(lambda t: "a", label="n"), "Output of n at 0 s must be numbers, not 'a'"),
        (lambda: nef.Node(label=b"n"), "Label of Node must be text or None, not b'n'"),
    ],
)
def test_what_nodes_refuse(make: Any, sentence: str) -> None:
    with nef.Network(), pytest.raises(ProgramError) as caught:
        make()
    assert str(caught.value) == sentence


@pytest.mark.parametrize("key", [2, -3, "x", 0.5, None, slice(2, None), [0, 2]])
def test_dimensions_that_are_not_there_are_refused(key: Any) -> None:
    with nef.Network():
        for thing in (nef.Ensemble(10, 2), nef.Node([1.0, 2.0])):
            with pytest.raises(ProgramError) as caught:
                thing[key]
            assert str(caught.value) == f"Dimensions must be among 0 to 1, not {key!r}"


@pytest.mark.parametrize(
    ("key", "indices"), [(-1, (2,)), ([0, 0], (0, 0)), (slice(None, None, 2), (0, 2))]
)
def test_dimensions(key: Any, indices: Any) -> None:
    with nef.Network():
        assert nef.Ensemble(10, 3)[key].indices == indices


def test_single_neurons_are_refused() -> None:
    with nef.Network(), pytest.raises(ProgramError) as caught:
        nef.Ensemble(10, 1, label="e").neurons[3]
    assert str(caught.value) == (
        "neurons of e must be connected whole: use a transform of zeros and ones"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seed": -1}, "Seed must be an integer from 0, not -1"),
        ({"seed": "1"}, "Seed must be an integer from 0, not '1'"),
        ({"label": 3}, "Label of Network must be text or None, not 3"),
    ],
)
def test_what_networks_refuse(options: Any, sentence: str) -> None:
    with pytest.raises(ProgramError) as caught:
        nef.Network(**options)
    assert str(caught.value) == sentence


def test_objects_must_be_made_within_a_network() -> None:
    with nef.Network() as model:
        a = nef.Ensemble(10, 1)
    for make in (
        lambda: nef.Ensemble(10, 1),
        lambda: nef.Node([1.0]),
        lambda: nef.Connection(a, a),
        lambda: nef.Probe(a),
    ):
        with pytest.raises(
            ProgramError,
            match=r"^\w+ must be made within a network: with nef\.Network\(\) as model:$",
        ):
            make()
    assert (model.connections, model.probes) == ([], [])


def test_what_is_in_no_network_that_hears_it_is_refused() -> None:
    with nef.Network() as model:
        with nef.Network():
            inner = nef.Ensemble(10, 1, label="inner")
        outer = nef.Ensemble(10, 1, label="outer")
        nef.Connection(inner, outer)
    with pytest.raises(ProgramError) as caught:
        nef.Simulator(model)
    assert str(caught.value) == (
        "inner must be in the network that has connection from inner to outer"
    )
    with nef.Network() as model:
        nef.Probe(inner)
    with pytest.raises(ProgramError) as caught:
        nef.Simulator(model)
    assert str(caught.value) == "inner must be in the network that has a probe of it"


def test_an_error_in_a_block_closes_the_network() -> None:
    with pytest.raises(ZeroDivisionError), nef.Network():
        _ = 1 / 0
    with pytest.raises(ProgramError, match=r"^Node must be made within a network: .*$"):
        nef.Node([1.0])


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ((1, 0), "Limits of Uniform must be finite and ascend, not 1 and 0"),
        ((0, math.inf), "Limits of Uniform must be finite and ascend, not 0 and inf"),
        (("0", 1), "Limits of Uniform must be finite and ascend, not '0' and 1"),
    ],
)
def test_what_uniform_refuses(limits: Any, sentence: str) -> None:
    with pytest.raises(ProgramError) as caught:
        nef.Uniform(*limits)
    assert str(caught.value) == sentence
