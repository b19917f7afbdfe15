# SPDX-License-Identifier: Apache-2.0
"""A run that is cut and goes on ends in the bits of a run that was not."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.aware import quantization_aware
from spikewright.learn.fit import RULES, Backprop, fit
from spikewright.learn.layers import BatchNorm, Dense, Dropout, Layer, Leaky, Lif, Relu
from spikewright.learn.optimise.optimisers import OPTIMISERS
from spikewright.learn.training import checkpoint
from spikewright.learn.training.loop import History, Step
from spikewright.network import Network
from spikewright.sim.errors import DataError, FileError, ProgramError

X = np.random.default_rng(0).random((150, 6), np.float32)
Y = (X @ np.random.default_rng(1).normal(size=(6, 3))).argmax(1)
OPTIONS: dict[str, Any] = {"epochs": 6, "batch": 40, "seed": 3}


class CutError(Exception):
    """What cuts a run."""


def network(kind: str = "relu", *, seed: int = 1) -> Network:
    layers: list[Layer] = [Dense(6, 16), Relu(), Dense(16, 3)]
    if kind == "random":
        layers = [Dense(6, 16), BatchNorm(16), Relu(), Dropout(0.3), Dense(16, 3)]
    if kind == "rate":
        layers = [Dense(6, 16), Lif(16, threshold=0.3), Dropout(0.2), Dense(16, 3), Leaky(3)]
    return Network(layers, encoding="rate", steps=6, seed=seed)


def everything(trained: Network) -> list[np.ndarray]:
    return [array.copy() for array in trained.parameters() + trained.buffers()]


def told(history: History) -> list[dict[str, float | None]]:
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]


def cut_after(batches: int, total: int = 6 * 4) -> Any:
    def progress(done: int, of: int, history: History) -> None:
        assert of == total
        if done == batches:
            raise CutError

    return progress


def check_resumes(path: Path, kind: str = "relu", *, batches: int = 14, **options: Any) -> History:
    """Cut a run in its fourth epoch, go on with other weights, compare with one that was not."""
    options = {**OPTIONS, **options}
    whole = network(kind)
    history = fit(whole, X, Y, **options)
    cut = network(kind)
    with pytest.raises(CutError):
        fit(cut, X, Y, checkpoint=path, progress=cut_after(batches), **options)
    resumed = network(kind)
    for array in resumed.parameters():
        array += 1
    later = fit(resumed, X, Y, checkpoint=path, resume=path, **options)
    assert told(later) == told(history) == told(resumed.history)
    for a, b in zip(everything(resumed), everything(whole), strict=True):
        assert a.tobytes() == b.tobytes()
    again = network(kind)
    assert told(fit(again, X, Y, resume=path, **options)) == told(history)
    for a, b in zip(everything(again), everything(whole), strict=True):
        assert a.tobytes() == b.tobytes()
    return history


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("batches", [4, 14])
def test_every_optimiser_resumes(optimiser: str, batches: int, tmp_path: Path) -> None:
    check_resumes(tmp_path / "c.npz", optimiser=optimiser, batches=batches + 1)


@pytest.mark.parametrize("kind", ["random", "rate"])
def test_random_layers_and_rate_coding_resume(kind: str, tmp_path: Path) -> None:
    check_resumes(tmp_path / "c.npz", kind)


@pytest.mark.parametrize(
    "options",
    [
        {"weight_noise": 0.1, "l2": 0.01, "max_norm": 1.0, "clip_norm": 0.5},
        {"loss_options": {"smoothing": np.float32(0.1)}, "decay": "linear"},
        {"optimiser": "sgd", "momentum": 0.0, "validation": 0.1, "epochs": np.int64(6).item()},
        {"checkpoint_every": 2},
    ],
)
def test_options_resume(options: dict[str, Any], tmp_path: Path) -> None:
    check_resumes(tmp_path / "c.npz", **options)


def test_patience_resumes_before_and_after_the_best_epoch(tmp_path: Path) -> None:
    options = {**OPTIONS, "patience": 2, "learning_rate": 0.05, "validation": 0.2, "epochs": 30}
    whole = network()
    history = fit(whole, X, Y, **options)
    losses = [entry["validation_loss"] or 0.0 for entry in history]
    best = losses.index(min(losses))
    assert 1 < best == len(losses) - 3 < 25
    for epochs in (best, best + 2):
        path, resumed = tmp_path / f"{epochs}.npz", network()
        progress = cut_after(3 * epochs + 1, 90)
        with pytest.raises(CutError):
            fit(network(), X, Y, checkpoint=path, progress=progress, **options)
        later = fit(resumed, X, Y, checkpoint=path, resume=path, **options)
        assert told(later) == told(history)
        # The run has ended, and its checkpoint answers with the best epoch's parameters.
        again = network()
        assert told(fit(again, X, Y, resume=path, **options)) == told(history)
        for a, b, c in zip(*map(everything, (resumed, again, whole)), strict=True):
            assert a.tobytes() == b.tobytes() == c.tobytes()


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("neuron", ["relu", "lif"])
def test_networks_that_round_resume_with_the_same_formats(
    neuron: str, learned: bool, tmp_path: Path
) -> None:
    def make(bits: int = 4) -> Network:
        plain = Network.from_spec("6-8-3", neuron=neuron, steps=5)
        return quantization_aware(plain, X, weight_bits=bits, learned=learned)

    path, whole, resumed = tmp_path / "c.npz", make(), make()
    fit(whole, X, Y, **OPTIONS)
    with pytest.raises(CutError):
        fit(make(), X, Y, checkpoint=path, progress=cut_after(14), **OPTIONS)
    fit(resumed, X, Y, resume=path, **OPTIONS)
    for a, b in zip(everything(resumed), everything(whole), strict=True):
        assert a.tobytes() == b.tobytes()
    with pytest.raises(ProgramError, match=r" was made with other formats: go on with the same "):
        fit(make(3), X, Y, resume=path, **OPTIONS)


def test_epochs_before_the_run_stay_in_the_history(tmp_path: Path) -> None:
    path, first = tmp_path / "c.npz", network()
    fit(first, X, Y, epochs=2)
    with pytest.raises(CutError):
        fit(first, X, Y, checkpoint=path, progress=cut_after(10), **OPTIONS)
    resumed = network()
    later = fit(resumed, X, Y, resume=path, **OPTIONS)
    assert (len(later), len(resumed.history)) == (6, 8)
    assert resumed.history[2:] == later


def test_checkpoints_come_every_so_many_epochs_and_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(
        checkpoint,
        "write_arrays",
        lambda path, head, **arrays: written.append(json.loads(str(head))["standing"]["epochs"]),
    )
    fit(network(), X, Y, checkpoint=tmp_path / "c.npz", checkpoint_every=4, **OPTIONS)
    assert written == [4, 6]


def test_an_interrupted_write_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.npz"
    with pytest.raises(CutError):
        fit(network(), X, Y, checkpoint=path, progress=cut_after(5), **OPTIONS)
    before = path.read_bytes()

    def half(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise CutError

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(CutError):
        fit(network(), X, Y, checkpoint=path, resume=path, **OPTIONS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("when", ["loss", "last batch"])
def test_diverging_training_leaves_the_last_good_checkpoint(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch 12 is the last of the third epoch."""

    class Bursting(Backprop):
        done = 0

        def step(self, x: Any, targets: Any, rows: Any, *, seed: int) -> Step:
            step = super().step(x, targets, rows, seed=seed)
            self.done += 1
            if self.done == (10 if when == "loss" else 12):
                step.gradients[2][0, 0] = np.nan
            return step

    path, good = tmp_path / "c.npz", network()
    with pytest.raises(CutError):
        fit(good, X, Y, progress=cut_after(9), **OPTIONS)
    monkeypatch.setitem(RULES, "burst", Bursting)
    sentence = (
        "Training diverged in epoch 3, beginning in layer 2, Dense(16, 3): lower the learning rate "
        "of 0.003 or scale the samples"
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        fit(network(), X, Y, rule="burst", checkpoint=path, **OPTIONS)
    monkeypatch.setitem(RULES, "burst", Backprop)
    resumed, whole = network(), network()
    history = fit(resumed, X, Y, rule="burst", resume=path, **OPTIONS)
    assert told(history) == told(fit(whole, X, Y, **OPTIONS))
    for a, b in zip(everything(resumed), everything(whole), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "c.npz"
    fit(network(), X, Y, checkpoint=path, **OPTIONS)
    return path


@pytest.mark.parametrize(
    ("arguments", "error", "difference"),
    [
        (
            {"network": Network([Dense(6, 8), Relu(), Dense(8, 3)])},
            ProgramError,
            "with layer 0 Dense(n_in=6, n_out=16), not Dense(n_in=6, n_out=8)",
        ),
        ({"network": Network([Dense(6, 3)])}, ProgramError, "with layers 3, not 1"),
        ({"network": network(seed=2)}, ProgramError, "with seed 1, not 2"),
        ({"x": X + 1}, DataError, "with other values in x"),
        ({"y": (Y + 1) % 3}, DataError, "with other values in y"),
        ({"x": X[:90], "y": Y[:90]}, DataError, "with x of shape [150, 6], not [90, 6]"),
        ({"epochs": 7}, ProgramError, "with epochs 6, not 7"),
        ({"optimiser": "sgd"}, ProgramError, "with optimiser 'adam', not 'sgd'"),
        ({"l2": 0.1}, ProgramError, "with l2 0.0, not 0.1"),
        ({"optimiser_options": {"beta1": 0.5}}, ProgramError, None),
    ],
)
def test_another_networks_checkpoint_is_refused(
    arguments: dict[str, Any], error: type[Exception], difference: str | None, made: Path
) -> None:
    difference = difference or "with optimiser_options {}, not {'beta1': 0.5}"
    sentence = (
        f"Checkpoint {made} was made {difference}: go on with the same network, data and options"
    )
    given = {"network": network(), "x": X, "y": Y, **OPTIONS, **arguments}
    before = everything(given["network"])
    with pytest.raises(error, match=f"^{re.escape(sentence)}$"):
        fit(given.pop("network"), resume=made, **given)
    for a, b in zip(before, everything(arguments.get("network", network())), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_rule_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "other", Backprop)
    with pytest.raises(ProgramError, match=r" was made with rule 'backprop', not 'other': go on "):
        fit(network(), X, Y, rule="other", resume=made, **OPTIONS)


def test_damaged_checkpoints_are_refused(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    sentence = f"^{re.escape(f'{path} is not a complete checkpoint: begin the training anew')}$"

    def refused() -> None:
        with pytest.raises(FileError, match=sentence):
            fit(network(), X, Y, resume=path, **OPTIONS)

    content = made.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused()
    altered = bytearray(content)
    altered[content.index(np.load(made)["array0"].tobytes("A"))] ^= 1
    path.write_bytes(altered)
    refused()
    with np.load(made) as archive:
        arrays = dict(archive)
    text = str(arrays["head"])
    for changed in (
        {"head": np.array(text.replace("checkpoint-1", "checkpoint-2"))},
        {"head": np.array(text.replace("best_epoch", "worst_epoch"))},
        {"head": np.array(text.replace("PCG64", "MT19937"))},
        {"head": np.array(text[:-1])},
        {"head": np.array("[]")},
        {"head": np.array(re.sub(r'"data": {.*?}', '"data": null', text))},
        {"head": np.array(re.sub(r'"epochs": \d+, "best"', '"epochs": 99, "best"', text))},
        {"head": np.array(re.sub(r'"history": \[.*?\]', '"history": null', text))},
        {"head": np.array(re.sub(r'"best_epoch": \d+', '"best_epoch": "x"', text))},
        {"head": np.array(re.sub(r'"best": [^,]+', '"best": "low"', text))},
        {"array3": np.zeros(4, np.float32)},
        {"array3": np.zeros(3)},
    ):
        np.savez(path, **{**arrays, **changed})
        refused()
    network().save(path)
    refused()
    path.unlink()
    with pytest.raises(
        FileError, match=f"^{re.escape(f'There is no checkpoint {path}: check its name')}$"
    ):
        fit(network(), X, Y, resume=path, **OPTIONS)


def test_a_place_that_cannot_be_is_refused_before_the_training(tmp_path: Path) -> None:
    folder = tmp_path / "no"
    with pytest.raises(DataError, match=f"^Folder {folder} does not exist: make it first$"):
        fit(network(), X, Y, checkpoint=folder / "c.npz", **OPTIONS)
    sentence = "Epochs from one checkpoint to the next must be an integer from 1, not 0"
    with pytest.raises(ProgramError, match=f"^{sentence}$"):
        fit(network(), X, Y, checkpoint=tmp_path / "c.npz", checkpoint_every=0, **OPTIONS)
