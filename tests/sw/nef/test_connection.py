# SPDX-License-Identifier: Apache-2.0
"""What connections, rules and probes are refused with, and what transforms become."""

import math
from typing import Any

import numpy as np
import pytest

from spikewright import nef
from spikewright.sim.errors import DataError, FormatError, ProgramError, SpikewrightError

AB = "connection from a to b"


def model_of(make: Any) -> nef.Network:
    """A network of a node, of two ensembles of 1 and 2 dimensions, and of what is made of them."""
    with nef.Network(seed=1) as model:
        u = nef.Node([0.5], label="u")
        a, b = nef.Ensemble(20, 1, label="a"), nef.Ensemble(20, 2, label="b")
        nef.Probe(a)
        make(u, a, b)
    return model


def refused(make: Any, sentence: str, error: type[SpikewrightError] = ProgramError) -> None:
    with pytest.raises(error) as caught:
        nef.Simulator(model_of(make))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda u, a, b: nef.Connection(None, a), "None"),
        (lambda u, a, b: nef.Connection(a.neurons, b), "neurons of a"),
        (lambda u, a, b: nef.Connection(nef.Probe(a), b), "probe of a"),
        (
            lambda u, a, b: nef.Connection(
                nef.Connection(a, a, learning_rule=nef.PES()).learning_rule, b
            ),
            "learning rule of connection from a to a",
        ),
    ],
)
def test_where_connections_cannot_begin(make: Any, what: str) -> None:
    sentence = "Connection must come from an ensemble, a node or some of their dimensions, not "
    refused(make, sentence + what)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda u, a, b: nef.Connection(a, nef.Probe(a)), "probe of a"),
        (lambda u, a, b: nef.Connection(a, nef.Connection(u, a)), "connection from u to a"),
        (lambda u, a, b: nef.Connection(a, 3), "3"),
    ],
)
def test_where_connections_cannot_lead(make: Any, what: str) -> None:
    sentence = (
        "Connection must lead to an ensemble, some of its dimensions, its neurons, a node or a "
        "learning rule, not "
    )
    refused(make, sentence + what)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, f"{AB} must have a transform of shape (2, 1), not (1, 1)"),
        ({"transform": np.ones((3, 1))}, f"{AB} must have a transform of shape (2, 1), not (3, 1)"),
        ({"transform": [1, 2]}, f"{AB} must have a transform of shape (2, 1), not (2,)"),
        (
            {"transform": np.ones((1, 2, 1))},
            f"{AB} must have a transform of shape (2, 1), not (1, 2, 1)",
        ),
        ({"transform": "1"}, f"Transform of {AB} must be numbers, not '1'"),
        ({"transform": [[1], [math.nan]]}, f"{AB} must have a finite transform"),
        ({"function": 3}, f"Function of {AB} must be callable, not 3"),
        (
            {"function": lambda x: [x, x]},
            f"Function of {AB} must be a vector, not of shape (2, 1)",
        ),
        (
            {"function": lambda x: [x[0], 1, 2]},
            f"{AB} must have a transform of shape (2, 3), not (3, 3)",
        ),
        ({"function": lambda x: None}, f"Function of {AB} must be numbers, not None"),
        ({"function": lambda x: "1"}, f"Function of {AB} must be numbers, not '1'"),
        ({"function": lambda x: []}, f"Function of {AB} must return at least one number"),
        (
            {"function": lambda x, y: x},
            f"Function of {AB} must take a vector, which (x, y) does not",
        ),
        (
            {"synapse": 0},
            "Synapse must be a Lowpass, an Alpha, a time constant above 0 s or None, not 0",
        ),
        (
            {"solver": "L2"},
            f"Solver of {AB} must have solve(rates, targets), as LstsqL2() has, not be 'L2'",
        ),
        (
            {"solver": nef.Nnls},
            (
                f"Solver of {AB} must have solve(rates, targets), as LstsqL2() has, not be "
                "<class 'spikewright.nef.decoders.solvers.Nnls'>"
            ),
        ),
        (
            {"learning_rule": 1e-4},
            f"Learning rule of {AB} must be a PES(), not 0.0001",
        ),
        (
            {"eval_points": np.ones((3, 2))},
            (
                f"Evaluation points of {AB} must have shape (points, 1), one point at least, "
                "not (3, 2)"
            ),
        ),
        ({"eval_points": "abc"}, f"Evaluation points of {AB} must be numbers, not 'abc'"),
        ({"eval_points": [[math.nan]]}, f"Evaluation points of {AB} must be finite"),
        ({"label": 3}, "Label of Connection must be text or None, not 3"),
    ],
)
def test_options_that_connections_refuse_at_once(options: Any, sentence: str) -> None:
    if "label" in options:
        options = {**options, "transform": [[1], [1]]}
    refused(lambda u, a, b: nef.Connection(a, b, **options), sentence)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"learning_rule": nef.PES()}, "to learn decoders"),
        ({"solver": nef.LstsqL2()}, "to have a solver"),
        ({"eval_points": [[1.0]]}, "to have evaluation points"),
    ],
)
def test_nodes_have_no_decoders(options: Any, what: str) -> None:
    refused(
        lambda u, a, b: nef.Connection(u, a, **options),
        f"connection from u to a must come from an ensemble {what}",
    )


