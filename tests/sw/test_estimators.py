# SPDX-License-Identifier: Apache-2.0
"""Networks as estimators: scikit-learn's own checks, and what those do not ask."""

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import spikewright as sw
from spikewright.runtime.emulated import EmulatorDevice
from spikewright.sim.errors import DataError, ProgramError

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from spikewright.estimators import SpikewrightClassifier, SpikewrightRegressor

LIF: dict[str, Any] = {"hidden": (16,), "neuron": "lif", "steps": 8, "epochs": 30}
IRIS = load_iris(return_X_y=True)


def checks(*estimators: Any) -> list[Any]:
    """An estimator and one of scikit-learn's checks of it, for each of both."""
    return [
        pytest.param(
            made, check, id=f"{type(made).__name__}-{made.neuron}-{k}-{check.func.__name__}"
        )
        for estimator in estimators
        for k, (made, check) in enumerate(estimator_checks_generator(estimator))
    ]


@pytest.mark.parametrize(
    ("estimator", "check"),
    checks(
        SpikewrightClassifier(epochs=100),
        SpikewrightRegressor(epochs=100),
        SpikewrightClassifier(**LIF),
        SpikewrightRegressor(**LIF),
    ),
)
def test_scikit_learns_own_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "check"), checks(SpikewrightClassifier(), SpikewrightRegressor())
)
def test_scikit_learns_own_checks_by_default(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("options", [{}, LIF], ids=["relu", "lif"])
def test_iris_by_names_in_a_pipeline(options: dict[str, Any]) -> None:
    x, names = IRIS[0], np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
    model = make_pipeline(StandardScaler(), SpikewrightClassifier(**options, random_state=0))
    assert cross_val_score(model, x, names, cv=3).min() > 0.85
    shares = model.fit(x, names).predict_proba(x)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.classes_[shares.argmax(axis=1)], model.predict(x))


@pytest.mark.parametrize("options", [{}, {**LIF, "epochs": 60, "tau": 0.005}], ids=["relu", "lif"])
def test_targets_come_back_in_their_own_units(options: dict[str, Any]) -> None:
    x, y = load_diabetes(return_X_y=True)
    both = np.stack([y, 1000 - 5 * y], axis=1)
    model = make_pipeline(
        StandardScaler(), SpikewrightRegressor(**options, l2=0.01, random_state=0)
    )
    predicted = model.fit(x[:300], both[:300]).predict(x[300:])
    assert predicted.shape == (len(x) - 300, 2)
    residual = np.square(predicted - both[300:]).sum(axis=0)
    assert (residual / np.square(both[300:] - both[300:].mean(axis=0)).sum(axis=0)).max() < 0.7
    # The network alone answers the same.
    regressor, scaled = model[-1], model[0].transform(x[300:])
    np.testing.assert_allclose(regressor.network_.forward(scaled), predicted, rtol=1e-4, atol=1e-2)


def test_the_network_goes_on_to_quantization() -> None:
    x, y = IRIS[0] / 8, IRIS[1]
    model = SpikewrightClassifier((16,), random_state=0, learning_rate=0.01).fit(x, y)
    program = model.program(x, weight_bits=8)
    answer = EmulatorDevice(program).run(x.astype(np.float32))
    assert np.mean(answer.classes == model.predict(x)) > 0.9


def test_an_integer_as_random_state_gives_the_same_bits() -> None:
    x, y = IRIS
    first, same, other, drawn = (
        SpikewrightClassifier(epochs=3, random_state=state).fit(x, y)
        for state in (1, 1, 2, np.random.RandomState(1))
    )
    for a, b, c, d in zip(
        *(model.network_.parameters() for model in (first, same, other, drawn)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, d)
        assert (a != c).any()


def test_a_sample_is_answered_alike_beside_any_others() -> None:
    x, y = IRIS
    for options in ({}, LIF):
        model = SpikewrightClassifier(**options, random_state=0).fit(x, y)
        alone = np.concatenate([model.predict_proba(row[None]) for row in x[::15]])
        np.testing.assert_array_equal(alone, model.predict_proba(x)[::15])


def test_searches() -> None:
    x, y = IRIS
    search = GridSearchCV(
        SpikewrightClassifier(epochs=20, random_state=0),
        {"hidden": [(), (16,)], "learning_rate": [1e-6, 1e-2]},
        cv=2,
    ).fit(x, y)
    assert search.best_params_["learning_rate"] == 1e-2
    assert search.best_estimator_.n_iter_ == len(search.best_estimator_.history_) == 20


def test_wrong_parameters_are_told_when_it_is_fitted() -> None:
    x, y = IRIS
    with pytest.raises(ProgramError, match=r"^Neuron must be relu or lif, not 'tanh'$"):
        SpikewrightClassifier(neuron="tanh").fit(x, y)
    with pytest.raises(ProgramError, match=r"^Hidden layers must be a tuple of sizes, not 8$"):
        SpikewrightClassifier().set_params(hidden=8).fit(x, y)
    sentence = "y must hold at least 2 classes, and has one class, 0"
    with pytest.raises(DataError, match=f"^{sentence}$"):
        SpikewrightClassifier().fit(x[:9], [0] * 9)
    with pytest.raises(NotFittedError):
        SpikewrightClassifier().program(x)


def test_without_scikit_learn_a_sentence_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import spikewright as sw\n"
        "try: sw.SpikewrightRegressor\n"
        "except sw.SpikewrightError as error: print(error)\n"
        "try: sw.SpikewrightTransformer\n"
        "except AttributeError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "SpikewrightRegressor needs scikit-learn: run pip install spikewright[sklearn]",
        "module 'spikewright' has no attribute 'SpikewrightTransformer'",
    ]


def test_the_package_has_the_estimators() -> None:
    assert sw.SpikewrightClassifier is SpikewrightClassifier
    assert re.match(r"SpikewrightRegressor\(", repr(sw.SpikewrightRegressor()))
