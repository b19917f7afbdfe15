# SPDX-License-Identifier: Apache-2.0
"""The command line: one command for each verb of the flow."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from threadpoolctl import threadpool_limits

import spikewright
from spikewright import flow
from spikewright.boards.board import BOARDS
from spikewright.data import Dataset
from spikewright.learn.fit import RULES
from spikewright.learn.optimise.optimisers import OPTIMISERS, RATES
from spikewright.learn.optimise.schedules import SCHEDULES
from spikewright.learn.training.losses import LOSSES
from spikewright.network import ENCODINGS, NEURONS, READOUTS
from spikewright.runtime.opening import DEVICES
from spikewright.sim.errors import ProgramError
from spikewright.targets import FORMS
from spikewright.terminal import DIFFERS, guarded, json_option, note, progress, show

_PATH = click.Path(path_type=Path)
_RATES = ", ".join(f"{rate:g} for {name}" for name, rate in RATES.items())
_DATA = click.option(
    "--data",
    type=_PATH,
    required=True,
    help="A .npz file of x_train, y_train, x_test and y_test.",
)


def _lanes(_: click.Context, __: click.Parameter, value: str | None) -> Any:
    """`16` for every product, or `fc1=16,fc2=10`."""
    if value is None or value.isdigit():
        return None if value is None else int(value)
    pairs = [part.partition("=") for part in value.split(",")]
    if not all(name and count.isdigit() for name, _, count in pairs):
        raise click.BadParameter(f"must be a number or NAME=NUMBER,..., not {value!r}")
    return {name: int(count) for name, _, count in pairs}


_LANES = click.option(
    "--lanes", callback=_lanes, metavar="N", help="Parallel units, for all or as fc1=16,fc2=10."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(spikewright.__version__, prog_name="spikewright")
def main() -> None:
    """Train, quantize and run neural networks on FPGAs: the same bits everywhere."""
    # These matrices are small: several BLAS threads wait for each other more than they compute.
    threadpool_limits(limits=1, user_api="blas")


@main.command()
@click.option(
    "--network", "spec", required=True, help="Layer sizes, such as 784-128-10, or a .toml file."
)
@click.option("--neuron", type=click.Choice(NEURONS), default="relu")
@_DATA
@click.option("--rule", default="backprop", help=f"One of: {', '.join(RULES)}.")
@click.option("--epochs", type=int, help="Enough for 4000 updates if not given.")
@click.option("--batch", type=int, default=64)
@click.option("--optimiser", default="adam", help=f"One of: {', '.join(OPTIMISERS)}.")
@click.option("--learning-rate", type=float, help=f"If not given: {_RATES}.")
@click.option("--momentum", type=float, default=0.9, help="(sgd, nesterov)")
@click.option("--decay", default="cosine", help=f"One of: {', '.join(SCHEDULES)}.")
@click.option("--loss", default="cross-entropy", help=f"One of: {', '.join(LOSSES)}.")
@click.option("--l2", type=float, default=0.0, help="Penalty on the weights' squares.")
@click.option("--validation", type=float, default=0.1, help="Share of the training set.")
@click.option("--patience", type=int, help="Stop after so many epochs without improvement.")
@click.option("--checkpoint", type=_PATH, help="File to write after whole epochs (.npz).")
@click.option("--checkpoint-every", type=int, default=1, help="Epochs between checkpoints.")
@click.option("--resume", type=_PATH, help="Checkpoint to go on from, with the same options.")
@click.option("--seed", type=int, default=0)
@click.option("--steps", type=int, default=20, help="Time steps of a frame (LIF).")
@click.option("--encoding", type=click.Choice(ENCODINGS), default="current", help="(LIF)")
@click.option("--tau-ms", type=float, default=20.0, help="Membrane time constant (LIF).")
@click.option("--dt-ms", type=float, default=1.0, help="Time step (LIF).")
@click.option("--threshold", type=float, default=1.0, help="(LIF)")
@click.option("--reset", type=click.Choice(["subtract", "zero"]), default="subtract", help="(LIF)")
@click.option("--readout", type=click.Choice(READOUTS), default="membrane", help="(LIF)")
@click.option("-o", "--output", type=_PATH, required=True, help="Network file to write (.npz).")
@json_option
@guarded
def train(data: Path, output: Path, as_json: bool, spec: str, **options: Any) -> None:
    """Train a network on the host."""
    context = click.get_current_context()
    for name in flow.SIZED if flow.is_file(spec) else ():
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            option = name.replace("_", "-")
            raise ProgramError(f"Option --{option} is for layer sizes: write it into {spec}")
    files = [path.resolve() for path in (data, output, options["checkpoint"]) if path is not None]
    if len(set(files)) < len(files):
        raise ProgramError("Options --data, --output and --checkpoint must name different files")
    with progress("training") as update:
        facts = flow.train(Dataset.load(data), output, spec=spec, progress=update, **options)
    show(facts, as_json=as_json, title=str(output))


@main.command()
@click.argument("network", type=_PATH)
@_DATA
@click.option("--weight-bits", type=int, default=8, help="2 to 16.")
@click.option("--activation-bits", type=int, default=8, help="2 to 16.")
@click.option("--per-channel", is_flag=True, help="A weight scale for each output.")
@click.option("--calibrate", "calibration", type=int, default=512, help="Training samples to use.")
@click.option("-o", "--output", type=_PATH, required=True, help="Program file to write (.spk).")
@json_option
@guarded
def quantize(network: Path, data: Path, output: Path, as_json: bool, **options: Any) -> None:
    """Turn a network into an integer program and tell what it cost."""
    facts = flow.quantize(network, Dataset.load(data), output, **options)
    show(facts, as_json=as_json, title=str(output))


@main.command()
@click.argument("program", type=_PATH)
@_DATA
@click.option("--on", type=click.Choice(DEVICES), help="Default: the best that is installed.")
@click.option("--samples", type=int, help="Only so many test samples.")
@_LANES
@json_option
@guarded
def run(program: Path, data: Path, as_json: bool, **options: Any) -> None:
    """Run a program or a build on the test samples."""
    facts = flow.run(program, Dataset.load(data), **options)
    show(facts, as_json=as_json, title=str(program))
    if facts["agreement"] < 1:
        raise SystemExit(DIFFERS)


@main.command()
@click.argument("program", type=_PATH)
@_DATA
@click.option("--samples", type=int, default=64, help="Test samples to compare.")
@click.option("--seed", type=int, default=0, help="Of the pauses on both streams.")
@_LANES
@json_option
@guarded
def verify(program: Path, data: Path, as_json: bool, **options: Any) -> None:
    """Compare gateware with the program, every element of every layer."""
    with progress("verifying") as update:
        facts = flow.verify(program, Dataset.load(data), progress=update, **options)
    show(facts, as_json=as_json, title=str(program))
    if facts["mismatches"]:
        note(f"First difference at {facts['where']}.")
        raise SystemExit(DIFFERS)


@main.command()
@click.argument("program", type=_PATH)
@click.option("--board", required=True, help=f"One of: {', '.join(BOARDS)}.")
@_LANES
@click.option("--target", help=f"Instead of --lanes: {FORMS}.")
@click.option("--clock-mhz", type=float, help="Default: the board's.")
@click.option("-o", "--output", type=_PATH, required=True, help="Build folder to write.")
@json_option
@guarded
def generate(program: Path, output: Path, as_json: bool, **options: Any) -> None:
    """Write the gateware of a program for a board."""
    facts = flow.generate(program, output, **options)
    show(facts, as_json=as_json, title=str(output))


@main.command()
@click.argument("build", type=_PATH)
@click.option("--seed", type=int, default=1, help="Of the placement.")
@json_option
@guarded
def synthesize(build: Path, seed: int, as_json: bool) -> None:
    """Synthesize, place and route a build."""
    with progress("synthesizing, about a minute"):
        facts = flow.synthesize(build, seed=seed)
    show(facts, as_json=as_json, title=str(build))


@main.command()
@json_option
@guarded
def boards(as_json: bool) -> None:
    """List the boards."""
    show({"boards": flow.boards()}, as_json=as_json, title="Boards")


@main.command()
@click.option("-o", "--output", type=_PATH, default=Path("demo"), help="Folder to write.")
@click.option("--seed", type=int, default=0)
@json_option
@guarded
def demo(output: Path, seed: int, as_json: bool) -> None:
    """Do the whole flow on scikit-learn's digits, and write a report."""
    # Imported late: pictures and digits are an extra.
    from spikewright.demo import demo as run_demo
    from spikewright.demo import headline

    facts = run_demo(output, seed=seed, say=note)
    show(facts if as_json else headline(facts), as_json=as_json, title=str(output))
    if not facts["identical"]:
        raise SystemExit(DIFFERS)


if __name__ == "__main__":
    main()
