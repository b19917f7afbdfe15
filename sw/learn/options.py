# SPDX-License-Identifier: Apache-2.0
"""Options by name: which there are, and one sentence where one is wrong."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from spikewright.sim.errors import ProgramError


def choices(names: Collection[str]) -> str:
    """Names as a sentence lists them.

    >>> choices(["a", "b", "c"])
    'a, b or c'
    """
    *most, final = names
    return f"{', '.join(most)} or {final}" if most else final


def check_name(what: str, value: str, known: Collection[str]) -> None:
    """Refuse a name that is not known.

    Raises
    ------
    ProgramError
        With the known names.
    """
    if value not in known:
        raise ProgramError(f"{what} must be {choices(known)}, not {value!r}")


def check_count(what: str, value: int, least: int) -> None:
    """Refuse what is no integer from ``least``.

    Raises
    ------
    ProgramError
        If it is none.
    """
    if not isinstance(value, int) or value < least:
        raise ProgramError(f"{what} must be an integer from {least}, not {value!r}")


def check_options(what: str, function: Callable[..., object], options: Mapping[str, Any]) -> None:
    """Refuse options that a function does not take by keyword only.

    Raises
    ------
    ProgramError
        With the options that it takes.
    """
    parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if not known:
            raise ProgramError(
                f"{what[0].upper()}{what[1:]} takes no options, and {name!r} was given"
            )
        if name not in known:
            raise ProgramError(f"Option of {what} must be {choices(known)}, not {name!r}")
