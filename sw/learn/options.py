# SPDX-License-Identifier: Apache-2.0
"""Options by name: which there are, and one sentence where one is wrong."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeGuard

import numpy as np

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
    if not isinstance(value, str) or value not in known:
        raise ProgramError(f"{what} must be {choices(known)}, not {value!r}")


def check_count(what: str, value: int, least: int) -> None:
    """Refuse what is no integer from ``least``.

    Raises
    ------
    ProgramError
        If it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ProgramError(f"{what} must be an integer from {least}, not {value!r}")


def within(value: object, low: float, high: float, ends: str = "[)") -> TypeGuard[float]:
    """Whether a value is a number in an interval, whose ends belong to it by their brackets.

    Text and None are not, and neither is what is no number in floating point.

    >>> within(0, 0, 1), within(1, 0, 1), within(1, 0, 1, "(]"), within("0.5", 0, 1)
    (True, False, True, False)
    """
    if not isinstance(value, float | int | np.floating | np.integer):
        return False
    above = low <= value if ends[0] == "[" else low < value
    return bool(above and (value <= high if ends[1] == "]" else value < high))


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
