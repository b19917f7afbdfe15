# SPDX-License-Identifier: Apache-2.0
"""Small trained networks and data that tests share."""

from functools import cache

import numpy as np

from spikewright.data import Dataset
from spikewright.learn.fit import fit
from spikewright.network import Network


@cache
def blobs(*, features: int = 12, classes: int = 4, samples: int = 240, seed: int = 0) -> Dataset:
    """Gaussian blobs in 0 to 1, one for each class: easy, and quick to make."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.2, 0.8, (classes, features))
    y = rng.integers(0, classes, samples)
    x = np.clip(centres[y] + rng.normal(0, 0.08, (samples, features)), 0, 1).astype(np.float32)
    half = samples // 2
    return Dataset(x_train=x[:half], y_train=y[:half], x_test=x[half:], y_test=y[half:])


@cache
def trained(neuron: str, encoding: str = "current", readout: str = "membrane") -> Network:
    """A 12-9-4 network that knows the blobs."""
    data = blobs()
    network = Network.from_spec(
        "12-9-4", neuron=neuron, encoding=encoding, readout=readout, steps=8, seed=1
    )
    fit(network, data.x_train, data.y_train, epochs=60, batch=16, learning_rate=0.02, seed=1)
    return network
