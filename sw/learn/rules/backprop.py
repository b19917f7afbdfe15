# SPDX-License-Identifier: Apache-2.0
"""Backpropagation: gradients by reverse-mode differentiation, through time where needed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.tape import Array, Recording, Value
from spikewright.learn.training.loop import Step
from spikewright.learn.training.losses import LOSSES
from spikewright.network import Network


class Backprop:
    """Gradients by reverse-mode differentiation, through time where the network spikes.

    Parameters
    ----------
    network : Network
    loss : str
        A name in :data:`~spikewright.learn.training.losses.LOSSES`.
    **options
        Of the loss.
    """

    def __init__(self, network: Network, loss: str, **options: Any):
        self.network, self.loss, self.options = network, loss, options
        self._recordings: dict[int, tuple[Recording, Value, Value, list[Array]]] = {}

    def step(self, x: Array, targets: Array, rows: NDArray[np.int64], *, seed: int) -> Step:
        """Evaluate the frames ``rows`` of ``x``; ``seed`` seeds what is random."""
        if len(rows) not in self._recordings:
            self._recordings[len(rows)] = self._record(len(rows), targets)
        run, wanted, loss, gradients = self._recordings[len(rows)]
        self.network.encode(x, rows, run.x.data, seed=seed)
        np.take(targets, rows, axis=0, out=wanted.data, mode="clip")
        run.tape.seed(seed, int(rows[0]))
        run.tape.replay()
        run.tape.backward(loss)
        layers = [output.data for output in run.outputs]
        return Step(float(loss.data), run.logits.data, gradients, layers)

    def _record(self, frames: int, targets: Array) -> tuple[Recording, Value, Value, list[Array]]:
        run = self.network.record(frames, gradients=True, training=True)
        wanted = run.tape.constant(np.zeros((frames, *targets.shape[1:]), targets.dtype))
        loss = LOSSES[self.loss](run.logits, wanted, **self.options)
        parameters = self.network.parameters()
        return run, wanted, loss, [run.tape.parameter(p).gradient() for p in parameters]
