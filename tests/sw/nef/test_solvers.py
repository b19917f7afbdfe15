# SPDX-License-Identifier: Apache-2.0
import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.nef.decoders import solvers, solving
from spikewright.nef.decoders.active_set import signed_least_squares
from spikewright.nef.decoders.solvers import Lstsq, LstsqL1, LstsqL2, Nnls, NnlsL2, Solver, rmse
from spikewright.sim.errors import DataError, ProgramError

METHODS = ["cholesky", "refined", "pcg", "svd"]


def rates_of(neurons: int, samples: int, *, dimensions: int = 2, seed: int = 0) -> Any:
    """LIF rates with maxima of 100 to 200 Hz, and the vectors in the unit ball they are for."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, dimensions))
    x *= rng.random((samples, 1)) ** (1 / dimensions) / np.linalg.norm(x, axis=1, keepdims=True)
    encoders = rng.normal(size=(neurons, dimensions))
    encoders /= np.linalg.norm(encoders, axis=1, keepdims=True)
    intercepts, highest = rng.uniform(-1, 0.9, neurons), rng.uniform(100, 200, neurons)
    top = 1 / (1 - np.exp((0.002 - 1 / highest) / 0.02))
    gain = (top - 1) / (1 - intercepts)
    current = gain * (x @ encoders.T - intercepts) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = 1 / (0.002 + 0.02 * np.log1p(1 / (current - 1)))
    return np.where(current > 1, rates, 0.0), x


def targets_of(x: Any) -> Any:
    return np.c_[x[:, :1], x[:, -1:] ** 2, x[:, :1] * x[:, -1:]]


def difference(got: Any, wanted: Any) -> float:
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("neurons", "samples"), [(60, 200), (200, 60), (300, 301), (1, 50)])
def test_methods_solve_the_normal_equations(method: str, neurons: int, samples: int) -> None:
    rates, x = rates_of(neurons, samples)
    y = targets_of(x)
    penalty = samples * (0.1 * rates.max()) ** 2 * np.eye(neurons)
    wanted = np.linalg.solve(rates.T @ rates + penalty, rates.T @ y)
    got = LstsqL2(reg=0.1, method=method).solve(rates, y)
    assert got.dtype == np.float64
    assert got.shape == (neurons, 3)
    assert difference(got, wanted) < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_one_neuron_by_hand(method: str) -> None:
    # a.a = 10, a.y = 7, M = 2 and s = 3/10: 7 / (10 + 2 * 9 / 100).
    got = LstsqL2(reg=0.1, method=method).solve([[3.0], [1.0]], [[2.0], [1.0]])
    np.testing.assert_allclose(got, [[7 / 10.18]], rtol=1e-6)


@pytest.mark.parametrize("reg", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("dimensions", [1, 2, 6])
def test_iterations_keep_their_guarantee_for_each_output(reg: float, dimensions: int) -> None:
    rates, x = rates_of(400, 900, dimensions=dimensions)
    # Of very different sizes: a common norm would hide what the small ones miss.
    y = targets_of(x) * [1.0, 1e-4, 1e4]
    wanted = LstsqL2(reg=reg, method="svd").solve(rates, y)
    for method in ("pcg", "refined"):
        got = LstsqL2(reg=reg, method=method).solve(rates, y)
        for output in range(3):
            assert difference(got[:, output], wanted[:, output]) < 1e-6


def test_auto_takes_another_where_iterations_do_not_converge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates, x = rates_of(400, 900)
    wanted = LstsqL2(reg=0.05, method="svd").solve(rates, targets_of(x))
    monkeypatch.setattr(solving, "MOST_ITERATIONS", 1)
    assert difference(LstsqL2(reg=0.05).solve(rates, targets_of(x)), wanted) < 1e-10
    for method in ("pcg", "refined"):
        sentence = (
            rf"^Method '{method}' does not converge for 400 neurons at 900 samples at reg of "
            r"1e-07: use a larger reg or method 'cholesky'$"
        )
        with pytest.raises(DataError, match=sentence):
            LstsqL2(reg=1e-7, method=method).solve(rates, targets_of(x))


@pytest.mark.parametrize(
    ("neurons", "samples", "outputs", "reg", "method"),
    [
        (299, 5000, 1, 0.1, "cholesky"),
        (300, 5000, 3, 0.1, "pcg"),
        (5000, 300, 3, 0.1, "pcg"),
        (300, 5000, 4, 0.1, "cholesky"),
        (4000, 8000, 3, 0.01, "refined"),
        (4000, 8000, 3, 0.001, "cholesky"),
        (50, 60, 1, 0.0, "svd"),
    ],
)
def test_auto_by_size(
    neurons: int,
    samples: int,
    outputs: int,
    reg: float,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = []

    def stand_in(name: str, found: Any) -> None:
        def record(*_: Any) -> Any:
            called.append(name)
            return found

        monkeypatch.setattr(solving, {"pcg": "sketched"}.get(name, name), record)
        if name in solvers.ITERATED:
            monkeypatch.setitem(solvers.ITERATED, name, record)

    for name in METHODS:
        stand_in(name, (np.zeros(1), neurons) if name == "svd" else np.zeros(1))
    LstsqL2(reg=reg).solve(np.ones((samples, neurons)), np.ones((samples, outputs)))
    assert called == [method]


@settings(max_examples=60, deadline=None)
@given(
    neurons=st.integers(1, 40),
    samples=st.integers(1, 40),
    outputs=st.integers(1, 4),
    silent=st.integers(0, 3),
    scale=st.sampled_from([1e-30, 1.0, 1e30]),
    seed=st.integers(0, 2**32 - 1),
)
def test_methods_agree_on_any_shape(
    neurons: int, samples: int, outputs: int, silent: int, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rates = np.maximum(rng.normal(size=(samples, neurons)), 0) * 100
    rates[:, :silent] = 0
    rates[0, -1] = 150
    y = rng.normal(size=(samples, outputs))
    y[:, -1] = 0
    penalty = samples * (0.1 * rates.max()) ** 2
    full = np.vstack([rates, np.sqrt(penalty) * np.eye(neurons)])
    wanted = np.linalg.lstsq(full, np.vstack([y, np.zeros((neurons, outputs))]), rcond=None)[0]
    for method in [*METHODS, "auto"]:
        got = LstsqL2(method=method).solve(rates * scale, y) * scale
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6 * max(np.abs(wanted).max(), 1e-9))
        quiet = got[: min(silent, neurons - 1)]
        assert np.abs(quiet).max(initial=0) <= 1e-12 * np.abs(wanted).max()


def test_layouts_and_types_of_arrays() -> None:
    rates, x = rates_of(40, 100)
    wanted = LstsqL2().solve(rates, x)
    np.testing.assert_allclose(LstsqL2().solve(np.asfortranarray(rates), x), wanted, rtol=1e-9)
    np.testing.assert_allclose(LstsqL2().solve(rates.tolist(), x.tolist()), wanted, rtol=1e-12)
    counted = np.rint(rates).astype(np.int64)
    np.testing.assert_array_equal(
        LstsqL2().solve(counted, x), LstsqL2().solve(counted.astype(np.float64), x)
    )


@pytest.mark.parametrize(
    "solver", [LstsqL2(), LstsqL2(method="refined"), Lstsq(), LstsqL1(), Nnls(), NnlsL2()]
)
def test_what_is_given_stays_and_weights_change_nothing(solver: Solver) -> None:
    rates, x = rates_of(20, 100)
    before = rates.copy(), x.copy()
    got = solver.solve(rates, x)
    np.testing.assert_array_equal(rates, before[0])
    np.testing.assert_array_equal(x, before[1])
    assert not solver.weights
    full = type(solver)(weights=True)
    assert full.weights
    np.testing.assert_allclose(full.solve(rates, x), got, rtol=1e-6, atol=1e-12)


def test_lstsq_cuts_small_singular_values() -> None:
    rates, x = rates_of(30, 200)
    u, values, vt = np.linalg.svd(rates, full_matrices=False)
    kept = values >= 0.01 * values[0]
    assert 1 < kept.sum() < 30
    wanted = vt[kept].T @ ((u.T @ x)[kept] / values[kept, None])
    np.testing.assert_allclose(Lstsq().solve(rates, x), wanted, rtol=1e-7)
    exact = Lstsq(rcond=0.0).solve(rates, x)
    np.testing.assert_allclose(exact, LstsqL2(reg=0.0).solve(rates, x), rtol=1e-6)
    assert rmse(rates, exact, x) < rmse(rates, wanted, x)


def objective(rates: Any, decoders: Any, y: Any, *, l1: float, l2: float) -> float:
    a, b = l1 * rates.max(), l2 * rates.max() ** 2
    squares = ((rates @ decoders - y) ** 2).sum() / 2 / len(rates)
    return float(squares + a * np.abs(decoders).sum() + b / 2 * (decoders**2).sum())


@pytest.mark.parametrize(("l1", "l2"), [(1e-4, 1e-6), (1e-3, 1e-4), (1e-3, 0.0)])
def test_l1_is_the_elastic_net(l1: float, l2: float) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    rates, x = rates_of(80, 400)
    y = targets_of(x)
    a, b = l1 * rates.max(), l2 * rates.max() ** 2
    net = linear.ElasticNet(
        alpha=a + b, l1_ratio=a / (a + b), fit_intercept=False, max_iter=30_000, tol=1e-9
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coordinate descent ends before the minimum
        wanted = net.fit(rates, y).coef_.T
    got = LstsqL1(l1=l1, l2=l2).solve(rates, y)
    assert difference(rates @ got, rates @ wanted) < 1e-3
    found, oracle = (objective(rates, d, y, l1=l1, l2=l2) for d in (got, wanted))
    assert found <= oracle * (1 + 1e-9)
    assert found > oracle * (1 - 1e-3)
    assert 0 < (got != 0).sum() < got.size / 2


def test_l1_meets_the_conditions_of_its_minimum() -> None:
    rates, x = rates_of(100, 300)
    y = targets_of(x)
    got = LstsqL1(l1=1e-3, l2=1e-4).solve(rates, y)
    gradient = rates.T @ (rates @ got - y) / 300 + 1e-4 * rates.max() ** 2 * got
    price = 1e-3 * rates.max()
    used = got != 0
    np.testing.assert_allclose(gradient[used], -price * np.sign(got[used]), rtol=1e-6)
    assert (np.abs(gradient[~used]) <= price * (1 + 1e-9)).all()


def test_l1_by_hand() -> None:
    # One neuron, M = 2, a.y = 7, a.a = 10, p = 3: (7/2 - l1 p) / (10/2 + l2 p^2), or nothing.
    rates, y = [[3.0], [1.0]], [[2.0, -2.0], [1.0, -1.0]]
    got = LstsqL1(l1=0.5, l2=0.1).solve(rates, y)
    np.testing.assert_allclose(got, [[2 / 5.9, -2 / 5.9]], rtol=1e-12)
    assert not LstsqL1(l1=1.2).solve(rates, y).any()


@pytest.mark.parametrize("reg", [None, 0.0, 0.02, 0.1])
@pytest.mark.parametrize(("neurons", "samples"), [(40, 300), (90, 60)])
def test_nnls_against_scipy(neurons: int, samples: int, reg: float | None) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    rates, x = rates_of(neurons, samples)
    y = targets_of(x)
    penalty = samples * ((reg or 0.0) * rates.max()) ** 2
    full = np.vstack([rates, np.sqrt(penalty) * np.eye(neurons)])
    wanted = np.array([optimize.nnls(full, np.r_[c, np.zeros(neurons)])[0] for c in y.T]).T
    got = (Nnls() if reg is None else NnlsL2(reg=reg)).solve(rates, y)
    assert (got >= 0).all()
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-9)


def test_nnls_by_hand() -> None:
    # The second neuron could only help with a negative decoder, so the first is alone.
    rates, y = [[1.0, 0.0], [1.0, 1.0]], [[2.0], [1.0]]
    np.testing.assert_allclose(Nnls().solve(rates, y), [[1.5], [0.0]])
    np.testing.assert_allclose(NnlsL2().solve(rates, y), [[3 / 2.02], [0.0]])
    assert not Nnls().solve(rates, [[-1.0], [-2.0]]).any()


@settings(max_examples=150, deadline=None)
@given(
    neurons=st.integers(1, 12),
    rank=st.integers(1, 12),
    twins=st.booleans(),
    signs=st.sampled_from([(1,), (1, -1), (-1,)]),
    l1=st.sampled_from([0.0, 0.3, 3.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_active_set_meets_the_conditions_of_the_minimum(
    neurons: int, rank: int, twins: bool, signs: tuple[int, ...], l1: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rates = rng.normal(size=(rank, neurons)) + 1
    if twins:
        rates[:, neurons // 2 :] = rates[:, : neurons - neurons // 2]
    products = rates.T @ rng.normal(size=rank)
    got = signed_least_squares(rates.T @ rates, products, l1=l1, signs=signs)
    gradient = products - rates.T @ (rates @ got)
    rounding = 1e-7 * (1 + np.abs(products).max())
    for sign in signs:
        assert (sign * gradient - l1 <= rounding).all()
    assert set(np.sign(got)) <= {0, *signs}
    used = got != 0
    assert (np.abs(gradient[used] - l1 * np.sign(got[used])) <= rounding).all()


def test_rmse_by_hand() -> None:
    assert rmse([[2.0], [0.0]], [[1.0, 0.5]], [[2.0, 1.0], [2.0, 0.0]]) == pytest.approx(1.0)


def refused(solver: Solver, rates: Any, targets: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        solver.solve(rates, targets)


SOLVERS: list[Solver] = [LstsqL2(), Lstsq(), LstsqL1(), Nnls(), NnlsL2()]


@pytest.mark.parametrize("solver", SOLVERS)
def test_refused_arrays(solver: Solver) -> None:
    rates = np.ones((3, 2))
    for y, shape in ((np.ones((2, 1)), (2, 1)), (np.ones(3), (3,)), (np.ones((3, 0)), (3, 0))):
        refused(solver, rates, y, f"Targets must be (3, outputs), as many as rates, not {shape}")
    for shape in ((3,), (0, 2), (3, 0)):
        sentence = f"Rates must be (samples, neurons), at least one of each, not {shape}"
        refused(solver, np.ones(shape), np.ones((3, 1)), sentence)
    wrong = rates.copy()
    wrong[1, 0], wrong[2, 1] = np.nan, np.inf
    sentence = "must be finite, and 2 of 6 are not: remove those samples"
    refused(solver, wrong, rates, f"Rates {sentence}")
    refused(solver, rates, wrong, f"Targets {sentence}")
    refused(solver, [["a"]], [[1]], "Rates must be one array of numbers, not list")
    refused(
        solver,
        np.zeros((3, 2)),
        rates,
        "None of 2 neurons fires at any of 3 samples: look at the intercepts, which must be below "
        "what the samples reach",
    )


UNREGULARISED: list[Solver] = [Lstsq(), LstsqL2(reg=0.0), LstsqL2(reg=0.0, method="cholesky")]


@pytest.mark.parametrize("solver", UNREGULARISED)
def test_singular_rates_need_regularisation(solver: Solver) -> None:
    fix = "use LstsqL2 with reg of 0.01 or more"
    rates = np.random.default_rng(0).uniform(1, 100, (20, 50))
    sentence = f"Rates of 50 neurons at 20 samples have rank 20 of 50: {fix}"
    refused(solver, rates, np.ones((20, 1)), sentence)
    twins = np.repeat(rates[:, :5], 2, axis=1)
    sentence = f"Rates of 10 neurons at 20 samples have rank 5 of 10: {fix}"
    refused(solver, twins, np.ones((20, 1)), sentence)
    silent = rates[:, :10].copy()
    silent[:, [4, 7]] = 0
    sentence = f"2 of 10 neurons never fire at 20 samples, the first of them neuron 4: {fix}"
    refused(solver, silent, np.ones((20, 1)), sentence)
    assert not LstsqL2(reg=0.01).solve(silent, np.ones((20, 1)))[[4, 7]].any()


@pytest.mark.parametrize("reg", [0.0, 1e-12])
def test_normal_equations_that_float64_cannot_hold(reg: float) -> None:
    rates = np.c_[np.ones(4), 1 + np.eye(4)[3] * 1e-9]
    refused(
        LstsqL2(reg=reg, method="cholesky"),
        rates,
        np.ones((4, 1)),
        f"Normal equations of 2 neurons at 4 samples are singular at reg of {reg!r}: "
        "use LstsqL2 with reg of 0.01 or more",
    )
    exact = LstsqL2(reg=0.0, method="svd").solve(rates, rates[:, 1:])
    np.testing.assert_allclose(exact, [[0], [1]], atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        (LstsqL2, {"reg": -0.1}, "LstsqL2's reg must be at least 0 and finite, not -0.1"),
        (LstsqL2, {"reg": np.inf}, "LstsqL2's reg must be at least 0 and finite, not inf"),
        (LstsqL2, {"reg": "a"}, "LstsqL2's reg must be at least 0 and finite, not 'a'"),
        (NnlsL2, {"reg": -1}, "NnlsL2's reg must be at least 0 and finite, not -1"),
        (LstsqL1, {"l1": -1}, "LstsqL1's l1 must be at least 0 and finite, not -1"),
        (LstsqL1, {"l2": -1}, "LstsqL1's l2 must be at least 0 and finite, not -1"),
        (Lstsq, {"rcond": 1.0}, "Lstsq's rcond must be at least 0 and below 1, not 1.0"),
        (
            LstsqL2,
            {"method": "qr"},
            "LstsqL2's method must be auto, cholesky, refined, pcg or svd, not 'qr'",
        ),
        (
            LstsqL2,
            {"reg": 0.0, "method": "pcg"},
            "LstsqL2's method 'pcg' needs a reg above 0, not 0.0: use 'svd'",
        ),
    ],
)
def test_refused_options(kind: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(sentence)}$"):
        kind(**options)
