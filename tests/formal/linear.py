# SPDX-License-Identifier: Apache-2.0
"""Whether a circuit is of exclusive ors alone, so that single bits tell all about it."""

import re
from collections.abc import Sequence

from amaranth.back import rtlil
from amaranth.lib import wiring

_CELL = re.compile(r"^ *cell (\S+) .*?^ *end$", re.MULTILINE | re.DOTALL)
_INPUT = re.compile(r"^ *connect \\([AB]) (.*)$", re.MULTILINE)
_CONSTANT = re.compile(r"\d+'[01]+")


def only_exclusive_ors(component: wiring.Component, outputs: Sequence[str]) -> bool:
    """Whether a component has no other cells, but for masks that are constant.

    Parameters
    ----------
    outputs : sequence of str
        Those that it is about; the others stay open.
    """
    inputs = [
        name for name, member in component.signature.members.items() if member.flow == wiring.In
    ]
    ports = {name: (getattr(component, name), None) for name in (*inputs, *outputs)}
    text = str(rtlil.convert(component, name="top", ports=ports, emit_src=False))
    cells = list(_CELL.finditer(text))
    return bool(cells) and all(_is_linear(cell[1], cell[0]) for cell in cells)


def _is_linear(kind: str, text: str) -> bool:
    if kind == "$and":
        return any(_CONSTANT.fullmatch(value) for _, value in _INPUT.findall(text))
    return kind in {"$xor", "$reduce_xor"}
