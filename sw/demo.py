# SPDX-License-Identifier: Apache-2.0
"""The whole flow on scikit-learn's digits, for a network without and one with spikes."""

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright import flow, report
from spikewright.augment import augment
from spikewright.boards.board import find_board
from spikewright.data import Dataset, digits
from spikewright.encoding import INPUT, input_codes, output_values
from spikewright.build import load_build
from spikewright.learn.backprop import fit
from spikewright.network import Network
from spikewright.reuse import synthesize_once, tool_versions
from spikewright.runtime.opening import DEVICES
from spikewright.sim.emulator import Emulator
from spikewright.sim.engine import describe
from spikewright.sim.errors import ToolError
from spikewright.sim.program import Program
from spikewright.sim.program_file import load_program
from spikewright.verify import verify

Facts = dict[str, Any]
Say = Callable[[str], None]

SIDE = 8
"""Pixels along an edge of a digit."""
COPIES = 19
"""Changed copies of each digit to train on."""
VALIDATION = 0.1
"""Share of the training digits that is watched and not trained on."""
BITS = 8
PLACEMENT_SEED = 1
KEPT = ".synthesis"
"""Folder of results that a second run uses again."""
SLOW_FRAMES = 8
"""Test images for an engine that is a thousand times slower than Verilator."""
PLACED, COUNTED = "ulx3s", "pynq-z2"
"""Boards: with a bitstream, and with counts alone."""
RESULTS = ("frames", "agreement", "cycles_per_frame", "core_seconds", "transfer_seconds")
"""Facts of the best device's run that stand for the network's."""
BUILT = ("fmax_mhz", *report.RESOURCES, "bitstream")
"""Facts of the synthesis that stand for the network's."""


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained, chosen on validation digits.

    Attributes
    ----------
    neuron, spec : str
        As :meth:`~spikewright.network.Network.from_spec` takes them.
    training : mapping
        Options of :func:`~spikewright.learn.backprop.fit`.
    """

    neuron: str
    spec: str
    training: Mapping[str, Any]


RECIPES = (
    Recipe(
        "relu", "64-32-10", {"epochs": 10, "batch": 8, "optimiser": "sgd", "learning_rate": 0.05}
    ),
    Recipe(
        "lif", "64-64-10", {"epochs": 8, "batch": 64, "optimiser": "adam", "learning_rate": 0.01}
    ),
)


@dataclass(frozen=True)
class Split:
    """Digits in three parts, of one shuffle.

    Attributes
    ----------
    data : Dataset
        What is trained on, and the test.
    x, y : ndarray
        The validation digits.
    """

    data: Dataset
    x: NDArray[np.float32]
    y: NDArray[np.int64]

    @classmethod
    def draw(cls, seed: int) -> "Split":
        """Hold out a fifth for the test, and a tenth of the rest for validation."""
        full = digits(seed=seed)
        held = round(VALIDATION * len(full.x_train))
        train = full.x_train[held:], full.y_train[held:]
        return cls(
            Dataset(*train, full.x_test, full.y_test), full.x_train[:held], full.y_train[:held]
        )

    def facts(self) -> Facts:
        """Digits of each part."""
        return {
            "train": len(self.data.x_train),
            "validation": len(self.x),
            "test": len(self.data.x_test),
        }


def demo(folder: Path, *, seed: int, say: Say) -> Facts:
    """Train, quantize, generate, verify, run and synthesize two networks, and write a report.

    Parameters
    ----------
    folder : Path
        Made if it is not there. Gets ``summary.json``, ``report.html`` and a folder for each
        network; a synthesis found there is used again if nothing that goes into it has changed.
    seed : int
        Of the split, the weights and the order of training.
    say : callable
        Told one line for every step.

    Returns
    -------
    dict
        What ``summary.json`` holds.

    Raises
    ------
    ToolError
        If a package of the demo extra is missing, or a tool fails.
    """
    report.require_extra()
    folder.mkdir(parents=True, exist_ok=True)
    engine = describe()
    say(f"RTL engine: {engine}")
    split = Split.draw(seed)
    say("digits: {train} to train on, {validation} for validation, {test} to test".format_map(split.facts()))
    # Place and route are processes of their own: they run beside the rest.
    with ThreadPoolExecutor(max_workers=2) as pool:
        subjects = []
        for recipe in RECIPES:
            subject = _Subject(recipe, folder / recipe.neuron, split, seed, say)
            subject.make()
            subject.begin_synthesis(pool)
            subjects.append(subject)
        for subject in subjects:
            subject.check(fast="Verilator" in engine)
        summary: Facts = {subject.recipe.neuron: subject.summary() for subject in subjects}
    summary |= {
        "identical": not any(summary[recipe.neuron]["mismatches"] for recipe in RECIPES),
        "seed": seed,
        "split": split.facts(),
        "engine": engine,
    }
    arrays: dict[str, NDArray[Any]] = {}
    for subject in subjects:
        own = subject.arrays()
        arrays |= {f"{subject.recipe.neuron}.{key}": array for key, array in own.items()}
    say(f"report: {report.write(folder, summary, arrays)}")
    return summary


class _Subject:
    """One network on its way through the flow, and the facts gathered."""

    def __init__(self, recipe: Recipe, folder: Path, split: Split, seed: int, say: Say):
        self.recipe, self.folder, self.split, self.seed = recipe, folder, split, seed
        self.say = lambda sentence: say(f"{recipe.neuron}: {sentence}")
        self.facts: Facts = {}
        self._jobs: dict[str, Future[Facts]] = {}
        folder.mkdir(exist_ok=True)

    def make(self) -> None:
        """Train, quantize and generate."""
        self.network, trained = _train(self.recipe, self.split, self.seed)
        self.network.save(self.folder / "net.npz")
        self.facts["train"] = trained
        float_accuracy = self.network.accuracy(self.split.data.x_test, self.split.data.y_test)
        self.say(
            f"trained {self.recipe.spec} in {trained['seconds']:.1f} s, "
            f"test accuracy {float_accuracy:.2%}"
        )
        program = self.folder / "net.spk"
        bits = {"weight_bits": BITS, "activation_bits": BITS}
        cost = flow.quantize(self.folder / "net.npz", self.split.data, program, **bits)
        self.facts["quantize"] = cost
        self.say(f"quantized to {BITS} bits, test accuracy {cost['integer_accuracy']:.2%}")
        for board in (PLACED, COUNTED):
            facts = flow.generate(program, self.folder / board, board=board)
            self.say(f"generated gateware for {board}: {_figures(facts['estimate'])} estimated")
        self.program = load_program(program)

    def begin_synthesis(self, pool: ThreadPoolExecutor) -> None:
        """Start what takes longest."""
        for board in (PLACED, COUNTED):
            self._jobs[board] = pool.submit(self._synthesize, board)

    def check(self, *, fast: bool) -> None:
        """Compare every layer, and run every device."""
        samples = len(self.split.data.x_test) if fast else SLOW_FRAMES
        build = load_build(self.folder / PLACED)
        outcome = verify(
            self.program,
            self.split.data.x_test[:samples],
            lanes=build.lanes,
            verilog=build.verilog,
            folder=self.folder,
        )
        first = outcome.first
        where = None if first is None else str(first)
        self.facts["verify"] = {**outcome.facts(), "where": where}
        self.say(
            f"verified {outcome.elements:,} elements of {outcome.frames} test images on the "
            f"{outcome.engine}: {outcome.mismatches} images differ"
            + ("" if where is None else f", first at {where}")
        )
        self.facts["devices"] = {}
        for device in DEVICES:
            count = samples if device == "rtl" else len(self.split.data.x_test)
            self.facts["devices"][device] = self._run(device, count)

    def _run(self, device: str, samples: int) -> Facts:
        build = self.folder / (COUNTED if device == "pynq-sim" else PLACED)
        try:
            facts = flow.run(build, self.split.data, on=device, samples=samples, lanes=None)
        except ToolError as error:
            self.say(f"{device}: skipped: {error}")
            return {"skipped": str(error)}
        cycles, core = facts["cycles_per_frame"], facts["core_seconds"]
        facts["clock_mhz"] = None if not core else cycles * facts["frames"] / core / 1e6
        self.say(
            f"{device}: {facts['frames']} test images, accuracy {facts['accuracy']:.2%}, "
            f"{facts['mismatches']} differ"
            + ("" if cycles is None else f", {cycles:.0f} cycles each")
        )
        return facts

    def _synthesize(self, board: str) -> Facts:
        target = find_board(board)
        about = {"title": target.title, "part": target.part}
        try:
            tool_versions(board)
        except ToolError as error:
            self.say(f"synthesis for {board} skipped: {error}")
            return {**about, "skipped": str(error)}
        kept = self.folder / KEPT
        facts = synthesize_once(load_build(self.folder / board), kept, seed=PLACEMENT_SEED)
        again = " (reused)" if facts["reused"] else f" in {facts['seconds']:.0f} s"
        self.say(f"synthesized for {board}, {facts['label']}{again}: {_figures(facts)}")
        return {**about, **facts}

    def summary(self) -> Facts:
        """All facts; waits for the synthesis."""
        placed, counted = (self._jobs[board].result() for board in (PLACED, COUNTED))
        ran = {name: facts for name, facts in self.facts["devices"].items() if "skipped" not in facts}
        best = ran[next(name for name in reversed(DEVICES) if name in ran)]
        return {
            "float_accuracy": self.facts["quantize"]["float_accuracy"],
            "accuracy": best["accuracy"],
            "mismatches": max(facts["mismatches"] for facts in (self.facts["verify"], *ran.values())),
            "first": self.facts["verify"]["first"],
            **{key: best[key] for key in RESULTS},
            **{key: placed.get(key) for key in BUILT},
            **self.facts,
            "synthesize": placed,
            "counts": counted,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the report draws."""
        x, y = self.split.data.x_test, self.split.data.y_test
        emulator = Emulator(self.program)
        outputs = emulator.run({INPUT: input_codes(self.program, x)})
        classes = outputs["class"][:, 0]
        arrays = {
            "labels": y,
            "classes": classes,
            "float": self.network.forward(x),
            "integer": output_values(self.program, "logits", outputs["logits"]),
        }
        if self.network.spiking:
            frame = int(np.flatnonzero(classes == y)[0])
            arrays |= _inside(self.program, emulator, x[frame])
        return arrays


