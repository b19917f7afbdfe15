# SPDX-License-Identifier: Apache-2.0
"""Each verb on files: what the command line calls, and the facts it shows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikewright.boards.board import BOARDS
from spikewright.build import Build, load_build
from spikewright.cost import compare
from spikewright.data import Dataset
from spikewright.generate import generate as generate_build
from spikewright.learn.fit import fit
from spikewright.network import Network
from spikewright.quantize import quantize as quantize_network
from spikewright.runtime.device import Run
from spikewright.runtime.emulated import EmulatorDevice
from spikewright.runtime.opening import open_device
from spikewright.sim.errors import DataError
from spikewright.sim.program import Program
from spikewright.sim.program_file import load_program, save_program
from spikewright.synthesize import synthesize as synthesize_build
from spikewright.verify import verify as verify_program

Update = Callable[[int, int], None]
Lanes = int | Mapping[str, int] | None
Facts = dict[str, Any]


SIZED = (
    "neuron",
    "tau_ms",
    "dt_ms",
    "threshold",
    "reset",
    "readout",
    "steps",
    "encoding",
)
"""Options of a network that is given by its layer sizes; a TOML file has its own."""


def train(
    data: Dataset, output: Path, *, spec: str, progress: Update, seed: int, **options: Any
) -> Facts:
    """Train a network and save it.

    Parameters
    ----------
    data : Dataset
    output : path
    spec : str
        Layer sizes such as "784-128-10", or the name of a TOML file.
    progress : callable
    seed : int
        Of the training, and of the weights where a TOML file gives none.
    **options
        Those of :data:`SIZED`, and of :func:`~spikewright.learn.fit.fit`.
    """
    sized = {name: options.pop(name) for name in SIZED}
    network, made = _network(spec, seed, sized)
    data.check_fits(network)
    writable(output)
    history = fit(
        network,
        data.x_train,
        data.y_train,
        seed=seed,
        progress=lambda done, total, _: progress(done, total),
        **options,
    )
    network.save(output)
    return {
        "network": spec,
        **made,
        "seed": seed,
        "epochs": len(history),
        "train_accuracy": history[-1]["train_accuracy"],
        "validation_accuracy": history[-1]["validation_accuracy"],
        "test_accuracy": network.accuracy(data.x_test, data.y_test),
        "seconds": sum(epoch["seconds"] or 0.0 for epoch in history),
        "history": history,
    }


def is_file(spec: str) -> bool:
    """Whether a network is given by a TOML file."""
    return spec.lower().endswith(".toml")


def _network(spec: str, seed: int, sized: Facts) -> tuple[Network, Facts]:
    """Make the network, and tell what it was made with."""
    if is_file(spec):
        network = Network.from_toml(spec, seed=seed)
        facts: Facts = {"layers": ", ".join(map(repr, network.layers))}
        names = ("dt", "readout", "steps", "encoding") if network.spiking else ()
        return network, {**facts, **{name: getattr(network, name) for name in names}}
    spiking = {
        "tau": sized["tau_ms"] * 1e-3,
        "dt": sized["dt_ms"] * 1e-3,
        **{name: sized[name] for name in SIZED[3:]},
    }
    neuron = sized["neuron"]
    network = Network.from_spec(spec, neuron=neuron, seed=seed, **spiking)
    return network, {"neuron": neuron, **(spiking if network.spiking else {})}


def quantize(
    network: Path,
    data: Dataset,
    output: Path,
    *,
    weight_bits: int,
    activation_bits: int,
    per_channel: bool = False,
    calibration: int = 512,
) -> Facts:
    """Quantize a network, save the program and compare the two."""
    if calibration < 1:
        raise DataError(f"Calibration needs at least 1 sample, not {calibration}")
    trained = Network.load(network)
    data.check_fits(trained)
    writable(output)
    program = quantize_network(
        trained,
        calibrate=data.x_train[:calibration],
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        per_channel=per_channel,
    )
    save_program(program, output)
    cost = compare(trained, program, data.x_test, data.y_test)
    effective = {f"{k}_tau_ms": v * 1e3 for k, v in program.metadata["effective_tau"].items()}
    return {
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        **effective,
        "program_hash": f"{program.program_hash:016x}",
        **cost.facts(),
    }


def run(
    what: Path, data: Dataset, *, on: str | None = None, samples: int | None = None, lanes: Lanes
) -> Facts:
    """Run test samples on a device and compare it with the emulator."""
    source = _open(what)
    program = source.program if isinstance(source, Build) else source
    x, y = _test(data, samples)
    with open_device(source, on=on, lanes=lanes) as device:
        answer = device.run(x)
        name = device.name
    reference = answer if on == "emulator" else EmulatorDevice(program).run(x)
    return {"device": name, **run_facts(answer, reference, y)}


def run_facts(answer: Run, reference: Run, y: Any) -> Facts:
    """Facts of a run beside the emulator's."""
    same = [
        (answer.outputs[name] == codes).reshape(answer.frames, -1).all(axis=1)
        for name, codes in reference.outputs.items()
    ]
    identical = np.logical_and.reduce(same)
    return {
        "frames": answer.frames,
        "accuracy": answer.accuracy(y),
        "agreement": float(identical.mean()),
        "mismatches": int((~identical).sum()),
        "cycles_per_frame": None if answer.cycles is None else answer.cycles / answer.frames,
        "core_seconds": answer.times.core,
        "transfer_seconds": answer.times.transfer,
        "end_to_end_seconds": answer.times.end_to_end,
    }


def verify(
    what: Path,
    data: Dataset,
    *,
    samples: int = 64,
    lanes: Lanes = None,
    seed: int = 0,
    progress: Update | None = None,
) -> Facts:
    """Compare gateware with the program on test samples."""
    source = _open(what)
    x, _ = _test(data, samples)
    if isinstance(source, Build):
        program, lanes, verilog = source.program, source.lanes, source.verilog
    else:
        program, verilog = source, None
    outcome = verify_program(
        program, x, lanes=lanes, verilog=verilog, stall_seed=seed, progress=progress
    )
    return {**outcome.facts(), "where": None if outcome.first is None else str(outcome.first)}


def generate(
    program: Path,
    output: Path,
    *,
    board: str,
    lanes: Lanes = None,
    target: str | None = None,
    clock_mhz: float | None = None,
) -> Facts:
    """Write a build folder."""
    build = generate_build(
        load_program(program),
        board=board,
        lanes=lanes,
        target=target,
        clock_mhz=clock_mhz,
        folder=output,
    )
    facts: Facts = build.facts()
    return facts


def synthesize(build: Path, *, seed: int = 1) -> Facts:
    """Synthesize a build folder."""
    facts: Facts = synthesize_build(build, seed=seed).facts()
    return facts


def boards() -> list[Facts]:
    """The boards and what their parts have."""
    return [board.facts() for board in BOARDS.values()]


def writable(output: Path) -> None:
    """Refuse a file that cannot be written, before hours of work.

    Raises
    ------
    DataError
        If its folder does not exist.
    """
    if not output.resolve().parent.is_dir():
        raise DataError(f"Folder {output.parent} does not exist: make it first")
    if output.is_dir():
        raise DataError(f"File to write must have a name, and {output} is a folder: add one")


def _open(what: Path) -> Program | Build:
    return load_build(what) if what.is_dir() else load_program(what)


def _test(data: Dataset, samples: int | None) -> tuple[Any, Any]:
    if samples is not None and samples < 1:
        raise DataError(f"Samples must be a positive integer, not {samples}")
    return data.x_test[:samples], data.y_test[:samples]
