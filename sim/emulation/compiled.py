# SPDX-License-Identifier: Apache-2.0
"""Compiled loops: Python text, made for a program, that Numba compiles.

The text and the machine code are kept in the cache folder, so a program compiles once on a machine.
"""

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.errors import ToolError
from spikewright.sim.primitive import Codes

Row: TypeAlias = NDArray[Any]

HEADER = '''"""Made by spikewright.sim.emulation.compiled; it may be deleted."""

import numba
import numpy as np

compiled = numba.njit(nogil=True, cache=True)
uint8, int32, int64 = np.uint8, np.int32, np.int64
Row = None
'''


def find_spikes(spikes: Row, index: Row) -> int:
    """Write the indices of the spikes (bytes 0 or 1) to ``index``; return how many there are."""
    count = 0
    if len(spikes) % 8 == 0:
        # Most neurons are silent most of the time: look at eight at once.
        words = spikes.view(np.uint64)
        for word in range(len(words)):
            if words[word] != 0:
                for j in range(8 * word, 8 * word + 8):
                    if spikes[j]:
                        index[count] = j
                        count += 1
    else:
        for j in range(len(spikes)):
            if spikes[j]:
                index[count] = j
                count += 1
    return count


def add_rows(weight: Row, index: Row, count: int, most: int, part: Row, total: Row) -> None:
    """Add the rows ``index[:count]`` of ``weight`` to ``total``.

    Up to ``most`` rows are summed in ``part``, whose type may be narrow and holds so many.
    """
    done = 0
    while done < count:
        end = min(count, done + most)
        for j in range(len(part)):
            part[j] = 0
        while done + 4 <= end:
            a, b = weight[index[done]], weight[index[done + 1]]
            c, d = weight[index[done + 2]], weight[index[done + 3]]
            for j in range(len(part)):
                part[j] += a[j] + b[j] + c[j] + d[j]
            done += 4
        while done < end:
            a = weight[index[done]]
            for j in range(len(part)):
                part[j] += a[j]
            done += 1
        for j in range(len(total)):
            total[j] += part[j]


def add_products(weight: Row, x: Row, total: Row) -> None:
    """Add ``weight[i] * x[i]`` to ``total`` for every input ``i``."""
    for i in range(len(x)):
        if x[i] != 0:
            factor, row = x[i], weight[i]
            for j in range(len(total)):
                total[j] += factor * row[j]


def learn_rows(
    weight: Row, learned: Row, index: Row, count: int, d: Row, lo: int, hi: int, total: Row
) -> None:
    """Add the rows ``index[:count]`` of ``weight + learned`` to ``total``, then ``d`` to them.

    Their sums with ``d`` saturate at ``lo`` and ``hi``.
    """
    for k in range(count):
        fixed, more = weight[index[k]], learned[index[k]]
        for j in range(len(total)):
            now = fixed[j] + more[j]
            total[j] += now
            more[j] = min(max(now + d[j], lo), hi) - fixed[j]


HELPERS: tuple[Callable[..., object], ...] = (find_spikes, add_rows, add_products, learn_rows)
"""Functions whose text stands before the loop's."""


@dataclass
class Pass:
    """A loop over the neurons ``j`` of a layer, with lines before and after it."""

    size: int
    lines: list[str]
    before: list[str]
    after: list[str]

    def takes(self, other: "Pass") -> bool:
        """Whether another pass, which comes next, may go through the neurons in this one."""
        alone = _rows([*self.lines, *self.after])
        return (
            self.size == other.size
            and all(index == "j" for index in _INDEX.findall("".join(self.lines + other.lines)))
            and alone.isdisjoint(_rows(other.before))
            and _rows(self.after).isdisjoint(_rows(other.lines))
        )

    def join(self, other: "Pass") -> None:
        """Take it."""
        self.lines += other.lines
        self.before += other.before
        self.after += other.after

    def written(self) -> list[str]:
        """Its lines of text."""
        loop = [f"for j in range({self.size}):"] if self.lines else []
        return [*self.before, *loop, *(f"    {line}" for line in self.lines), *self.after]


_WORD = re.compile(r"\w+")
_ROW = re.compile(r"(\w+)\[")
_INDEX = re.compile(r"\[([^\]]*)\]")


def _rows(lines: Iterable[str]) -> set[str]:
    """Names of what lines index."""
    return {name for line in lines for name in _ROW.findall(line)}


