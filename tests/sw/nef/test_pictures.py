# SPDX-License-Identifier: Apache-2.0
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright import nef
from spikewright.nef import pictures
from spikewright.nef.decoders.curves import tuning_curves
from spikewright.nef.dynamics import integrator
from spikewright.sim.errors import DataError, ProgramError, ToolError

SECONDS = 0.4


@dataclass
class Run:
    """A simulation and its parts."""

    sim: nef.Simulator
    line: nef.Ensemble
    plane: nef.Ensemble
    one: nef.Probe
    two: nef.Probe
    spikes: nef.Probe
    filtered: nef.Probe
    hold: nef.Connection
    unfiltered: nef.Connection


@pytest.fixture(scope="module")
def run() -> Run:
    with nef.Network(seed=3) as model:
        s = nef.Node(lambda t: [np.sin(9 * t), np.cos(9 * t)])
        line, plane = nef.Ensemble(60, 1, radius=2.0, label="line"), nef.Ensemble(30, 2)
        nef.Connection(s[0], line, synapse=None)
        nef.Connection(s, plane, synapse=None)
        memory = integrator(80, u=nef.Node([0.5]))
        parts = (
            nef.Probe(line, synapse=0.02),
            nef.Probe(plane, synapse=0.02),
            nef.Probe(line.neurons),
            nef.Probe(line.neurons, synapse=0.01),
            memory.recurrent,
            nef.Connection(line, plane[0]),
        )
    with nef.Simulator(model) as sim:
        sim.run(SECONDS)
    return Run(sim, line, plane, *parts)


def named(axes: Any) -> dict[str, Any]:
    """Lines of a panel that have a name of their own."""
    lines = {line.get_label(): line for line in axes.lines}
    return {name: line for name, line in lines.items() if name and not name.startswith("_")}


def told(figure: Any) -> list[str]:
    """Text of the figure's legend."""
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_tuning_curves_are_the_measured_ones_beside_the_equation(run: Run) -> None:
    figure = pictures.tuning_curves(run.sim, run.line, neurons=4)
    above, below = figure.axes
    assert told(figure) == ["integer neurons", "G(J), continuous time"]
    assert above.get_title(loc="left") == "4 of 60 neurons"
    assert (above.get_ylabel(), below.get_ylabel()) == ("rate (Hz)", "difference (Hz)")
    assert below.get_xlabel() == "represented value x"
    assert below.get_xlim() == (-2, 2)
    built = run.sim.data[run.line]
    pairs = list(zip(above.lines[::2], above.lines[1::2], strict=True))
    assert len(pairs) == len(below.lines) == 4
    for k, (integer, ideal), difference in zip((0, 20, 39, 59), pairs, below.lines, strict=True):
        x, rates = integer.get_data()
        assert sorted(x) == pytest.approx(np.linspace(-2, 2, 401))
        population = run.sim.compiled.populations[run.line]
        np.testing.assert_allclose(rates, tuning_curves(population, x[:, None])[:, k])
        current = built.gain[k] * built.encoders[k, 0] * x / 2 + built.bias[k]
        np.testing.assert_array_equal(ideal.get_xdata(), x)
        np.testing.assert_allclose(ideal.get_ydata(), nef.LIF().rates(current))
        np.testing.assert_allclose(difference.get_ydata(), rates - ideal.get_ydata())
        assert rates.max() > 50


def test_tuning_curves_of_planes_are_along_the_encoders(run: Run) -> None:
    figure = pictures.tuning_curves(run.sim, run.plane, neurons=100)
    above, below = figure.axes
    assert above.get_title(loc="left") == "30 of 30 neurons"
    assert below.get_xlabel() == "x along the encoder"
    built = run.sim.data[run.plane]
    for k, line in enumerate(above.lines[1::2]):
        x, rates = line.get_data()
        assert x == pytest.approx(np.linspace(-1, 1, 401))
        np.testing.assert_allclose(rates, nef.LIF().rates(built.gain[k] * x + built.bias[k]))


