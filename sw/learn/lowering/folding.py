# SPDX-License-Identifier: Apache-2.0
"""Networks without the layers that only training needs, down to what is gateware."""

from spikewright.learn.layers import BatchNorm, Conv2d, Dense, Dropout, Layer
from spikewright.learn.lowering.hardware import check_layers, check_order
from spikewright.learn.lowering.rebuild import rebuilt
from spikewright.learn.lowering.unroll import unroll
from spikewright.learn.tape import Array
from spikewright.network import Network
from spikewright.sim.errors import ProgramError


def fold(network: Network) -> tuple[Network, list[int]]:
    """Same function in evaluation, without Dropout and with BatchNorm in the weights before it.

    ``gamma (W x + b - mean) / s + beta = (gamma / s) W x + (gamma / s) (b - mean) + beta`` with
    ``s = sqrt(variance + epsilon)``, row by row: exact but for float rounding (Jacob and others,
    Quantization and training of neural networks, 2018, 3.2).

    Parameters
    ----------
    network : Network
        Not changed.

    Returns
    -------
    network : Network
        The same object if there is nothing to fold.
    positions : list of int
        For each layer of the result, the layer of ``network`` whose output it makes.

    Raises
    ------
    ProgramError
        If a BatchNorm does not follow a Dense or a Conv2d.
    """
    if not any(isinstance(layer, Dropout | BatchNorm) for layer in network.layers):
        return network, list(range(len(network.layers)))
    layers: list[Layer] = []
    positions: list[int] = []
    for position, layer in enumerate(network.layers):
        if isinstance(layer, BatchNorm):
            if not layers or not isinstance(layers[-1], Dense | Conv2d):
                raise ProgramError(
                    f"Layer {position}, {layer!r}, must follow Dense or Conv2d to be folded into it"
                )
            layers[-1] = _folded(layers[-1], layer)
            positions[-1] = position
        elif not isinstance(layer, Dropout):
            layers.append(layer)
            positions.append(position)
    if positions:
        # What dropout passes on is the output of the layer before it.
        positions[-1] = len(network.layers) - 1
    return rebuilt(network, layers, network.shapes[0]), positions


def hardware_form(network: Network) -> tuple[Network, list[int]]:
    """:func:`fold` and unroll a network, and refuse what has no hardware form even then.

    See :func:`spikewright.learn.lowering.unroll.unroll` for what images cost.

    Returns
    -------
    network : Network
        Of Dense, Relu, Lif and Leaky, on vectors; the same object if it was so already.
    positions : list of int
        For each layer of the result, the layer of ``network`` whose output it makes.

    Raises
    ------
    ProgramError
        For a layer or an order of layers that has none.
    """
    check_layers(network.layers)
    folded, kept = fold(network)
    unrolled, places = unroll(folded)
    check_order(unrolled.layers, folded.layers, readout=folded.readout)
    return unrolled, [kept[place] for place in places]


def _folded(layer: Dense | Conv2d, norm: BatchNorm) -> Dense | Conv2d:
    factor, offset = norm.affine()
    weight: Array = layer.weight * factor.reshape(-1, *(1,) * (layer.weight.ndim - 1))
    bias: Array = layer.bias * factor + offset
    if isinstance(layer, Dense):
        return Dense(layer.n_in, layer.n_out, weight=weight, bias=bias)
    return Conv2d(
        layer.channels,
        layer.kernels,
        layer.size,
        stride=layer.stride,
        padding=layer.padding,
        weight=weight,
        bias=bias,
    )
