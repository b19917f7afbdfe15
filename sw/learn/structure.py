# SPDX-License-Identifier: Apache-2.0
"""How layers follow each other: the shapes between them, and how their weights begin."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from spikewright.learn.initialisers import INITIALISERS, coherent
from spikewright.learn.layers import (
    AvgPool2d,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Leaky,
    Lif,
    MaxPool2d,
    RecurrentLif,
    Shape,
    Weighted,
)
from spikewright.sim.errors import FormatError, ProgramError

NEURONS = (Leaky, RecurrentLif)
"""Layers that live through the time steps of a frame."""

FIRING = (Lif, RecurrentLif)
"""Those of them whose output is spikes."""

BETWEEN = (Dropout, BatchNorm, Flatten, MaxPool2d, AvgPool2d)
"""What may stand between a layer's products and the neurons that sum them."""


def sizes(spec: str) -> list[int]:
    """Layer sizes of a spec such as "784-128-10".

    Raises
    ------
    ProgramError
        If it is none.
    """
    parts = spec.split("-")
    if len(parts) < 2 or not all(s.isascii() and s.isdigit() and int(s) > 0 for s in parts):
        raise ProgramError(
            f"Network must be layer sizes joined by dashes such as 784-128-10, not {spec!r}"
        )
    return [int(part) for part in parts]


def follow(layers: Sequence[Layer], shape: Sequence[int] | None) -> list[Shape]:
    """Shape of the frames before the first layer and after each.

    Parameters
    ----------
    layers : sequence of Layer
    shape : sequence of int or None
        Of a frame; a vector that suits the first layer with a size if not given.

    Raises
    ------
    FormatError
        If the first shape is unknown, a layer cannot take what it is given, or the last shape is
        no vector.
    """
    if shape is None:
        size = next((layer.n_in for layer in layers if layer.n_in is not None), None)
        if size is None:
            raise FormatError(
                f"Shape of the samples must be given to a network that begins with {layers[0]!r}, "
                "such as shape=(1, 28, 28)"
            )
        shape = (size,)
    shapes = [tuple(int(n) for n in shape)]
    if min(shapes[0], default=0) < 1:
        raise FormatError(f"Shape of the samples must hold positive integers, not {shapes[0]}")
    for position, layer in enumerate(layers):
        try:
            shapes.append(layer.out_shape(shapes[-1]))
        except FormatError as error:
            raise FormatError(f"Layer {position} cannot follow: {error}") from error
    if len(shapes[-1]) != 1:
        kind = "images" if len(shapes[-1]) == 3 else "sequences"
        raise FormatError(f"Network must end in values, not in {kind} of {shapes[-1]}")
    return shapes


def is_spiking(layers: Sequence[Layer]) -> bool:
    """Whether frames run in time steps."""
    return any(isinstance(layer, NEURONS) for layer in layers)


def check_readout(layers: Sequence[Layer], readout: str) -> None:
    """Refuse a network that spikes and whose last layer does not suit its read-out.

    Raises
    ------
    ProgramError
        If it does not.
    """
    fires = isinstance(layers[-1], FIRING)
    if not is_spiking(layers):
        return
    if readout == "membrane" and (fires or not isinstance(layers[-1], Leaky)):
        wanted = "Leaky"
    elif readout == "count" and not fires:
        wanted = "Lif, Alif or RecurrentLif"
    else:
        return
    kinds = ", ".join(type(layer).__name__ for layer in layers)
    raise ProgramError(f'Layers must end in {wanted} (readout="{readout}"), not {kinds}')


def draw(
    layers: Sequence[Layer], rng: np.random.Generator, name: str | None, *, dt: float, steps: int
) -> None:
    """Draw the weights that were not given.

    With the initialiser "coherent" the first layer is free and begins as by "he"; the signs of the
    nodes are the ``signs`` of the layer after, where it has any.

    Parameters
    ----------
    layers : sequence of Layer
    rng : Generator
    name : str or None
        Of an initialiser; None for each layer's own.
    dt : float
        Time step, in seconds.
    steps : int
        Time steps of a frame.
    """
    first = True
    for position, layer in enumerate(layers):
        if not isinstance(layer, Weighted):
            continue
        later = (other for other in layers[position + 1 :] if not isinstance(other, BETWEEN))
        after: Any = next(later, None)
        # A leaky neuron sums the currents of about 1 / leak steps.
        gain = max(after.leak(dt), 1 / steps) if isinstance(after, NEURONS) else 1.0
        initialise = None if name is None else INITIALISERS[name]
        if name == "coherent":
            signs = getattr(after, "signs", None)
            initialise = INITIALISERS["he"] if first else partial(coherent, signs=signs)
        layer.draw(rng, gain, initialise)
        first = first and not isinstance(layer, Dense)
