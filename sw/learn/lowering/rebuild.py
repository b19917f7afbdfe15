# SPDX-License-Identifier: Apache-2.0
"""A network's options around other layers."""

from collections.abc import Sequence

from spikewright.learn.layers import Layer, Shape
from spikewright.network import Network


def rebuilt(network: Network, layers: Sequence[Layer], shape: Shape) -> Network:
    """Return a network of other layers with everything else of ``network``, its history copied.

    Parameters
    ----------
    network : Network
    layers : sequence of Layer
    shape : sequence of int
        Of a sample.
    """
    made = Network(
        layers,
        shape=shape,
        dt=network.dt,
        steps=network.steps,
        encoding=network.encoding,
        readout=network.readout,
        seed=network.seed,
    )
    made.history = list(network.history)
    return made