@pytest.mark.parametrize("rate", [0, -1e-4, math.inf, "1"])
def test_learning_rates(rate: Any) -> None:
    with pytest.raises(ProgramError) as caught:
        nef.PES(learning_rate=rate)
    assert str(caught.value) == f"Learning rate must be positive and finite, not {rate!r}"


def test_functions_whose_size_changes_are_refused() -> None:
    with pytest.raises(
        ProgramError,
        match=r"^Function of connection from a to a must return 1 numbers, as it does at 0, not 2 "
        r"at \[0\.\d+\]$",
    ):
        nef.Simulator(
            model_of(
                lambda u, a, b: nef.Connection(a, a, function=lambda x: [1, 2] if x > 0 else [1])
            )
        )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda u, a, b: nef.Connection(a, a, learning_rule=nef.PES()),
            "connection from a to a learns and hears no error: connect one to its learning_rule",
        ),
        (
            lambda u, a, b: nef.Connection(a, a).learning_rule,
            "connection from a to a has no learning_rule: give it a PES",
        ),
        (
            lambda u, a, b: nef.Connection(a, a, synapse=None),
            (
                "Circle through connection from a to a must have a synapse somewhere: without one, "
                "ensembles would hear each other in the same step"
            ),
        ),
        (
            lambda u, a, b: nef.Connection(a, a, synapse=1e9),
            (
                "Synapse of connection from a to a must have a time constant of at most 3.36e+04 s "
                "in steps of 0.001 s, not 1e+09 s"
            ),
        ),
    ],
)
def test_what_is_refused_of_a_network(make: Any, sentence: str) -> None:
    refused(make, sentence)


def test_functions_must_be_finite_where_they_are_decoded() -> None:
    refused(
        lambda u, a, b: nef.Connection(
            a, a, function=lambda x: np.where(x < 0, np.nan, x), label="root"
        ),
        "Values of the function of root must be finite at every evaluation point",
        DataError,
    )


@pytest.mark.parametrize("solver", [nef.Lstsq(), nef.LstsqL2(reg=0.0)])
def test_singular_decoding_is_refused_with_a_regularisation(solver: Any) -> None:
    """Neurons that are alike, or silent, leave decoders open."""

    def twins(u: Any, a: Any, b: Any) -> None:
        pair = nef.Ensemble(
            2, 1, label="pair", encoders=np.ones(2), max_rates=150.0, intercepts=0.1
        )
        nef.Connection(pair, a, solver=solver, label="c")

    refused(
        twins,
        "Decoders of the function of c cannot be solved: Rates of 2 neurons at 750 samples have "
        "rank 1 of 2: use LstsqL2 with reg of 0.01 or more",
        DataError,
    )

    def silent(u: Any, a: Any, b: Any) -> None:
        points = np.linspace(-1, 0, 50)
        some = nef.Ensemble(3, 1, label="some", encoders=[-1, 1, -1], intercepts=[0.2, 0.2, 0.5])
        nef.Connection(some, a, solver=solver, label="c", eval_points=points)

    refused(
        silent,
        "Decoders of the function of c cannot be solved: 1 of 3 neurons never fire at 50 samples, "
        "the first of them neuron 1: use LstsqL2 with reg of 0.01 or more",
        DataError,
    )