def _inside(program: Program, emulator: Emulator, x: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """One frame: its picture, the first layer's spikes and the outputs' voltages."""
    spikes, voltages = program.resolve("lif1"), program.resolve("membrane")
    streams = emulator.trace({INPUT: input_codes(program, x[None])}, [spikes, voltages])
    return {
        "picture": x.reshape(SIDE, SIDE),
        "spikes": streams[spikes][0],
        "voltages": program.port(voltages).format.decode(streams[voltages][0]),
    }


def _train(recipe: Recipe, split: Split, seed: int) -> tuple[Network, Facts]:
    """Train on changed copies; validation digits are never among them."""
    data = split.data
    x, y = augment(data.x_train, data.y_train, side=SIDE, copies=COPIES, seed=seed)
    network = Network.from_spec(recipe.spec, neuron=recipe.neuron, seed=seed)
    batches = math.ceil(len(x) / recipe.training["batch"])
    watched: list[tuple[float, float]] = []

    def watch(done: int, _total: int, _history: Any) -> None:
        if done % batches == 0:
            watched.append(_judge(network, split.x, split.y))

    history = fit(network, x, y, seed=seed, validation=0, progress=watch, **recipe.training)
    for entry, (loss, accuracy) in zip(history, watched, strict=True):
        entry.update(validation_loss=loss, validation_accuracy=accuracy)
    spiking = {"steps": network.steps, "dt_ms": network.dt * 1e3} if network.spiking else {}
    return network, {
        "network": recipe.spec,
        "neuron": recipe.neuron,
        **recipe.training,
        **spiking,
        "samples": len(x),
        "copies": COPIES,
        "seconds": sum(entry["seconds"] or 0.0 for entry in history),
        "history": history,
    }


def _judge(network: Network, x: NDArray[Any], y: NDArray[Any]) -> tuple[float, float]:
    """Cross-entropy, in nats, and accuracy."""
    logits = network.forward(x).astype(np.float64)
    loss = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
    right = logits[np.arange(len(y)), y]
    return float((loss - right).mean()), float((logits.argmax(1) == y).mean())


def _figures(facts: Facts) -> str:
    """Key figures that a build or a synthesis has."""
    told = {"fmax_mhz": "{:.1f} MHz", "lut": "{:,} LUT", "ff": "{:,} FF", "bram": "{} BRAM", "dsp": "{} DSP"}
    known = (text.format(facts[key]) for key, text in told.items() if facts.get(key) is not None)
    return ", ".join(known)
