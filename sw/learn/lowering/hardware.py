# SPDX-License-Identifier: Apache-2.0
"""Which layers have a hardware form, and what comes nearest to those that have none."""

from collections.abc import Iterator, Sequence

from spikewright.learn.layers import Dense, Layer
from spikewright.sim.errors import ProgramError

PLAIN = ("Dense", "Relu", "Leaky", "Lif")
"""Layers that become gateware as they are."""

FOLDED = ("Dropout", "BatchNorm")
"""Layers that :func:`spikewright.learn.lowering.folding.fold` takes away."""

UNROLLED = ("Conv2d", "AvgPool2d", "Flatten")
"""Layers of images that :func:`spikewright.learn.lowering.unroll.unroll` makes Dense of."""

MOVED = ("SignedRelu",)
"""Layers that :func:`spikewright.learn.rules.kickback.unsigned` takes away, on request."""

NEAREST = {
    "LeakyRelu": "Relu",
    "HardTanh": "Relu",
    "Sigmoid": "Relu",
    "Tanh": "Relu",
    "Maxout": "Dense and Relu",
    "MaxPool2d": "AvgPool2d or a stride",
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
        if kind not in (*PLAIN, *FOLDED, *UNROLLED, *MOVED) and kind not in seen:
            seen.add(kind)
            nearest = NEAREST.get(kind, "Dense, Conv2d, Relu, Lif or Leaky")
            yield (
                f"Layer {position}, {layer!r}, has no hardware form and quantize refuses it: "
                f"use {nearest} in its place"
            )


def check_layers(layers: Sequence[Layer]) -> None:
    """Refuse layers that cannot become gateware.

    Raises
    ------
    ProgramError
        For a layer that has no hardware form, with the nearest alternative.
    """
    for sentence in unsupported(layers):
        raise ProgramError(sentence.replace(" and quantize refuses it", ""))
    if any(type(layer).__name__ in MOVED for layer in layers):
        raise ProgramError(
            "Signs of SignedRelu must be in the weights after it to have a hardware form: "
            "quantize spikewright.learn.rules.kickback.unsigned(network)"
        )


def check_order(layers: Sequence[Layer], folded: Sequence[Layer], *, readout: str) -> None:
    """Refuse an order of layers that cannot become gateware.

    Parameters
    ----------
    layers : sequence of Layer
        Unrolled.
    folded : sequence of Layer
        The same before that, as the sentence calls them.
    readout : {"membrane", "count"}

    Raises
    ------
    ProgramError
    """
    kinds = ["Dense" if isinstance(layer, Dense) else type(layer).__name__ for layer in layers]
    given = [type(layer).__name__ for layer in folded]
    product = "Dense or Conv2d" if set(UNROLLED) & set(given) else "Dense"
    if set(kinds) & {"Lif", "Leaky"}:
        final = "Leaky" if readout == "membrane" else "Lif"
        expected = ["Dense", "Lif"] * (len(kinds) // 2 - 1) + ["Dense", final]
        rule = f'alternate {product} and Lif and end in {final} (readout="{readout}")'
    else:
        expected = ["Dense", "Relu"] * (len(kinds) // 2) + ["Dense"]
        rule = f"alternate {product} and Relu, begin and end with {product}"
    if kinds != expected:
        raise ProgramError(
            f"Layers must {rule} to have a hardware form, not {', '.join(given) or 'be empty'}"
        )
