# SPDX-License-Identifier: Apache-2.0
"""The C++ compiler: the machine's own, or the one that comes as a Python wheel."""

import functools
import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikewright.sim.errors import ToolError

COMPILERS = ("c++", "g++", "clang++")
"""Names looked for on PATH, in this order."""


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """A C++ compiler that works.

    Parameters
    ----------
    command : tuple of str
        Words that start it; options follow.
    name : str
        Plain-English name, such as "g++" or "Zig".
    version : str
        First line of what it says about itself; part of every cache key.
    """

    command: tuple[str, ...]
    name: str
    version: str

    def run(self, *options: str, folder: Path) -> None:
        """Compile or link inside `folder`.

        Raises
        ------
        ToolError
            If the compiler fails; the message holds its first error.
        """
        run_tool(self.name, (*self.command, *options), folder=folder)


def run_tool(
    name: str, command: Sequence[str], *, folder: Path, extra_env: Mapping[str, str] | None = None
) -> str:
    """Run a tool quietly and return what it wrote.

    Raises
    ------
    ToolError
        If the tool cannot start or fails; the message holds its first error.
    """
    environment = {**os.environ, **(extra_env or {})}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ToolError(f"{name} does not start ({error.strerror}): reinstall it") from error
    output = done.stderr + done.stdout
    if done.returncode:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        first = next((line for line in lines if "error" in line.lower()), " ".join(lines[-1:]))
        raise ToolError(f"{name} failed with status {done.returncode}: {first or 'no message'}")
    return output


def find_compiler() -> Compiler | None:
    """Look for a C++ compiler: ``$CXX``, then PATH, then the ziglang wheel; None if there is none.

    A compiler on PATH that cannot build a small shared library is passed over.

    Raises
    ------
    ToolError
        If ``$CXX`` is set and cannot build one.
    """
    path = os.environ.get("PATH", "")
    if chosen := os.environ.get("CXX"):
        found = _try_compiler(tuple(shlex.split(chosen)), path)
        if found is None:
            raise ToolError(
                f"CXX names {chosen!r}, which does not compile C++: unset it or name one that does"
            )
        return found
    for name in COMPILERS:
        if shutil.which(name, path=path) and (found := _try_compiler((name,), path)):
            return found
    return find_zig()


def find_zig() -> Compiler | None:
    """Return the compiler of the ziglang wheel, if that is installed."""
    if importlib.util.find_spec("ziglang") is None:
        return None
    version = importlib.metadata.version("ziglang")
    command = (sys.executable, "-m", "ziglang", "c++")
    return Compiler(command=command, name="Zig", version=f"ziglang {version}")


def require_compiler() -> Compiler:
    """Return what :func:`find_compiler` finds.

    Raises
    ------
    ToolError
        If there is no compiler.
    """
    found = find_compiler()
    if found is None:
        raise ToolError(
            "No C++ compiler was found: install g++ or clang++, "
            "or run `pip install spikewright[compiler]`"
        )
    return found


@functools.lru_cache
def _try_compiler(command: tuple[str, ...], path: str) -> Compiler | None:
    """Build a shared library with the compiler; `path` is only the key of the cache."""
    with tempfile.TemporaryDirectory(prefix="spikewright-") as folder:
        # A header of the C++ library, because a compiler without that library is common.
        Path(folder, "try.cpp").write_text(
            "#include <cstdint>\nstd::int64_t answer() { return 1; }\n"
        )
        try:
            version = run_tool(command[0], (*command, "--version"), folder=Path(folder))
            options = ("-std=c++17", "-fPIC", "-shared", "try.cpp", "-o", "try.so")
            run_tool(command[0], (*command, *options), folder=Path(folder))
        except ToolError:
            return None
    first = version.strip().partition("\n")[0]
    return Compiler(command=command, name=_plain_name(command, first), version=first)


def _plain_name(command: tuple[str, ...], version: str) -> str:
    """What people call the compiler, whatever its command is."""
    if "clang" in version.lower():
        return "clang++"
    if "free software foundation" in version.lower() or version.startswith(("g++", "c++")):
        return "g++"
    return Path(command[0]).name
