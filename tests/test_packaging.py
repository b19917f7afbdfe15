# SPDX-License-Identifier: Apache-2.0
"""The four folders are the one package that `pip install` and `mypy` see, and keep its rules."""

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
FOLDERS = {name: ROOT / folder for name, folder in SETUPTOOLS["package-dir"].items()}
SOURCES = {
    ".".join([name, *path.relative_to(folder).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for name, folder in FOLDERS.items()
    for path in folder.rglob("*.py")
}
OWN_FILES = sorted(
    path.relative_to(ROOT)
    for folder in (*FOLDERS.values(), ROOT / "tests", ROOT / "benchmarks")
    for path in folder.rglob("*.py")
)
LAYERS = ["sim", "hw", "boards"]
HEAVY = ["brian2", "matplotlib", "numba", "pynq", "sklearn", "torch"]


def layer(module: str) -> int:
    """Height of a module's folder in sim < hw < boards < sw."""
    name = module.split(".")[1] if "." in module else ""
    return LAYERS.index(name) if name in LAYERS else len(LAYERS)


def imports(source: Path) -> Iterator[str]:
    """Names of Spikewright's own modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(source.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "spikewright":
            names = [f"spikewright.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (name for name in names if name.split(".")[0] == "spikewright")


def imported(module: str) -> ModuleType:
    """Import a module, or skip the test where the module needs pynq and pynq is absent."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != "pynq":
            raise
    pytest.skip(f"{module} needs pynq, which is not installed here: run `make test-pynq`")


def test_every_package_is_listed() -> None:
    packages = {module for module, path in SOURCES.items() if path.name == "__init__.py"}
    assert packages == set(SETUPTOOLS["packages"])


def test_every_folder_with_sources_is_a_package() -> None:
    folders = {path.parent for path in SOURCES.values()}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_import_finds_the_file_and_its_examples_hold(module: str) -> None:
    found = imported(module)
    assert found.__file__ == str(SOURCES[module])
    assert doctest.testmod(found).failed == 0


@pytest.mark.pynq
def test_every_module_imports_beside_pynq() -> None:
    for module in SOURCES:
        found = importlib.import_module(module)
        if module.startswith("spikewright.sim.board"):
            assert doctest.testmod(found).failed == 0, module


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_run_one_way(module: str) -> None:
    upward = [name for name in imports(SOURCES[module]) if layer(name) > layer(module)]
    assert upward == []


def test_import_is_light() -> None:
    code = f"import sys, spikewright; print(sorted(sys.modules.keys() & set({HEAVY})))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.parametrize("path", OWN_FILES, ids=str)
def test_file_keeps_the_house_rules(path: Path) -> None:
    text = (ROOT / path).read_text()
    lines = text.splitlines()
    assert lines[0] == "# SPDX-License-Identifier: Apache-2.0"
    assert len(lines) <= (450 if path.parts[0] == "tests" else 350)
    assert re.findall(r"#\s*(?:noqa|type:\s*ignore)\b.*", text) == []
    assert path.parts[0] != "hw" or "from __future__ import annotations" not in text


def test_types(tmp_path: Path) -> None:
    """Type checkers do not run import hooks: show mypy the package as a tree of links."""
    pytest.importorskip("mypy", reason="mypy is not installed here: run `make lint`")
    for module, source in SOURCES.items():
        link = tmp_path.joinpath(*module.split("."))
        link = link / "__init__.py" if source.name == "__init__.py" else link.with_suffix(".py")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
    mypy = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr
