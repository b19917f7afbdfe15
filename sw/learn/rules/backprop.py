# SPDX-License-Identifier: Apache-2.0
"""Backpropagation: gradients by reverse-mode differentiation, through time where needed."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn import ops
from spikewright.learn.structure import FIRING
from spikewright.learn.tape import Array, Recording, Value
from spikewright.learn.training.loop import Step
from spikewright.learn.training.losses import LOSSES
from spikewright.network import Network
from spikewright.sim.errors import ProgramError


class Backprop:
    """Gradients by reverse-mode differentiation, through time where the network spikes.

    Parameters
    ----------
    network : Network
    loss : str
        A name in :data:`~spikewright.learn.training.losses.LOSSES`.
    rate_strength, rate_target : float
        Of :func:`rate_penalty`, whose gradients are added; the loss that is reported is without.
    **options
        Of the loss.

    Raises
    ------
    ProgramError
        If rates are penalised and no hidden layer fires.
    """

    def __init__(
        self,
        network: Network,
        loss: str,
        *,
        rate_strength: float = 0.0,
        rate_target: float = 0.0,
        **options: Any,
    ):
        self.network, self.loss, self.options = network, loss, options
        self.rate_strength, self.rate_target = rate_strength, rate_target
        self._recordings: dict[int, _Batch] = {}
        self._firing = [k for k, la in enumerate(network.layers[:-1]) if isinstance(la, FIRING)]
        if rate_strength and not self._firing:
            kinds = ", ".join(type(layer).__name__ for layer in network.layers)
            raise ProgramError(
                f"Firing rates to penalise need a layer that fires before the last, not {kinds}: "
                "set rate_strength to 0"
            )

    def step(self, x: Array, targets: Array, rows: NDArray[np.int64], *, seed: int) -> Step:
        """Evaluate the frames ``rows`` of ``x``; ``seed`` seeds what is random.

        Where hidden layers fire, the notes hold ``firing_rate``, the mean of their neurons in
        spikes a step.
        """
        if len(rows) not in self._recordings:
            self._recordings[len(rows)] = self._record(len(rows), targets)
        batch = self._recordings[len(rows)]
        run = batch.run
        self.network.encode(x, rows, run.x.data, seed=seed)
        np.take(targets, rows, axis=0, out=batch.wanted.data, mode="clip")
        run.tape.seed(seed, int(rows[0]))
        run.tape.replay()
        run.tape.backward(batch.objective)
        layers = [output.data for output in run.outputs]
        notes = {}
        if self._firing:
            fired = sum(float(layers[k].sum(dtype=np.float64)) for k in self._firing)
            notes["firing_rate"] = fired / sum(layers[k].size for k in self._firing)
        return Step(float(batch.loss.data), run.logits.data, batch.gradients, layers, notes)

    def _record(self, frames: int, targets: Array) -> "_Batch":
        run = self.network.record(frames, gradients=True, training=True)
        wanted = run.tape.constant(np.zeros((frames, *targets.shape[1:]), targets.dtype))
        loss = objective = LOSSES[self.loss](run.logits, wanted, **self.options)
        if self.rate_strength:
            spikes = [run.outputs[k] for k in self._firing]
            penalty = rate_penalty(spikes, target=self.rate_target, strength=self.rate_strength)
            objective = ops.add(loss, penalty)
        parameters = self.network.parameters()
        gradients = [run.tape.parameter(p).gradient() for p in parameters]
        return _Batch(run, wanted, loss, objective, gradients)


@dataclass(frozen=True)
class _Batch:
    """A recorded batch: ``objective`` is what is descended, ``loss`` what is reported."""

    run: Recording
    wanted: Value
    loss: Value
    objective: Value
    gradients: list[Array]


def rate_penalty(spikes: list[Value], *, target: float, strength: float) -> Value:
    """Cost of firing rates away from a target, ``strength mean_j (r_j - target)**2``.

    ``r_j`` is the rate of neuron ``j`` in spikes a step, the mean over the batch and its steps;
    ``j`` runs over the neurons of all layers. (Bellec and others, Long short-term memory and
    learning-to-learn in networks of spiking neurons, 2018, in other units.) Spikes cost energy
    and, where the input is events, clock cycles; silent neurons learn nothing.

    Parameters
    ----------
    spikes : list of (steps, batch, ...) Value
        Of each layer that fires.
    target : float
        Spikes a step, 0 to 1.
    strength : float

    Returns
    -------
    () Value
    """
    away = [ops.scale(ops.mean(s, (0, 1)), 1.0, -target) for s in spikes]
    squares = [ops.total(ops.mul(a, a)) for a in away]
    return ops.scale(reduce(ops.add, squares), strength / sum(a.data.size for a in away))
