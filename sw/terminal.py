# SPDX-License-Identifier: Apache-2.0
"""What the command line shows: tables or JSON on standard output, progress on standard error."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from spikewright.sim.errors import SpikewrightError

BAD_INPUT = 2
"""Exit code for bad input or a missing tool."""
DIFFERS = 1
"""Exit code where a comparison differed."""

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the same facts as one JSON object."
)


P = ParamSpec("P")
T = TypeVar("T")


def guarded(command: Callable[P, T]) -> Callable[P, T]:
    """Turn errors into one sentence on standard error and exit code 2."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except SpikewrightError as error:
            _fail(str(error))
        except OSError as error:
            _fail(f"{error.filename or 'File'}: {error.strerror or error}")
        except MemoryError as error:
            _fail(f"Not enough memory: {error or 'choose something smaller'}")

    return wrapper


def _fail(sentence: str) -> NoReturn:
    click.echo(f"spikewright: {sentence}", err=True)
    raise SystemExit(BAD_INPUT)


def show(facts: Mapping[str, Any], *, as_json: bool, title: str) -> None:
    """Print facts: nested lists of mappings as tables of their own."""
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    console = Console(highlight=False)
    plain = Table(title=title, title_justify="left", show_header=False)
    for name, value in facts.items():
        if not _is_table(value):
            plain.add_row(name.replace("_", " "), text(value))
    console.print(plain)
    for name, value in facts.items():
        if _is_table(value):
            console.print(_table(name.replace("_", " "), value))


def _is_table(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name.replace("_", " "))
    for row in rows:
        table.add_row(*(text(value) for value in row.values()))
    return table


def text(value: Any) -> str:
    """A fact as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(item) for item in value)
    return str(value)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; yields a function of how much is done, and of how much."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update


def note(sentence: str) -> None:
    """Tell something by the way, on standard error."""
    click.echo(sentence, err=True)
