# SPDX-License-Identifier: Apache-2.0
"""Values and gradients against PyTorch's, in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.layers import BatchNorm, pad
from spikewright.learn.ops import cells
from spikewright.learn.ops.normalise import batch_norm
from spikewright.learn.optimise.optimisers import OPTIMISERS
from spikewright.learn.tape import Tape, Value
from spikewright.learn.training import losses

torch = pytest.importorskip("torch", reason="PyTorch is not installed here: pip install torch")
functional = torch.nn.functional


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape)


def compare(
    ours: Callable[..., Value], theirs: Callable[..., Any], *arrays: np.ndarray, plain: Any = ()
) -> None:
    """Compare a result and the gradients of its weighted sum."""
    tape = Tape()
    values = [tape.parameter(array) for array in arrays]
    result = ours(*values, *(tape.constant(array) for array in plain))
    weights = np.asarray(np.random.default_rng(1).normal(size=result.data.shape))
    tape.backward(ops.total(ops.mul(result, tape.constant(weights))))
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    wanted = theirs(*tensors, *(torch.tensor(array) for array in plain))
    (wanted * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(result.data, wanted.detach().numpy(), rtol=1e-9, atol=1e-11)
    for value, tensor in zip(values, tensors, strict=True):
        np.testing.assert_allclose(value.gradient(), tensor.grad.numpy(), rtol=1e-9, atol=1e-11)


UNARY = {
    "relu": (ops.relu, functional.relu),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 0.1), lambda x: functional.leaky_relu(x, 0.1)),
    "clip": (lambda x: ops.clip(x, -1, 1), functional.hardtanh),
    "absolute": (ops.absolute, torch.abs),
    "exp": (ops.exp, torch.exp),
    "sin": (ops.sin, torch.sin),
    "tanh": (ops.tanh, torch.tanh),
    "sigmoid": (ops.sigmoid, torch.sigmoid),
    "softmax": (ops.softmax, lambda x: torch.softmax(x, -1)),
    "log_softmax": (lambda x: ops.log_softmax(x, 0), lambda x: torch.log_softmax(x, 0)),
    "log_sum_exp": (lambda x: ops.log_sum_exp(x, 1), lambda x: torch.logsumexp(x, 1)),
    "total": (lambda x: ops.total(x, (0, 2)), lambda x: x.sum((0, 2))),
    "mean": (lambda x: ops.mean(x, 1), lambda x: x.mean(1)),
    "amax": (lambda x: ops.amax(x, 1), lambda x: x.max(1).values),
    "index": (lambda x: ops.index(x, (0, slice(1, 3))), lambda x: x[0, 1:3]),
    "transpose": (lambda x: ops.transpose(x, (2, 0, 1)), lambda x: x.permute(2, 0, 1)),
    "reshape": (lambda x: ops.reshape(x, (3, 8)), lambda x: x.reshape(3, 8)),
    "sqrt and log": (
        lambda x: ops.log(ops.sqrt(ops.absolute(x))),
        lambda x: torch.log(torch.sqrt(torch.abs(x))),
    ),
    "join": (lambda x: ops.concatenate([x, x], 1), lambda x: torch.cat([x, x], 1)),
    "stack": (lambda x: ops.stack([x, x]), lambda x: torch.stack([x, x])),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    compare(*UNARY[name], normal(2, 3, 4))


@pytest.mark.parametrize(
    ("ours", "theirs", "shapes"),
    [
        (ops.add, torch.add, [(2, 3), (3,)]),
        (ops.sub, torch.sub, [(2, 1), (1, 3)]),
        (ops.mul, torch.mul, [(4, 2, 3), (2, 1)]),
        (ops.div, torch.div, [(2, 3), (2, 3)]),
        (ops.matmul, torch.matmul, [(5, 2, 3), (3, 4)]),
        (ops.linear, functional.linear, [(5, 3), (2, 3), (2,)]),
    ],
)
def test_several_operands(
    ours: Callable[..., Value], theirs: Callable[..., Any], shapes: list[tuple[int, ...]]
) -> None:
    compare(ours, theirs, *(normal(*shape) for shape in shapes))


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
def test_conv2d(stride: tuple[int, int], padding: tuple[int, int]) -> None:
    compare(
        lambda *v: ops.conv2d(*v, stride=stride, padding=padding),
        lambda *v: functional.conv2d(*v, stride=stride, padding=padding),
        normal(4, 3, 7, 8),
        normal(5, 3, 3, 2),
        normal(5),
    )


@pytest.mark.parametrize("stride", [(2, 2), (1, 3)])
def test_pooling(stride: tuple[int, int]) -> None:
    for ours, theirs in (
        (ops.max_pool2d, functional.max_pool2d),
        (ops.avg_pool2d, functional.avg_pool2d),
    ):
        compare(
            lambda x, run=ours: run(x, window=(2, 3), stride=stride),
            lambda x, run=theirs: run(x, (2, 3), stride),
            normal(2, 3, 7, 8),
        )


LABELS = np.array([2, 0, 1, 2])


@pytest.mark.parametrize(
    ("ours", "theirs", "targets"),
    [
        (losses.cross_entropy, functional.cross_entropy, LABELS),
        (
            # A fifth over the other two classes is three tenths over all three.
            lambda z, y: losses.cross_entropy(z, y, smoothing=0.2),
            lambda z, y: functional.cross_entropy(z, y, label_smoothing=0.3),
            LABELS,
        ),
        (
            losses.bernoulli,
            functional.binary_cross_entropy_with_logits,
            np.random.default_rng(5).random((4, 3)),
        ),
        (losses.hinge, functional.multi_margin_loss, LABELS),
        (losses.mean_squared_error, functional.mse_loss, normal(4, 3) + 1),
        (losses.mean_absolute_error, functional.l1_loss, normal(4, 3) + 1),
    ],
)
def test_losses(
    ours: Callable[..., Value], theirs: Callable[..., Any], targets: np.ndarray
) -> None:
    compare(ours, theirs, normal(4, 3), plain=[targets])


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(training: bool) -> None:
    x, layer = normal(6, 3, 4).astype(np.float32), BatchNorm(3, momentum=0.3, epsilon=1e-3)
    layer.gamma[...], layer.beta[...] = [0.5, 1.5, -1.0], [0.1, 0.2, 0.3]
    layer.mean[...], layer.variance[...] = [0.5, 0.0, -0.5], [2.0, 1.0, 0.5]
    theirs = torch.nn.BatchNorm1d(3, eps=1e-3, momentum=0.3)
    theirs.load_state_dict(
        {
            "weight": torch.tensor(layer.gamma),
            "bias": torch.tensor(layer.beta),
            "running_mean": torch.tensor(layer.mean),
            "running_var": torch.tensor(layer.variance),
            "num_batches_tracked": torch.tensor(0),
        }
    )
    theirs.train(training)
    tape = Tape(training=training)
    value = tape.parameter(x)
    y = batch_norm(value, layer)
    weights = normal(*y.data.shape).astype(np.float32)
    loss = ops.total(ops.mul(y, tape.constant(weights)))
    tape.replay()
    tape.backward(loss)
    given = torch.tensor(x, requires_grad=True)
    wanted = theirs(given)
    (wanted * torch.tensor(weights)).sum().backward()
    for a, b in (
        (y.data, wanted.detach()),
        (value.gradient(), given.grad),
        (tape.parameter(layer.gamma).gradient(), theirs.weight.grad),
        (tape.parameter(layer.beta).gradient(), theirs.bias.grad),
        (layer.mean, theirs.running_mean),
        (layer.variance, theirs.running_var),
    ):
        np.testing.assert_allclose(a, b.numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("cell", "kind", "gates"),
    [(cells.rnn, "RNN", 1), (cells.lstm, "LSTM", 4), (cells.gru, "GRU", 3)],
)
def test_cells_on_sequences_of_several_lengths(
    cell: Callable[..., Value], kind: str, gates: int
) -> None:
    lengths, features, size = [5, 2, 4], 3, 4
    sequences = [normal(length, features) for length in lengths]
    padded = pad(sequences).astype(np.float64).transpose(1, 0, 2)
    arrays = [normal(gates * size, features), normal(gates * size, size), normal(gates * size)]
    tape = Tape()
    x, w, u, b = (tape.parameter(a.copy()) for a in (padded[..., :-1], *arrays))
    states = cell(ops.linear(x, w, b), u, tape.constant(padded[..., -1:]))
    weights = normal(len(lengths), size)
    tape.backward(ops.total(ops.mul(ops.last(states), tape.constant(weights))))
    theirs = getattr(torch.nn, kind)(features, size).double()
    with torch.no_grad():
        for name, array in zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), arrays, strict=True):
            getattr(theirs, name).copy_(torch.tensor(array))
        theirs.bias_hh_l0.zero_()
    given = torch.tensor(padded[..., :-1], requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(given, lengths, enforce_sorted=False)
    _, final = theirs(packed)
    last = (final[0] if kind == "LSTM" else final)[0]
    (last * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(states.data[-1], last.detach().numpy(), rtol=1e-9)
    for value, tensor in (
        (x, given),
        (w, theirs.weight_ih_l0),
        (u, theirs.weight_hh_l0),
        (b, theirs.bias_ih_l0),
    ):
        np.testing.assert_allclose(value.gradient(), tensor.grad.numpy(), rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize(
    ("name", "kind", "ours", "theirs"),
    [
        ("sgd", "SGD", {"momentum": 0.9}, {"momentum": 0.9}),
        ("nesterov", "SGD", {"momentum": 0.8}, {"momentum": 0.8, "nesterov": True}),
        ("adagrad", "Adagrad", {"epsilon": 1e-6}, {"eps": 1e-6}),
        ("rprop", "Rprop", {}, {}),
        ("adam", "Adam", {}, {}),
    ],
)
def test_optimisers(name: str, kind: str, ours: dict[str, float], theirs: dict[str, Any]) -> None:
    parameter = normal(4, 3)
    tensor = torch.nn.Parameter(torch.tensor(parameter))
    optimiser = OPTIMISERS[name]([parameter], **ours)
    other = getattr(torch.optim, kind)([tensor], lr=0.03, **theirs)
    rng = np.random.default_rng(2)
    for _ in range(12):
        gradient = rng.normal(size=(4, 3))
        tensor.grad = torch.tensor(gradient)
        optimiser.step([gradient], 0.03)
        other.step()
        np.testing.assert_allclose(parameter, tensor.detach().numpy(), rtol=1e-9)
