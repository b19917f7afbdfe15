# SPDX-License-Identifier: Apache-2.0
"""The whole flow on scikit-learn's digits, for a network without and one with spikes."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright import flow, report
from spikewright.boards.board import find_board
from spikewright.build import load_build
from spikewright.encoding import INPUT, input_codes, output_values
from spikewright.recipes import RECIPES, SIDE, Recipe, Split, train
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

BITS = 8
PLACEMENT_SEED = 1
KEPT = ".synthesis"
"""Folder of results that a second run uses again."""
SLOW_FRAMES = 8
"""Test images for an engine that is a thousand times slower than Verilator."""
PLACED, COUNTED = "ulx3s", "pynq-z2"
"""Boards: with a bitstream, and with counts alone."""
LANES = 4
"""Few, so that place and route takes a minute and no more."""
RESULTS = (
    "frames",
    "agreement",
    "cycles_per_frame",
    "core_seconds",
    "transfer_seconds",
    "end_to_end_seconds",
)
"""Facts of the best device's run that stand for the network's."""
BUILT = ("fmax_mhz", *report.RESOURCES, "bitstream")
"""Facts of the synthesis that stand for the network's."""


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
    say(
        "digits: {train} to train on, {validation} for validation, {test} to test".format_map(
            split.facts()
        )
    )
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


def headline(summary: Facts) -> Facts:
    """What to show of a summary in a terminal: one row for each network."""
    told = ("float_accuracy", "accuracy", "mismatches", "cycles_per_frame", "fmax_mhz", "lut")
    rows = [
        {"network": recipe.neuron, **{key: summary[recipe.neuron][key] for key in told}}
        for recipe in RECIPES
    ]
    return {"identical": summary["identical"], "seed": summary["seed"], "networks": rows}


class _Subject:
    """One network on its way through the flow, and the facts gathered."""

    def __init__(self, recipe: Recipe, folder: Path, split: Split, seed: int, say: Say):
        self.recipe, self.folder, self.split, self.seed = recipe, folder, split, seed
        self._say = say
        self.facts: Facts = {}
        self._jobs: dict[str, Future[Facts]] = {}
        folder.mkdir(exist_ok=True)

    def say(self, sentence: str) -> None:
        """Tell something of this network."""
        self._say(f"{self.recipe.neuron}: {sentence}")

    def make(self) -> None:
        """Train, quantize and generate."""
        self.network, trained = train(self.recipe, self.split, self.seed)
        self.network.save(self.folder / "net.npz")
        self.facts["train"] = trained
        float_accuracy = self.network.accuracy(self.split.data.x_test, self.split.data.y_test)
        self.say(
            f"trained {self.recipe.spec} in {trained['seconds']:.1f} s, "
            f"test accuracy {float_accuracy:.2%}"
        )
        program = self.folder / "net.spk"
        cost = flow.quantize(
            self.folder / "net.npz",
            self.split.data,
            program,
            weight_bits=BITS,
            activation_bits=BITS,
        )
        self.facts["quantize"] = {**cost, "layers": list(cost["layers"])}
        self.say(f"quantized to {BITS} bits, test accuracy {cost['integer_accuracy']:.2%}")
        for board in (PLACED, COUNTED):
            facts = flow.generate(program, self.folder / board, board=board, lanes=LANES)
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
            count = len(self.split.data.x_test) if device == "emulator" else samples
            self.facts["devices"][device] = self._run(device, count)

    def _run(self, device: str, samples: int) -> Facts:
        build = self.folder / (COUNTED if device == "pynq-sim" else PLACED)
        try:
            facts = flow.run(build, self.split.data, on=device, samples=samples, lanes=None)
        except ToolError as error:
            self.say(f"{device}: skipped: {error}")
            return {"skipped": str(error)}
        cycles, core = facts["cycles_per_frame"], facts["core_seconds"]
        facts["clock_mhz"] = round(cycles * facts["frames"] / core / 1e6, 3) if core else None
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
        ran = [facts for facts in self.facts["devices"].values() if "skipped" not in facts]
        # The last of those that ran the most frames: devices are listed from the host to the board.
        best = max(reversed(ran), key=lambda facts: facts["frames"])
        return {
            "float_accuracy": self.facts["quantize"]["float_accuracy"],
            "accuracy": best["accuracy"],
            "mismatches": max(facts["mismatches"] for facts in (self.facts["verify"], *ran)),
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
        arrays: dict[str, NDArray[Any]] = {
            "labels": y,
            "classes": classes,
            "float": self.network.forward(x),
            "integer": output_values(self.program, "logits", outputs["logits"]),
        }
        if self.network.spiking:
            frame = int(np.flatnonzero(classes == y)[0])
            arrays |= _inside(self.program, emulator, x[frame])
        return arrays


def _inside(
    program: Program, emulator: Emulator, x: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """One frame: its picture, the first layer's spikes and the outputs' voltages."""
    spikes, voltages = program.resolve("lif1"), program.resolve("membrane")
    streams = emulator.trace({INPUT: input_codes(program, x[None])}, [spikes, voltages])
    return {
        "picture": x.reshape(SIDE, SIDE),
        "spikes": streams[spikes][0],
        "voltages": program.port(voltages).format.decode(streams[voltages][0]),
    }


def _figures(facts: Facts) -> str:
    """Key figures that a build or a synthesis has."""
    told = {
        "fmax_mhz": "{:.1f} MHz",
        "lut": "{:,} LUT",
        "ff": "{:,} FF",
        "bram": "{} BRAM",
        "dsp": "{} DSP",
    }
    known = (text.format(facts[key]) for key, text in told.items() if facts.get(key) is not None)
    return ", ".join(known)