def test_decoders_that_overflow_their_format_are_refused() -> None:
    model = model_of(lambda u, a, b: nef.Connection(a, a, label="c"))
    with pytest.raises(
        FormatError,
        match=r"^Decoders of a for probe0_heard, as weights, reach 1\.\d+, and s16\.16 holds "
        r"-0\.5 to 0\.5: use at most 14 fraction bits$",
    ):
        nef.Simulator(model, precision=nef.Precision(decoder_frac=16))
    nef.Simulator(model, precision=nef.Precision(decoder_frac=14))


class Crooked:
    """A solver whose decoders have another shape, or are no numbers."""

    def __init__(self, found: Any):
        self.found = found

    def __repr__(self) -> str:
        return "Crooked()"

    def solve(self, rates: Any, targets: Any) -> Any:
        return self.found


@pytest.mark.parametrize("found", [np.ones((3, 1)), np.full((20, 1), np.nan)])
def test_what_solvers_must_return(found: Any) -> None:
    refused(
        lambda u, a, b: nef.Connection(a, a, solver=Crooked(found), label="c"),
        "Decoders of the function of c must be finite and have shape (20, 1), "
        f"not {found.shape} as Crooked() solves them",
        DataError,
    )


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda u, a, b: nef.Probe(None), "'decoded' of None"),
        (lambda u, a, b: nef.Probe(a, "spikes"), "'spikes' of a"),
        (lambda u, a, b: nef.Probe(a.neurons, "decoded"), "'decoded' of neurons of a"),
        (lambda u, a, b: nef.Probe(b[0]), "'decoded' of dimensions of b"),
        (
            lambda u, a, b: nef.Probe(nef.Connection(a, a)),
            "'decoded' of connection from a to a",
        ),
    ],
)
def test_what_cannot_be_probed(make: Any, what: str) -> None:
    sentence = "Probe must be of an ensemble or a node (decoded) or of neurons (spikes, voltage)"
    refused(make, f"{sentence}, not of {what}")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda a: nef.Probe(a, sample_every=0),
            "sample_every must be positive and finite, not 0 s",
        ),
        (
            lambda a: nef.Probe(a.neurons, "voltage", synapse=0.1),
            "Probe of voltages must have no synapse",
        ),
        (
            lambda a: nef.Probe(a, synapse=1e9),
            (
                "Synapse of probe of a must have a time constant of at most 3.36e+04 s in steps of "
                "0.001 s, not 1e+09 s"
            ),
        ),
        (lambda a: nef.Probe(a, label=1), "Label of Probe must be text or None, not 1"),
    ],
)
def test_options_that_probes_refuse(make: Any, sentence: str) -> None:
    refused(lambda u, a, b: make(a), sentence)


def test_connections_to_dimensions_of_a_node_with_other_inputs_are_refused() -> None:
    refused(
        lambda u, a, b: nef.Connection(
            a, nef.Node(lambda t, x: x[0], size_in=3, size_out=1, label="n")[0]
        ),
        "Connection must lead to n whole, whose input of 3 dimensions is not its output of 1: "
        "use a transform",
    )


@pytest.mark.parametrize(
    ("transform", "wanted"),
    [
        (None, [[0, 0], [1, 0], [0, 1]]),
        (2.0, [[0, 0], [2, 0], [0, 2]]),
        ([3.0, 4.0], [[0, 0], [3, 0], [0, 4]]),
        ([[1, 2], [3, 4]], [[0, 0], [1, 2], [3, 4]]),
    ],
)
def test_transforms_are_matrices_to_the_whole_target(transform: Any, wanted: Any) -> None:
    with nef.Network():
        c = nef.Connection(
            nef.Node([1.0, 2.0]), nef.Ensemble(10, 3)[1:], transform=transform, synapse=None
        )
    assert c.transform.tolist() == wanted


def test_a_dimension_that_is_named_twice_is_the_sum() -> None:
    with nef.Network():
        c = nef.Connection(nef.Node([1.0, 2.0]), nef.Ensemble(10, 2)[[1, 1]])
    assert c.transform.tolist() == [[0, 0], [1, 1]]
