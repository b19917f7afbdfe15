# SPDX-License-Identifier: Apache-2.0
"""Networks in floating point: what is trained, and what quantization starts from."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spikewright import network_file
from spikewright.data import check_rates, labels, rate_encode, samples
from spikewright.learn import ops
from spikewright.learn.layers import Dense, Layer, Leaky, Lif, Relu
from spikewright.learn.tape import Array, Recording, Tape, Value
from spikewright.sim.errors import DataError, FormatError, ProgramError

ENCODINGS = ("current", "rate")
"""How a value enters a spiking network: as a constant current or as random spikes."""

READOUTS = ("membrane", "count")
"""What a spiking network answers: last voltages of a Leaky layer or spike counts of a Lif."""

NEURONS = ("relu", "lif")
"""Neurons that :meth:`Network.from_spec` knows."""

CHUNK = 128
"""Frames evaluated together: their arrays fit a level 2 cache."""


class Network:
    """Layers in a row: a multilayer perceptron or a spiking network.

    Without spikes the layers are Dense, Relu, Dense, ..., Dense. With spikes they are
    Dense, Lif, Dense, Lif, ... and the last is a Leaky (``readout="membrane"``) or a Lif
    (``readout="count"``); every frame then runs for ``steps`` steps from zero state, and a spike
    reaches the next layer in the same step.

    Parameters
    ----------
    layers : sequence of Layer
        Weights that were not given to a Dense layer are drawn here.
    dt : float
        Time step, in seconds; unused without spikes.
    steps : int
        Time steps of a frame; unused without spikes.
    encoding : {"current", "rate"}
        Input as a current held for the whole frame (the first product is then computed once a
        frame) or as Bernoulli spikes of probability ``x``; unused without spikes.
    readout : {"membrane", "count"}
        Logits are the voltages at the last step or the spike counts; unused without spikes.
    seed : int
        Seed of the weights and of the rate coding, at least 0.

    Raises
    ------
    FormatError
        If the sizes of neighbouring layers differ.
    ProgramError
        If the layers do not follow each other as above, or an option is wrong.

    Examples
    --------
    >>> Network([Dense(64, 32), Relu(), Dense(32, 10)]).forward(np.zeros((5, 64))).shape
    (5, 10)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        dt: float = 1e-3,
        steps: int = 20,
        encoding: str = "current",
        readout: str = "membrane",
        seed: int = 0,
    ):
        self.layers = list(layers)
        self.dt, self.steps, self.seed = dt, steps, seed
        self.encoding, self.readout = encoding, readout
        self.history: list[dict[str, float | None]] = []
        """Epochs of training so far: losses, accuracies (0 to 1) and seconds."""
        self._check_options()
        self._check_layers()
        rng = np.random.default_rng(seed)
        for layer, after in itertools.zip_longest(self.layers, self.layers[1:]):
            if isinstance(layer, Dense):
                # A leaky neuron sums the currents of about 1 / leak steps.
                gain = max(after.leak(dt), 1 / steps) if isinstance(after, Leaky) else 1.0
                layer.draw(rng, gain)

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
        sizes = spec.split("-")
        if len(sizes) < 2 or not all(s.isascii() and s.isdigit() and int(s) > 0 for s in sizes):
            raise ProgramError(
                f"Network must be layer sizes joined by dashes such as 784-128-10, not {spec!r}"
            )
        if neuron not in NEURONS:
            raise ProgramError(f"Neuron must be {' or '.join(NEURONS)}, not {neuron!r}")
        layers: list[Layer] = []
        for n_in, n_out in itertools.pairwise(sizes):
            layers.append(Dense(int(n_in), int(n_out)))
            size = int(n_out)
            layers.append(Lif(size, tau, threshold, reset) if neuron == "lif" else Relu())
        if neuron == "relu":
            layers.pop()
        elif readout == "membrane":
            layers[-1] = Leaky(int(sizes[-1]), tau)
        return cls(layers, dt=dt, steps=steps, encoding=encoding, readout=readout, seed=seed)

    @property
    def spiking(self) -> bool:
        """Whether frames run in time steps."""
        return any(isinstance(layer, Leaky) for layer in self.layers)

    @property
    def n_in(self) -> int:
        """Values per frame."""
        return next(layer.n_in for layer in self.layers if layer.n_in is not None)

    @property
    def n_out(self) -> int:
        """Logits per frame."""
        return next(layer.n_out for layer in reversed(self.layers) if layer.n_out is not None)

    def parameters(self) -> list[Array]:
        """Trained arrays of all layers in order, shared and not copied."""
        return [array for layer in self.layers for array in layer.parameters()]

    def forward(self, x: Any) -> NDArray[np.float32]:
        """Logits (frames, n_out) of samples (frames, ...)."""
        return np.concatenate([run.logits.data.copy() for run in self._run(x)])

    def predict(self, x: Any) -> NDArray[np.int64]:
        """Class of each sample: the largest logit, the lowest index among equals."""
        return np.asarray(self.forward(x).argmax(axis=1), np.int64)

    def accuracy(self, x: Any, y: Any) -> float:
        """Share of samples (0 to 1) whose class is predicted."""
        predicted = self.predict(x)
        return float(np.mean(predicted == self.check_labels(y, len(predicted))))

    def trace(self, x: Any) -> list[NDArray[np.float32]]:
        """Output of every layer: (frames, n), or (frames, steps, n) where there are time steps.

        With a held current the first Dense layer has none: its output is the current of all steps.
        """
        runs = [[_frames_first(out) for out in run.outputs] for run in self._run(x)]
        return [np.concatenate(parts) for parts in zip(*runs, strict=True)]

    def check_samples(self, x: Any, *, name: str = "x") -> NDArray[np.float32]:
        """Samples as (frames, n_in) float32.

        Raises
        ------
        DataError
            If they do not fit the network, or rate coding meets a value outside 0 to 1.
        """
        flat = samples(name, x)
        if flat.shape[1] != self.n_in:
            raise DataError(
                f"{name} must have {self.n_in} features, one per input of the network, "
                f"not {flat.shape[1]}"
            )
        if self.spiking and self.encoding == "rate":
            check_rates(name, flat)
        return flat

    def check_labels(self, y: Any, length: int, *, name: str = "y") -> NDArray[np.int64]:
        """Labels as int64.

        Raises
        ------
        DataError
            If they are not classes of the network, or not ``length`` many.
        """
        classes = labels(name, y, self.n_out)
        if len(classes) != length:
            raise DataError(f"{name} must hold {length} labels, not {len(classes)}")
        return classes

    def record(self, frames: int, *, gradients: bool) -> Recording:
        """Record the network for so many frames, on zeros."""
        tape = Tape(gradients=gradients)
        rate = self.spiking and self.encoding == "rate"
        shape = (self.steps, frames, self.n_in) if rate else (frames, self.n_in)
        x = value = tape.constant(np.zeros(shape, np.float32))
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
            spikes = rate_encode(x[rows], self.steps, seed, frames=rows)
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

    def _check_options(self) -> None:
        for name, value, known in (
            ("Encoding", self.encoding, ENCODINGS),
            ("Readout", self.readout, READOUTS),
        ):
            if value not in known:
                raise ProgramError(f"{name} must be {' or '.join(known)}, not {value!r}")
        if not 0 < self.dt < float("inf"):
            raise ProgramError(f"Time step must be positive and finite, not {self.dt!r} s")
        for name, number, least in (("Steps", self.steps, 1), ("Seed", self.seed, 0)):
            if not isinstance(number, int) or number < least:
                raise ProgramError(f"{name} must be an integer from {least}, not {number!r}")

    def _check_layers(self) -> None:
        kinds = [type(layer).__name__ for layer in self.layers]
        if self.spiking:
            final = "Leaky" if self.readout == "membrane" else "Lif"
            expected = ["Dense", "Lif"] * (len(kinds) // 2 - 1) + ["Dense", final]
            rule = f'alternate Dense and Lif and end in {final} (readout="{self.readout}")'
        else:
            expected = ["Dense", "Relu"] * (len(kinds) // 2) + ["Dense"]
            rule = "alternate Dense and Relu, begin and end with Dense"
        if kinds != expected:
            raise ProgramError(f"Layers must {rule}, not {', '.join(kinds) or 'be empty'}")
        size: int | None = None
        for position, layer in enumerate(self.layers):
            if None not in (size, layer.n_in) and layer.n_in != size:
                raise FormatError(
                    f"Layer {position}, {layer!r}, must take {size} inputs, not {layer.n_in}"
                )
            size = layer.n_out or size


def _frames_first(output: Value) -> Array:
    return (output.data.swapaxes(0, 1) if output.data.ndim == 3 else output.data).copy()
