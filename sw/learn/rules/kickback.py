# SPDX-License-Identifier: Apache-2.0
"""Kickback: learning from one global error and what each node knows of the nodes it feeds.

Balduzzi, Vanchinathan and Buhmann, Kickback cuts Backprop's red-tape, AAAI 2015.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.layers import Dense, Relu, SignedRelu
from spikewright.learn.tape import Array
from spikewright.learn.training.loop import Step
from spikewright.network import Network
from spikewright.sim.errors import ProgramError


@dataclass(frozen=True)
class Pass:
    """What a batch leaves in a network.

    Attributes
    ----------
    inputs : list of (frames, n_in) ndarray
        Input of each Dense layer.
    active : list of (frames, n) ndarray of bool
        Whether each hidden node is.
    output : (frames, 1) ndarray
    """

    inputs: list[Array]
    active: list[Array]
    output: Array


def forward(
    x: Array, weights: Sequence[Array], biases: Sequence[Array], signs: Sequence[Array]
) -> Pass:
    """Run layers ``z = W x + b``, ``x <- rho max(z, 0)``; the last is linear.

    Parameters
    ----------
    x : (frames, n_in) ndarray
    weights, biases : sequence of ndarray
        Of every layer, (n_out, n_in) and (n_out,).
    signs : sequence of ndarray
        Of the nodes of every layer but the last.
    """
    inputs, active = [x], []
    for weight, bias, rho in zip(weights, biases, signs, strict=False):
        z = inputs[-1] @ weight.T + bias
        active.append(z > 0)
        inputs.append(rho * np.maximum(z, 0))
    return Pass(inputs, active, inputs[-1] @ weights[-1].T + biases[-1])


def kicked_back(run: Pass, weights: Sequence[Array], signs: Sequence[Array]) -> list[Array]:
    """``tau_j = sum_k w_kj rho_k 1_k`` over the nodes ``k`` that ``j`` feeds, a layer each.

    Only the next layer counts, and of it the nodes that are active; the output always is.
    """
    ones = np.ones_like(run.output)
    nexts = [*(rho * on for rho, on in zip(signs[1:], run.active[1:], strict=True)), ones]
    # Without hidden layers there is an output and nothing before it.
    return [on @ weight for on, weight in zip(nexts, weights[1:], strict=bool(signs))]


def broadcast(run: Pass, weights: Sequence[Array], signs: Sequence[Array]) -> list[Array]:
    """1 for each node: the bare global error, which a coherent network needs no more than."""
    return [np.ones_like(on, run.output.dtype) for on in run.active]


def frozen(run: Pass, weights: Sequence[Array], signs: Sequence[Array]) -> list[Array]:
    """0 for all but the last hidden layer: how good the others' random features are."""
    taus = [np.zeros_like(on, run.output.dtype) for on in run.active]
    taus[-1:] = kicked_back(run, weights, signs)[-1:]
    return taus


Paths = Callable[[Pass, Sequence[Array], Sequence[Array]], list[Array]]
"""What stands for the derivative of the output by each hidden node, (frames, n) a layer."""


def feedback(seed: int = 0) -> Paths:
    """Fixed random numbers for the last hidden layers' weights: direct feedback alignment.

    Noekland, Direct feedback alignment provides learning in deep neural networks, 2016.
    """
    drawn: list[Array] = []

    def paths(run: Pass, weights: Sequence[Array], signs: Sequence[Array]) -> list[Array]:
        if not drawn:
            rng = np.random.default_rng(seed)
            drawn.extend(rng.normal(0, on.shape[1] ** -0.5, on.shape[1]) for on in run.active)
        dtype = run.output.dtype
        return [
            np.broadcast_to(row, on.shape).astype(dtype)
            for row, on in zip(drawn, run.active, strict=True)
        ]

    return paths


def gradients(
    run: Pass, errors: Array, signs: Sequence[Array], taus: Sequence[Array]
) -> list[tuple[Array, Array]]:
    """``e tau_j rho_j 1_j x`` and ``e tau_j rho_j 1_j``, summed over the frames, of each layer.

    The output layer follows the delta rule, ``e x`` and ``e``. With one hidden layer and ``tau``
    of :func:`kicked_back` this is the gradient; with more it is not, and yet, while every
    ``tau > 0``, it has the gradient's signs.

    Parameters
    ----------
    errors : (frames, 1) ndarray
        Derivative of the loss by the output.
    """
    terms = [errors * tau * rho * on for tau, rho, on in zip(taus, signs, run.active, strict=True)]
    pairs = zip([*terms, errors], run.inputs, strict=True)
    return [(term.T @ x, term.sum(axis=0)) for term, x in pairs]


