# SPDX-License-Identifier: Apache-2.0
"""Pictures of a simulation: curves, decoded values, spikes and drift. Needs the demo extra.

Every function returns a matplotlib figure, which ``figure.savefig("name.png", dpi=150)`` keeps.
"""

import importlib
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.learn.options import check_count
from spikewright.nef.connection import Connection, Probe
from spikewright.nef.decoders.curves import tuning_curves as measured_curves
from spikewright.nef.objects import Ensemble
from spikewright.nef.simulator import Simulator
from spikewright.sim.errors import DataError, ProgramError, ToolError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

INK, MUTED, GRID = "#1c2330", "#5b6577", "#dfe3ea"
BLUE, ORANGE = "#2563c9", "#c2570c"
LINES = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Of dimensions in turn: hues that the colour-blind tell apart (M. Okabe and K. Ito, 2008)."""
WIDTH = 6.4
"""Of every figure, in inches."""
POINTS = 401
"""Of a curve."""


def tuning_curves(sim: Simulator, ensemble: Ensemble, *, neurons: int = 10) -> "Figure":
    """Rates of the integer neurons beside ``G(J)`` of continuous time, and by how much they differ.

    Each neuron is driven along its own encoder; one dimension is drawn from left to right.

    Parameters
    ----------
    sim : Simulator
    ensemble : Ensemble
    neurons : int
        So many are drawn, evenly taken from the ensemble.

    Raises
    ------
    ProgramError
        If the ensemble is not the simulator's.
    ToolError
        If matplotlib is not installed.
    """
    check_count("Neurons of a picture", neurons, 1)
    population = sim.compiled.populations.get(ensemble)
    if population is None:
        raise ProgramError(f"{ensemble} is not in the network of this simulator")
    drawn = population.draw
    chosen = np.unique(np.linspace(0, ensemble.n_neurons - 1, neurons).round().astype(np.int64))
    along = np.linspace(-1, 1, POINTS)
    with _style():
        figure, (above, below) = _figure(4.8, rows=2, heights=(3, 1))
        for k in chosen:
            encoder = drawn.encoders[k]
            points = ensemble.radius * np.multiply.outer(along, encoder)
            rates = measured_curves(population, points)[:, k]
            ideal = population.neuron.rates(drawn.gain[k] * along + drawn.bias[k])
            place = along * (encoder[0] if ensemble.dimensions == 1 else 1.0) * ensemble.radius
            first = k == chosen[0]
            above.plot(place, rates, color=BLUE, label="integer neurons" if first else None)
            (line,) = above.plot(place, ideal, "--", color=ORANGE, linewidth=1)
            line.set_label("G(J), continuous time" if first else None)
            below.plot(place, rates - ideal, color=BLUE, linewidth=0.7)
        above.set(title=f"{len(chosen)} of {ensemble.n_neurons} neurons", ylabel="rate (Hz)")
        above.set_ylim(bottom=0)
        _legend(figure)
        below.set(ylabel="difference (Hz)", xlim=(-ensemble.radius, ensemble.radius))
        one = ensemble.dimensions == 1
        below.set_xlabel("represented value x" if one else "x along the encoder")
        return figure


def decoded(
    sim: Simulator, probe: Probe, ideal: ArrayLike | Callable[[float], ArrayLike]
) -> "Figure":
    """A probe's values beside what they should be, and the error.

    Parameters
    ----------
    sim : Simulator
    probe : Probe
        Of decoded values, or of a node.
    ideal : callable, or (samples, size) array_like
        Of the time in s; or a value for each that the probe kept.

    Raises
    ------
    ProgramError
        If the probe is not of decoded values.
    DataError
        If it has kept nothing, or the ideal has another shape.
    ToolError
        If matplotlib is not installed.
    """
    if probe.attr != "decoded":
        raise ProgramError(f"Picture of decoded values needs a probe of those, not of {probe.attr}")
    times, values = _kept(sim, probe)
    given = [ideal(float(t)) for t in times] if callable(ideal) else ideal
    wanted = np.asarray(given, np.float64)
    wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    if wanted.shape != values.shape:
        raise DataError(f"Ideal must be {values.shape}, as what the probe kept, not {wanted.shape}")
    error = values - wanted
    with _style():
        figure, (above, below) = _figure(4.4, rows=2, heights=(2, 1))
        colours = list(itertools.islice(itertools.cycle(LINES), values.shape[1]))
        for k, colour in enumerate(colours):
            name = "decoded" if len(colours) == 1 else f"dimension {k + 1}"
            above.plot(times, values[:, k], color=colour, linewidth=1.4, label=name)
            (line,) = above.plot(times, wanted[:, k], "--", color=INK, linewidth=1)
            line.set_label("ideal" if k == len(colours) - 1 else None)
            below.plot(times, error[:, k], color=colour, linewidth=1)
        rmse = float(np.sqrt((error * error).mean()))
        above.set(title="Decoded", ylabel="value")
        below.set(title=f"Error, {rmse:.3g} in the root mean square", ylabel="error")
        below.set(xlabel="time (s)", xlim=(0, times[-1]))
        _legend(figure)
        return figure


def raster(sim: Simulator, probe: Probe, *, neurons: int = 50) -> "Figure":
    """Spikes over time, and the mean rate of all neurons in windows of 20 ms.

    Parameters
    ----------
    sim : Simulator
    probe : Probe
        Of spikes.
    neurons : int
        So many are drawn, evenly taken from the ensemble.

    Raises
    ------
    ProgramError
        If the probe is not of spikes, or not of each.
    DataError
        If it has kept nothing.
    ToolError
        If matplotlib is not installed.
    """
    check_count("Neurons of a picture", neurons, 1)
    if probe.attr != "spikes":
        raise ProgramError(
            f"Raster needs a probe of spikes, as Probe(ensemble.neurons) is, not of {probe.attr}"
        )
    if probe.synapse is not None or probe.sample_every is not None:
        raise ProgramError("Raster needs a probe of all spikes, without synapse and sample_every")
    times, heights = _kept(sim, probe)
    count = heights.shape[1]
    chosen = np.unique(np.linspace(0, count - 1, neurons).round().astype(np.int64))
    when, which = np.nonzero(heights[:, chosen])
    with _style():
        figure, (above, below) = _figure(4.8, rows=2, heights=(3, 1))
        size = max(2.0, 160 / len(chosen))
        (spikes,) = above.plot(times[when], chosen[which], "|", color=BLUE, markersize=size)
        spikes.set(markeredgewidth=0.7)
        above.set(title=f"Spikes of {len(chosen)} of {count} neurons", ylabel="neuron")
        above.set_ylim(-0.02 * count - 0.5, 1.02 * count - 0.5)
        above.grid(visible=False)
        window = min(max(1, round(0.02 / sim.dt)), len(times))
        mean = np.convolve(heights.mean(axis=1), np.full(window, 1 / window), "valid")
        below.plot(times[window - 1 :], mean, color=BLUE, linewidth=1.2)
        below.set(xlabel="time (s)", ylabel="mean rate (Hz)", xlim=(0, times[-1]))
        below.set_ylim(bottom=0)
        return figure


def drift(sim: Simulator, connection: Connection) -> "Figure":
    """How fast an integrator drifts without input, and where it stays.

    ``dx/dt = (f(x) - x) / tau`` of the feedback's decoded tuning curves ``f``. Where the curve
    falls through zero it attracts, where it rises it repels. Learned decoders are shown as they are
    now.

    Parameters
    ----------
    sim : Simulator
    connection : Connection
        From an ensemble of one dimension to itself, with a synapse.

    Raises
    ------
    ProgramError
        If the connection is another.
    ToolError
        If matplotlib is not installed.
    """
    x, speed = drift_of(sim, connection)
    crossings = np.flatnonzero(np.diff(np.signbit(speed)))
    share = speed[crossings] / (speed[crossings] - speed[crossings + 1])
    where = x[crossings] + share * (x[crossings + 1] - x[crossings])
    stable = speed[crossings] > 0
    with _style():
        figure, (axes,) = _figure(3.4, rows=1, heights=(1,))
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.plot(x, speed, color=BLUE, linewidth=1.4)
        for rows, face, name in ((stable, ORANGE, "attracting"), (~stable, "white", "repelling")):
            count = int(rows.sum())
            (dots,) = axes.plot(where[rows], np.zeros(count), "o", label=f"{count} {name}")
            dots.set(color=ORANGE, markerfacecolor=face, markersize=5)
        axes.set(title="Drift without input", xlim=(x[0], x[-1]))
        axes.set(xlabel="represented value x", ylabel="drift (1/s)")
        _legend(figure)
        return figure


def drift_of(sim: Simulator, connection: Connection) -> tuple[Array, Array]:
    """Values ``x`` within the radius and ``(f(x) - x) / tau`` there, in 1/s.

    Raises
    ------
    ProgramError
        If the connection is not from an ensemble of one dimension to itself, with a synapse, or
        not the simulator's.
    """
    pre = connection.pre
    if (
        not isinstance(pre, Ensemble)
        or connection.post is not pre
        or pre.dimensions != 1
        or connection.synapse is None
    ):
        raise ProgramError(
            "Drift needs a connection with a synapse from an ensemble of one dimension to itself, "
            f"not {connection}"
        )
    if connection not in sim.network.connections:
        raise ProgramError(f"{connection} is not in the network of this simulator")
    x = np.linspace(-pre.radius, pre.radius, POINTS)
    rates = measured_curves(sim.compiled.populations[pre], x[:, None])
    brought = rates @ sim.decoders(connection).T @ connection.transform.T
    speed: Array = (brought[:, 0] - x) / (connection.synapse.tau * connection.synapse.order)
    return x, speed


def _kept(sim: Simulator, probe: Probe) -> tuple[Array, Array]:
    if probe not in sim.network.probes:
        raise ProgramError("Probe is not in the network of this simulator")
    values = sim.data[probe]
    if not len(values):
        raise DataError("Probe has kept nothing yet: run the simulator first")
    return sim.trange(probe.sample_every), values


def _style() -> Any:
    """The report's style, in the colours of its light page."""
    try:
        plots = importlib.import_module("spikewright.plots")
        matplotlib = importlib.import_module("matplotlib")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ToolError("Pictures need matplotlib: run pip install spikewright[demo]") from error
    colours = {plots.INK: INK, plots.MUTED: MUTED, plots.GRID: GRID}
    style = {name: colours.get(value, value) for name, value in plots.STYLE.items()}
    return matplotlib.rc_context({**style, "lines.linewidth": 1.6})


def _figure(height: float, *, rows: int, heights: tuple[float, ...]) -> tuple["Figure", Any]:
    """A figure of panels below each other, with one axis of x."""
    figures = importlib.import_module("matplotlib.figure")
    figure = figures.Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(rows, 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    figure.align_ylabels(panels)
    return figure, panels


def _legend(figure: "Figure") -> None:
    """A legend above the panels, which make room for it."""
    figure.legend(loc="outside upper right", ncols=4)