def test_decoded_is_drawn_beside_the_ideal_with_its_error(run: Run) -> None:
    figure = pictures.decoded(run.sim, run.one, lambda t: np.sin(9 * t))
    above, below = figure.axes
    assert told(figure) == ["decoded", "ideal"]
    t = 1e-3 * np.arange(1, 401)
    values, wanted = run.sim.data[run.one][:, 0], np.sin(9 * t)
    lines = named(above)
    for line, data in (
        (lines["decoded"], values),
        (lines["ideal"], wanted),
        (below.lines[0], values - wanted),
    ):
        np.testing.assert_allclose(line.get_xdata(), t)
        np.testing.assert_allclose(line.get_ydata(), data)
    rmse = np.sqrt(np.mean(np.square(values - wanted)))
    assert below.get_title(loc="left") == f"Error, {rmse:.3g} in the root mean square"
    assert below.get_xlim() == (0, pytest.approx(0.4))
    assert (below.get_xlabel(), above.get_ylabel()) == ("time (s)", "value")


def test_dimensions_have_colours_of_their_own_and_one_ideal_is_named(run: Run) -> None:
    ideal = np.zeros((400, 2))
    figure = pictures.decoded(run.sim, run.two, ideal)
    above, below = figure.axes
    assert told(figure) == ["dimension 1", "dimension 2", "ideal"]
    first, second = (named(above)[f"dimension {k}"] for k in (1, 2))
    assert first.get_color() != second.get_color()
    assert [line.get_color() for line in below.lines] == [first.get_color(), second.get_color()]
    np.testing.assert_array_equal(second.get_ydata(), run.sim.data[run.two][:, 1])


def test_a_raster_has_a_mark_for_every_spike_and_the_mean_rate(run: Run) -> None:
    figure = pictures.raster(run.sim, run.spikes, neurons=60)
    above, below = figure.axes
    (marks,), (rate,) = above.lines, below.lines
    steps, neurons = np.nonzero(run.sim.data[run.spikes])
    assert len(steps) > 500
    np.testing.assert_allclose(marks.get_xdata(), 1e-3 * (steps + 1))
    np.testing.assert_array_equal(marks.get_ydata(), neurons)
    counts = np.bincount(steps, minlength=400)
    for k in (0, 100, 380):
        assert rate.get_xdata()[k] == pytest.approx(1e-3 * (k + 20))
        mean = counts[k : k + 20].sum() / (60 * 0.02)
        assert rate.get_ydata()[k] == pytest.approx(mean)
    assert above.get_title(loc="left") == "Spikes of 60 of 60 neurons"
    assert below.get_ylabel() == "mean rate (Hz)"
    few = pictures.raster(run.sim, run.spikes, neurons=3).axes[0]
    assert few.get_title(loc="left") == "Spikes of 3 of 60 neurons"
    assert set(few.lines[0].get_ydata()) <= {0, 30, 59}


def test_drift_is_what_the_feedback_decodes_less_the_value(run: Run) -> None:
    figure = pictures.drift(run.sim, run.hold)
    (axes,) = figure.axes
    _, curve, attracting, repelling = axes.lines
    x, speed = curve.get_data()
    assert x == pytest.approx(np.linspace(-1, 1, 401))
    rates = tuning_curves(run.sim.compiled.populations[run.hold.pre], x[:, None])
    np.testing.assert_allclose(speed, (rates @ run.sim.data[run.hold].decoders[0] - x) / 0.1)
    before, after = speed[:-1], speed[1:]
    falling, rising = (before > 0) & (after <= 0), (before <= 0) & (after > 0)
    assert abs(int(falling.sum()) - int(rising.sum())) <= 1
    assert told(figure) == [f"{falling.sum()} attracting", f"{rising.sum()} repelling"]
    for dots, where in ((attracting, falling), (repelling, rising)):
        assert len(dots.get_xdata()) == where.sum() > 2
        np.testing.assert_allclose(np.interp(dots.get_xdata(), x, speed), 0, atol=1e-9)
        assert ((x[:-1][where] <= dots.get_xdata()) & (dots.get_xdata() <= x[1:][where])).all()
        assert not dots.get_ydata().any()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("represented value x", "drift (1/s)")


