# SPDX-License-Identifier: Apache-2.0
"""What the host runs of a Nengo network: functions for nodes, with a state that can start anew."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.nef.nengo.reading import Drawn

Array = NDArray[np.float64]
Step = Callable[..., Any]


class HostNeurons:
    """An ensemble's neurons, stepped by their own type.

    The input is the represented vector and, after it, a current for each neuron; the output is
    what the neurons send, in Hz.

    Parameters
    ----------
    neuron_type : nengo.neurons.NeuronType
    drawn : Drawn
    dt : float
        In s.
    seed : int
        Of the initial state.
    """

    def __init__(self, neuron_type: Any, drawn: Drawn, *, dt: float, seed: int):
        self._type, self._drawn, self._dt, self._seed = neuron_type, drawn, dt, seed
        self._dimensions = drawn.encoders.shape[1]
        self.restart()

    def restart(self) -> None:
        """Take the initial state."""
        n, rng = len(self._drawn.gain), np.random.RandomState(self._seed)
        own: dict[str, Any] = self._type.make_state(n, rng=rng, dtype=np.float64)
        self._output = np.zeros(n)
        self._stages = [(self._type, own, self._output)]
        if (base := getattr(self._type, "base_type", None)) is not None:
            # Types that make spikes of rates step on those of another type.
            below = base.make_state(n, rng=rng, dtype=np.float64)
            self._stages.insert(0, (base, below, np.zeros(n)))
        self.state = {name: value for _, state, _ in self._stages for name, value in state.items()}

    def __call__(self, time: float, x: Array) -> Array:
        drawn = self._drawn
        along = drawn.directions(x[: self._dimensions])
        current = drawn.gain * along + drawn.bias + x[self._dimensions :]
        for neurons, state, output in self._stages:
            neurons.step(self._dt, current, output, **state)
            current = output
        return self._output.copy()


class HostProcess:
    """A Nengo process: a function of the time, or of the time and a vector.

    Parameters
    ----------
    process : nengo.Process
    size_in, size_out : int
    dt : float
        In s.
    seed : int
        Used where the process has none.
    """

    def __init__(self, process: Any, size_in: int, size_out: int, *, dt: float, seed: int):
        self._process, self._sizes, self._dt = process, ((size_in,), (size_out,)), dt
        self._seed = seed if process.seed is None else int(process.seed)
        self.restart()

    def restart(self) -> None:
        """Take the initial state."""
        rng = np.random.RandomState(self._seed)
        state = self._process.make_state(*self._sizes, self._dt)
        self._step: Step = self._process.make_step(*self._sizes, self._dt, rng, state)

    def __call__(self, time: float, *x: Array) -> Array:
        return np.array(self._step(time, *x), np.float64)


class HostSynapse(HostProcess):
    """A synapse that hardware has not: it gives what it held at the end of the last step."""

    def restart(self) -> None:
        """Hold nothing."""
        super().restart()
        self._held = np.zeros(self._sizes[1])

    def __call__(self, time: float, *x: Array) -> Array:
        held, self._held = self._held, super().__call__(time, *x)
        return held


class HostLearning:
    """Decoders of an ensemble on the host that learn by PES: ``ΔD = -κ dt / n · error aᵀ``.

    The input is what the neurons send, and after it the error; the output is what is decoded.

    Parameters
    ----------
    decoders : (size, n_neurons) ndarray
        In value per Hz.
    rule : nengo.PES
    dt : float
        In s.
    """

    def __init__(self, decoders: Array, rule: Any, *, dt: float):
        self._initial, self._rule, self._dt = decoders, rule, dt
        self.restart()

    def restart(self) -> None:
        """Forget what was learned."""
        self.decoders = self._initial.copy()
        n = self.decoders.shape[1]
        self._trace: HostProcess | None = None
        if self._rule.pre_synapse is not None:
            self._trace = HostProcess(self._rule.pre_synapse, n, n, dt=self._dt, seed=0)

    def __call__(self, time: float, x: Array) -> Array:
        n = self.decoders.shape[1]
        activities, error = x[:n], x[n:]
        decoded = self.decoders @ activities
        trace = activities if self._trace is None else self._trace(time, activities)
        scale = self._rule.learning_rate * self._dt / n
        self.decoders -= scale * np.multiply.outer(error, trace)
        return np.asarray(decoded, np.float64)


class HostState:
    """A state variable of neurons on the host, read after their step.

    Parameters
    ----------
    neurons : HostNeurons
    name : str
    """

    def __init__(self, neurons: HostNeurons, name: str):
        self._neurons, self._name = neurons, name

    def __call__(self, time: float, x: Array) -> Array:
        return np.array(self._neurons.state[self._name], np.float64)


Stateful = HostNeurons | HostProcess | HostLearning
