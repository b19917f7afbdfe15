# SPDX-License-Identifier: Apache-2.0
"""Networks in floating point: what is trained, and what quantization starts from."""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spikewright import network_file, network_toml
from spikewright.data import labels, samples
from spikewright.encoding import decide
from spikewright.learn import ops, structure
from spikewright.learn.initialisers import INITIALISERS
from spikewright.learn.layers import Dense, Layer, Leaky, Lif, Relu
from spikewright.learn.options import check_count, check_name, within
from spikewright.learn.tape import Array, Recording, Tape, Value
from spikewright.sim.errors import DataError, ProgramError
from spikewright.spikes import SPIKE_CODES, check_unit, spike_encode

ENCODINGS = ("current", *SPIKE_CODES)
"""How a value enters a spiking network: as a constant current, random spikes or one timed spike."""

READOUTS = ("membrane", "count")
"""What a spiking network answers: last voltages of a Leaky layer or spike counts of a Lif."""

NEURONS = ("relu", "lif")
"""Neurons that :meth:`Network.from_spec` knows."""

CHUNK = 128
"""Frames evaluated together: their arrays fit a level 2 cache."""


class Network:
    """Layers in a row: a multilayer perceptron, a convolutional, recurrent or spiking network.

    A network spikes if one of its layers does; the last is then a Leaky (``readout="membrane"``)
    or one that fires (``readout="count"``), every frame runs for ``steps`` steps from zero state,
    and a spike reaches the next layer in the same step.

    Parameters
    ----------
    layers : sequence of Layer
        Weights that were not given to a layer are drawn here.
    shape : sequence of int, optional
        Shape of a sample, (channels, rows, columns) for layers of images and (steps, features) for
        layers of sequences; the first layer's inputs if not given.
    dt : float
        Time step, in seconds; unused without spikes.
    steps : int
        Time steps of a frame; unused without spikes.
    encoding : {"current", "rate", "latency"}
        Input as a current held for the whole frame (the first product is then computed once a
        frame), as Bernoulli spikes of probability ``x``, or as one spike, the earlier the larger
        ``x`` (:func:`spikewright.spikes.latency_encode`); unused without spikes.
    readout : {"membrane", "count"}
        Logits are the voltages at the last step or the spike counts; unused without spikes.
    seed : int
        Seed of the weights and of the rate coding, at least 0.
    initialiser : str, optional
        A name in :data:`~spikewright.learn.initialisers.INITIALISERS`; each layer's own if not
        given, which is "he" for Dense, Maxout and Conv2d and "uniform" for recurrent layers.

    Raises
    ------
    FormatError
        If a layer cannot take what the layer before it makes.
    ProgramError
        If there are no layers, the last does not suit the read-out, or an option is wrong.

    Examples
    --------
    >>> Network([Dense(64, 32), Relu(), Dense(32, 10)]).forward(np.zeros((5, 64))).shape
    (5, 10)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        shape: Sequence[int] | None = None,
        dt: float = 1e-3,
        steps: int = 20,
        encoding: str = "current",
        readout: str = "membrane",
        seed: int = 0,
        initialiser: str | None = None,
    ):
        self.layers = list(layers)
        self.dt, self.steps, self.seed = dt, steps, seed
        self.encoding, self.readout = encoding, readout
        self.history: list[dict[str, float | None]] = []
        """Epochs of training so far: losses, accuracies (0 to 1) and seconds."""
        self._check_options(initialiser)
        self.shapes = structure.follow(self.layers, shape)
        """Shape of a frame before the first layer and after each."""
        structure.check_readout(self.layers, readout)
        structure.draw(self.layers, np.random.default_rng(seed), initialiser, dt=dt, steps=steps)

    @classmethod
    def from_spec(
        cls,
        spec: str,
        *,
        neuron: str = "relu",
        tau: float = 0.02,
        dt: float = 1e-3,
        threshold: float = 1.0,
        reset: str = "subtract",
        readout: str = "membrane",
        steps: int = 20,
        encoding: str = "current",
        seed: int = 0,
    ) -> Self:
        """Build a network from its sizes.

        Parameters
        ----------
        spec : str
            Layer sizes, inputs first, joined by dashes, such as "784-128-10".
        neuron : {"relu", "lif"}
        tau, threshold, reset
            Of the neurons, see :class:`~spikewright.learn.layers.Lif`; unused for "relu".
        dt, steps, encoding, readout, seed
            Of the network.

        Raises
        ------
        ProgramError
            If the spec or an option cannot be.
        """
        sizes = structure.sizes(spec)
        check_name("Neuron", neuron, NEURONS)
        layers: list[Layer] = []
        for n_in, n_out in itertools.pairwise(sizes):
            layers.append(Dense(n_in, n_out))
            layers.append(Lif(n_out, tau, threshold, reset) if neuron == "lif" else Relu())
        if neuron == "relu":
            layers.pop()
        elif readout == "membrane":
            layers[-1] = Leaky(sizes[-1], tau)
        return cls(layers, dt=dt, steps=steps, encoding=encoding, readout=readout, seed=seed)

    @property
    def spiking(self) -> bool:
        """Whether frames run in time steps."""
        return structure.is_spiking(self.layers)

    @property
    def spike_input(self) -> bool:
        """Whether samples enter as spikes, and so a product runs in every step from the first."""
        return self.spiking and self.encoding in SPIKE_CODES

    @property
    def n_in(self) -> int:
        """Values per frame."""
        return math.prod(self.shapes[0])

    @property
    def n_out(self) -> int:
        """Logits per frame."""
        return self.shapes[-1][0]

    def parameters(self) -> list[Array]:
        """Trained arrays of all layers in order, shared and not copied."""
        return [array for layer in self.layers for array in layer.parameters()]

    def buffers(self) -> list[Array]:
        """Arrays that are not trained and yet part of the network, such as running means."""
        return [array for layer in self.layers for array in layer.buffers()]

    def forward(self, x: Any) -> NDArray[np.float32]:
        """Logits (frames, n_out) of samples (frames, ...)."""
        return np.concatenate([run.logits.data.copy() for run in self._run(x)])

    def predict(self, x: Any) -> NDArray[np.int64]:
        """Class of each sample: the largest logit, the lowest index among equals.

        A single output decides between two classes by its sign: 1 if it is above 0.
        """
        return decide(self.forward(x))

    def accuracy(self, x: Any, y: Any) -> float:
        """Share of samples (0 to 1) whose class is predicted."""
        predicted = self.predict(x)
        return float(np.mean(predicted == self.check_labels(y, len(predicted))))

    def trace(self, x: Any) -> list[NDArray[np.float32]]:
        """Output of every layer: (frames, ...), or (frames, steps, ...) where there are time steps.

        With a held current the first Dense layer has none: its output is the current of all steps.
        """
        axes = [len(shape) for shape in self.shapes[1:]]
        runs = [list(map(_frames_first, run.outputs, axes)) for run in self._run(x)]
        return [np.concatenate(parts) for parts in zip(*runs, strict=True)]

    def check_samples(self, x: Any, *, name: str = "x") -> NDArray[np.float32]:
        """Samples as (frames, n_in) float32.

        Raises
        ------
        DataError
            If they do not fit the network, or a coding by spikes meets a value outside 0 to 1.
        """
        flat = samples(name, x)
        if flat.shape[1] != self.n_in:
            raise DataError(
                f"{name} must have {self.n_in} features, one per input of the network, "
                f"not {flat.shape[1]}"
            )
        if self.spike_input:
            check_unit(name, flat, self.encoding)
        return flat

    def check_labels(self, y: Any, length: int, *, name: str = "y") -> NDArray[np.int64]:
        """Labels as int64.

        Raises
        ------
        DataError
            If they are not classes of the network, or not ``length`` many.
        """
        classes = labels(name, y, max(2, self.n_out))
        if len(classes) != length:
            raise DataError(f"{name} must hold {length} labels, not {len(classes)}")
        return classes

    def record(
        self, frames: int, *, gradients: bool, training: bool = False, inputs: bool = False
    ) -> Recording:
        """Record the network for so many frames, on zeros.

        Layers that differ in training do as then if ``training``, parameters have gradients if
        ``gradients``, and so have the samples if ``inputs``.
        """
        tape = Tape(gradients=gradients, training=training)
        lead = (self.steps, frames) if self.spike_input else (frames,)
        zeros = np.zeros((*lead, self.n_in), np.float32)
        x = value = tape.variable(zeros) if inputs else tape.constant(zeros)
        if len(self.shapes[0]) > 1:
            value = ops.reshape(x, (*lead, *self.shapes[0]))
        outputs: list[Value] = []
        for layer in self.layers:
            value = layer.record(value, dt=self.dt, steps=self.steps)
            outputs.append(value)
        if self.spiking:
            value = ops.last(value) if self.readout == "membrane" else ops.total(value, 0)
        return Recording(tape, x, outputs, value)

    def encode(
        self, x: NDArray[np.float32], rows: NDArray[np.int64], out: Array, *, seed: int
    ) -> None:
        """Write the encoded samples ``x[rows]`` to ``out``, a recording's input."""
        if out.ndim == 2:
            # Only this mode writes to `out` without a copy between.
            np.take(x, rows, axis=0, out=out, mode="clip")
        else:
            spikes = spike_encode(self.encoding, x[rows], self.steps, seed=seed, frames=rows)
            np.copyto(out, spikes.swapaxes(0, 1))

    def save(self, path: str | Path) -> None:
        """Write the network with its history to a .npz file, complete or not at all."""
        network_file.save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> "Network":
        """Read a network that :meth:`save` wrote.

        Raises
        ------
        FileError
            If the file is missing, incomplete, altered or of another kind.
        """
        return network_file.load(path, cls)

    @classmethod
    def from_toml(cls, path: str | Path, *, seed: int = 0) -> "Network":
        """Build a network from a TOML file of layers, see :mod:`spikewright.network_toml`.

        Parameters
        ----------
        path : path
        seed : int
            Where the file gives none.

        Raises
        ------
        FileError
            If the file is missing or not TOML.
        FormatError, ProgramError
            If a layer or an option cannot be.
        """
        return network_toml.load(path, cls, seed=seed)

    def _run(self, x: Any) -> Iterator[Recording]:
        """Evaluate in chunks; each recording is overwritten by the next."""
        flat = self.check_samples(x)
        run: Recording | None = None
        for start in range(0, len(flat), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(flat)))
            if run is None or len(run.logits.data) != len(rows):
                run = self.record(len(rows), gradients=False)
            self.encode(flat, rows, run.x.data, seed=self.seed)
            run.tape.replay()
            yield run

    def _check_options(self, initialiser: str | None) -> None:
        check_name("Encoding", self.encoding, ENCODINGS)
        check_name("Readout", self.readout, READOUTS)
        if initialiser is not None:
            check_name("Initialiser", initialiser, INITIALISERS)
        if not within(self.dt, 0, math.inf, "()"):
            raise ProgramError(f"Time step must be positive and finite, not {self.dt!r} s")
        check_count("Steps", self.steps, 1)
        check_count("Seed", self.seed, 0)
        if not self.layers:
            raise ProgramError("Network must have at least one layer, and it is empty")


def _frames_first(output: Value, axes: int) -> Array:
    timed = output.data.ndim == axes + 2
    return (output.data.swapaxes(0, 1) if timed else output.data).copy()