class Text:
    """The loop's text as it grows, and what its arguments stand for.

    The loop goes over frames ``b``, within them over steps ``t`` and, in :meth:`each`, over
    neurons ``j``. All rows are one-dimensional, but for what is learned: (columns, rows). Layers
    of one size that follow each other share a pass, and a row that only one pass uses is a
    variable.
    """

    def __init__(self) -> None:
        self.arguments: list[Any] = []
        self._before: list[str] = []
        self._scratch: dict[str, tuple[int, str]] = {}
        self._frame: list[str] = []
        self._step: list[Pass] = []
        self._lines: list[str] = []
        self._rows: dict[str, str] = {}

    def argument(self, key: Any) -> str:
        """Name of a new argument; ``key`` tells the caller which array it is."""
        self.arguments.append(key)
        return f"a{len(self.arguments) - 1}"

    def constant(self, codes: Codes, kind: np.dtype[Any]) -> str:
        """Expression for neuron ``j``'s element of a tensor, or for its only one."""
        name = self.argument(np.ascontiguousarray(codes, kind))
        if len(codes) > 1:
            return f"{name}[j]"
        self._before.append(f"{name}_0 = {name}[0]")
        return f"{name}_0"

    def scratch(self, size: int, kind: np.dtype[Any]) -> str:
        """Row that keeps its contents only within a step."""
        name = f"s{len(self._scratch)}"
        self._scratch[name] = size, kind.name
        return name

    def state(self, node: str, key: str) -> str:
        """Row of a node's state."""
        name = self.argument((node, key))
        self._frame.append(f"{name}_b = {name}[b]")
        return f"{name}_b"

    def stream(self, reference: str) -> str:
        """Row of this step in a stream's buffer, which may have one for all steps."""
        if reference not in self._rows:
            name = self._rows[reference] = self.argument(reference)
            self._lines.append(f"{name}_t = {name}[min(t, len({name}) - 1), b]")
        return f"{self._rows[reference]}_t"

    def once(self, line: str) -> None:
        """Add a line to the step."""
        self._step.append(Pass(0, [], [line], []))

    def each(
        self,
        size: int,
        lines: Sequence[str],
        *,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
    ) -> None:
        """Add lines for each neuron of a layer.

        Parameters
        ----------
        size : int
        lines : sequence of str
        before, after : sequence of str
            Lines before the first neuron and after the last.
        """
        new = Pass(size, list(lines), list(before), list(after))
        if self._step and self._step[-1].takes(new):
            self._step[-1].join(new)
        else:
            self._step.append(new)

    def module(self) -> str:
        """The text of a module with the function ``run(steps, batch, *arguments)``."""
        kept = dict(self._scratch)
        step = [line for one in self._step for line in self._with_variables(one, kept)]
        names = "".join(f", a{k}" for k in range(len(self.arguments)))
        lines = [HEADER]
        for helper in HELPERS:
            lines += ["", "@compiled", inspect.getsource(helper)]
        lines += ["", "@compiled", f"def run(steps, batch{names}):"]
        lines += [f"    {line}" for line in self._before]
        lines += [f"    {n} = np.empty({size}, np.{kind})" for n, (size, kind) in kept.items()]
        lines += ["    for b in range(batch):", *(f"        {line}" for line in self._frame)]
        lines += ["        for t in range(steps):"]
        lines += [*(f"            {line}" for line in (*self._lines, *step)), ""]
        return "\n".join(lines)

    def _with_variables(self, one: Pass, kept: dict[str, tuple[int, str]]) -> list[str]:
        """Lines of a pass; rows that nothing else uses become variables and leave ``kept``."""
        others = [p for p in self._step if p is not one]
        elsewhere = {w for p in others for line in p.written() for w in _WORD.findall(line)}
        elsewhere |= {w for line in (*one.before, *one.after) for w in _WORD.findall(line)}
        lines = one.lines
        for name in _rows(lines) & set(kept) - elsewhere:
            _, kind = kept.pop(name)
            lines = [
                re.sub(rf"^{name}\[j\] = (.*)$", rf"{name}_j = {kind}(\1)", line) for line in lines
            ]
            lines = [line.replace(f"{name}[j]", f"{name}_j") for line in lines]
        return Pass(one.size, lines, one.before, one.after).written()


def compile_module(text: str) -> Callable[..., None]:
    """The function ``run`` of a module's text, which Numba compiles or loads at the first call."""
    # Emulation without Numba should not wait for the import of the engines.
    from spikewright.sim.engine.cache import cache_folder, cached, digest

    path = cache_folder() / "loops" / f"spikewright_loop_{digest(text)}.py"

    def write(folder: Path) -> Path:
        made = folder / path.name
        made.write_text(text)
        return made

    try:
        path = cached(path, write)
    except OSError:
        # No folder to keep anything in: the code lasts as long as the process.
        module = ModuleType(path.stem)
        exec(text.replace("cache=True", "cache=False"), module.__dict__)
        return _run_of(module)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ToolError(f"Python must be able to import {path}")
    module = importlib.util.module_from_spec(spec)
    # Numba finds the module of cached machine code by its name.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return _run_of(module)


def _run_of(module: ModuleType) -> Callable[..., None]:
    run: Callable[..., None] = module.run
    return run