def test_figures_are_kept_as_files_and_leave_the_style_alone(run: Run, tmp_path: Path) -> None:
    matplotlib = sys.modules["matplotlib"]
    before = dict(matplotlib.rcParams)
    for k, figure in enumerate(
        (
            pictures.tuning_curves(run.sim, run.line),
            pictures.decoded(run.sim, run.two, np.zeros((400, 2))),
            pictures.raster(run.sim, run.spikes),
            pictures.drift(run.sim, run.hold),
        )
    ):
        path = tmp_path / f"{k}.png"
        figure.savefig(path, dpi=60)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert figure.get_size_inches()[0] == 6.4
    assert dict(matplotlib.rcParams) == before


def other() -> tuple[nef.Ensemble, nef.Probe, nef.Probe, nef.Connection]:
    with nef.Network():
        a = nef.Ensemble(5, 1, label="stranger")
        c = nef.Connection(a, a, synapse=0.1, label="circle")
        return a, nef.Probe(a), nef.Probe(a.neurons), c


REFUSED: list[tuple[Callable[[Run], Any], type[Exception], str]] = [
    (
        lambda r: pictures.tuning_curves(r.sim, other()[0]),
        ProgramError,
        "stranger is not in the network of this simulator",
    ),
    (
        lambda r: pictures.tuning_curves(r.sim, r.line, neurons=0),
        ProgramError,
        "Neurons of a picture must be an integer from 1, not 0",
    ),
    (
        lambda r: pictures.decoded(r.sim, r.spikes, np.zeros(400)),
        ProgramError,
        "Picture of decoded values needs a probe of those, not of spikes",
    ),
    (
        lambda r: pictures.decoded(r.sim, r.two, np.zeros(400)),
        DataError,
        "Ideal must be (400, 2), as what the probe kept, not (400, 1)",
    ),
    (
        lambda r: pictures.decoded(r.sim, other()[1], lambda t: t),
        ProgramError,
        "Probe is not in the network of this simulator",
    ),
    (
        lambda r: pictures.raster(r.sim, other()[2]),
        ProgramError,
        "Probe is not in the network of this simulator",
    ),
    (
        lambda r: pictures.raster(r.sim, r.one),
        ProgramError,
        "Raster needs a probe of spikes, as Probe(ensemble.neurons) is, not of decoded",
    ),
    (
        lambda r: pictures.raster(r.sim, r.filtered),
        ProgramError,
        "Raster needs a probe of all spikes, without synapse and sample_every",
    ),
    (
        lambda r: pictures.drift(r.sim, r.unfiltered),
        ProgramError,
        (
            "Drift needs a connection with a synapse from an ensemble of one dimension to itself, "
            "not connection from line to ensemble of 30 neurons"
        ),
    ),
    (
        lambda r: pictures.drift(r.sim, other()[3]),
        ProgramError,
        "circle is not in the network of this simulator",
    ),
]


@pytest.mark.parametrize(("draw", "kind", "sentence"), REFUSED)
def test_refused(
    run: Run, draw: Callable[[Run], Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(sentence)}$"):
        draw(run)


def test_a_probe_that_has_kept_nothing_is_refused() -> None:
    with nef.Network() as model:
        probe = nef.Probe(nef.Ensemble(5, 1).neurons)
    sentence = "Probe has kept nothing yet: run the simulator first"
    with nef.Simulator(model) as sim, pytest.raises(DataError, match=f"^{sentence}$"):
        pictures.raster(sim, probe)


def test_a_missing_matplotlib_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "spikewright.plots", raising=False)
    sentence = "Pictures need matplotlib: run pip install spikewright[demo]"
    with pytest.raises(ToolError, match=f"^{re.escape(sentence)}$"):
        pictures.drift(run.sim, run.hold)