class Kickback:
    """Rule ``"kickback"``: each node needs the global error and the weights that leave it.

    For networks Dense, SignedRelu, Dense, ..., Dense with one output; a Relu counts as one whose
    nodes are all positive. The history has the coherence: the share of hidden nodes, over the
    frames, with ``tau > 0``. Begin with ``initialiser="coherent"``.

    Parameters
    ----------
    network : Network
    loss : {"mse", "bernoulli"}
    paths : callable
        What stands for the way from a node to the output.

    Raises
    ------
    ProgramError
        If the layers are others, there are several outputs, or the loss is another.
    """

    def __init__(self, network: Network, loss: str, *, paths: Paths = kicked_back):
        if network.n_out != 1:
            raise ProgramError(
                f"Kickback has one global error and so needs one output, not {network.n_out}: "
                "train a network for each class against the rest by "
                'spikewright.learn.rules.versus.OneVersusRest, or use rule="backprop"'
            )
        if loss not in ERRORS:
            raise ProgramError(f"Kickback needs the loss {' or '.join(ERRORS)}, not {loss!r}")
        if type(network) is not Network:
            raise ProgramError(
                "Kickback needs a network in floating point, not one that rounds: use "
                'rule="backprop"'
            )
        dense, rectifiers = network.layers[::2], network.layers[1::2]
        if (
            len(network.layers) % 2 == 0
            or not all(isinstance(layer, Dense) for layer in dense)
            or not all(isinstance(layer, SignedRelu | Relu) for layer in rectifiers)
        ):
            kinds = ", ".join(type(layer).__name__ for layer in network.layers)
            raise ProgramError(f"Kickback needs layers Dense, SignedRelu, ..., Dense, not {kinds}")
        self.network, self.loss, self.paths = network, loss, paths
        arrays = network.parameters()
        self.weights, self.biases = arrays[::2], arrays[1::2]
        self.signs = [
            np.array(getattr(layer, "signs", [1] * len(bias)), np.float32)
            for layer, bias in zip(rectifiers, self.biases, strict=False)
        ]

    def step(self, x: Array, targets: Array, rows: NDArray[np.int64], *, seed: int) -> Step:
        """Evaluate the frames ``rows`` of ``x``; nothing is random."""
        run = forward(x[rows], self.weights, self.biases, self.signs)
        loss, errors = ERRORS[self.loss](run.output, targets[rows])
        taus = self.paths(run, self.weights, self.signs)
        found = gradients(run, errors, self.signs, taus)
        positive = sum(int(np.count_nonzero(tau > 0)) for tau in taus)
        nodes = sum(tau.size for tau in taus)
        notes = {"coherence": positive / nodes} if nodes else {}
        flat = [array for pair in found for array in pair]
        return Step(loss, run.output, flat, [*run.inputs[1:], run.output], notes)


def _squares(output: Array, target: Array) -> tuple[float, Array]:
    difference = output - target
    return float(np.mean(np.square(difference))), 2 * difference / len(output)


def _bernoulli(output: Array, target: Array) -> tuple[float, Array]:
    tail = np.log1p(np.exp(-np.abs(output)))
    loss = float((tail + np.maximum(output, 0) - output * target).mean())
    likely = np.exp(np.minimum(output, 0) - tail)
    return loss, (likely - target) / len(output)


ERRORS: dict[str, Callable[[Array, Array], tuple[float, Array]]] = {
    "mse": _squares,
    "bernoulli": _bernoulli,
}
"""Losses of one output: the mean over frames, and its derivative by each frame's output."""


def unsigned(network: Network) -> Network:
    """Same function with Relu for each SignedRelu: its signs move into the weights that follow.

    So :func:`spikewright.quantize` takes it. Exact.

    Parameters
    ----------
    network : Network
        Not changed; a Dense follows each SignedRelu.

    Raises
    ------
    ProgramError
        If something else follows one.
    """
    layers: list[Any] = []
    signs: Array | None = None
    for position, layer in enumerate(network.layers):
        if isinstance(layer, SignedRelu):
            signs = np.array(layer.signs, np.float32)
            layers.append(Relu())
            continue
        if signs is not None:
            if not isinstance(layer, Dense):
                raise ProgramError(
                    f"Layer {position}, {layer!r}, must be Dense to take the signs before it"
                )
            layer = Dense(layer.n_in, layer.n_out, weight=layer.weight * signs, bias=layer.bias)
            signs = None
        layers.append(layer)
    if signs is not None:
        raise ProgramError("Network must not end in SignedRelu: Dense must follow it")
    return Network(layers, shape=network.shapes[0], seed=network.seed)
