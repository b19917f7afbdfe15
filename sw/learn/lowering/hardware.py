# SPDX-License-Identifier: Apache-2.0
"""Which layers have a hardware form, and what comes nearest to those that have none."""

from collections.abc import Iterator, Sequence

from spikewright.learn.layers import Layer
from spikewright.sim.errors import ProgramError

PLAIN = ("Dense", "Relu", "Leaky", "Lif")
"""Layers that become gateware as they are."""

FOLDED = ("Dropout", "BatchNorm")
"""Layers that :func:`spikewright.learn.lowering.folding.fold` takes away."""

MOVED = ("SignedRelu",)
"""Layers that :func:`spikewright.learn.rules.kickback.unsigned` takes away, on request."""

NEAREST = {
    "LeakyRelu": "Relu",
    "HardTanh": "Relu",
    "Sigmoid": "Relu",
    "Tanh": "Relu",
    "Maxout": "Dense and Relu",
    "Conv2d": "Dense",
    "MaxPool2d": "Dense",
    "AvgPool2d": "Dense",
    "Flatten": "Dense on vectors",
    "Alif": "Lif",
    "RecurrentLif": "Lif",
    "Rnn": "Dense over a window of the sequence",
    "Lstm": "Dense over a window of the sequence",
    "Gru": "Dense over a window of the sequence",
}
"""Nearest alternative to each layer that has no hardware form."""


def unsupported(layers: Sequence[Layer]) -> Iterator[str]:
    """One sentence for the first layer of each kind that has no hardware form."""
    seen: set[str] = set()
    for position, layer in enumerate(layers):
        kind = type(layer).__name__
        if kind not in (*PLAIN, *FOLDED, *MOVED) and kind not in seen:
            seen.add(kind)
            nearest = NEAREST.get(kind, "Dense, Relu, Lif or Leaky")
            yield (
                f"Layer {position}, {layer!r}, has no hardware form and quantize refuses it: "
                f"use {nearest} in its place"
            )


def check_hardware(layers: Sequence[Layer], *, spiking: bool, readout: str) -> None:
    """Refuse what cannot become gateware.

    Parameters
    ----------
    layers : sequence of Layer
        Folded.
    spiking : bool
    readout : {"membrane", "count"}

    Raises
    ------
    ProgramError
        For a layer that has no hardware form, with the nearest alternative, or an order of layers
        that has none.
    """
    for sentence in unsupported(layers):
        raise ProgramError(sentence.replace(" and quantize refuses it", ""))
    kinds = [type(layer).__name__ for layer in layers]
    if set(MOVED) & set(kinds):
        raise ProgramError(
            "Signs of SignedRelu must be in the weights after it to have a hardware form: "
            "quantize spikewright.learn.rules.kickback.unsigned(network)"
        )
    if spiking:
        final = "Leaky" if readout == "membrane" else "Lif"
        expected = ["Dense", "Lif"] * (len(kinds) // 2 - 1) + ["Dense", final]
        rule = f'alternate Dense and Lif and end in {final} (readout="{readout}")'
    else:
        expected = ["Dense", "Relu"] * (len(kinds) // 2) + ["Dense"]
        rule = "alternate Dense and Relu, begin and end with Dense"
    if kinds != expected:
        raise ProgramError(
            f"Layers must {rule} to have a hardware form, not {', '.join(kinds) or 'be empty'}"
        )
