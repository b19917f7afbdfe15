# SPDX-License-Identifier: Apache-2.0
"""Lines of a compiled loop for products: the way that is fastest for a shape."""

from typing import Any

import numpy as np

from spikewright.sim.emulation.compiled import Text
from spikewright.sim.emulation.exact import INT64
from spikewright.sim.primitive import Codes

INT16 = np.dtype(np.int16)
FEW_COLUMNS = 8
"""Columns of a dense product that can stand in one line."""
FEW_ROWS = 4
"""Rows whose sums over all columns take no longer than a search for the spikes."""
WORTH_WHILE = 32
"""Weight rows that must fit in a 16-bit sum for it to be faster."""


def narrowest(weight: Codes) -> Any:
    """The weights in the smallest type that holds them."""
    types = (np.int8, np.int16, np.int32)
    return weight.astype(next((t for t in types if (weight.astype(t) == weight).all()), np.int64))


def write_few_columns(
    text: Text, weight: Codes, bias: Codes | None, kind: np.dtype[Any], x: str, y: str
) -> None:
    """Each row's sum of products is one expression."""
    codes = [f"{y}_x{k}" for k in range(weight.shape[1])]
    columns = [text.constant(column, kind) for column in weight.T]
    terms = [f"{kind}({column} * {code})" for column, code in zip(columns, codes, strict=True)]
    total = "" if bias is None else text.constant(bias, kind)
    for term in terms:
        total = f"{kind}({total} + {term})" if total else term
    text.each(
        len(weight),
        [f"{y}[j] = {total}"],
        before=[f"{code} = {kind}({x}[{k}])" for k, code in enumerate(codes)],
    )


def write_few_rows(
    text: Text, weight: Codes, bias: Codes | None, kind: np.dtype[Any], x: str, y: str
) -> None:
    """Each column's weights are added if its neuron fired, one after another, without a search."""
    sums = [f"{y}_sum{k}" for k in range(len(weight))]
    starts = np.zeros(len(weight), np.int64) if bias is None else bias
    rows = [text.argument(np.ascontiguousarray(row, kind)) for row in weight]
    text.each(
        weight.shape[1],
        [
            f"{total} = {kind}({total} + ({row}[j] if {x}[j] != 0 else {kind}(0)))"
            for total, row in zip(sums, rows, strict=True)
        ],
        before=[f"{s} = {kind}({start})" for s, start in zip(sums, starts, strict=True)],
        after=[f"{y}[{k}] = {total}" for k, total in enumerate(sums)],
    )


def write_product(
    text: Text,
    weight: Codes,
    bias: Codes | None,
    kind: np.dtype[Any],
    x: str,
    y: str,
    *,
    spikes: bool,
) -> None:
    """Sums of weight rows for spikes, of their products for other codes."""
    rows = text.argument(np.ascontiguousarray(narrowest(weight.T)))
    start = "0" if bias is None else text.constant(bias, kind)
    text.each(len(weight), [f"{y}[j] = {start}"])
    if not spikes:
        text.once(f"add_products({rows}, {x}, {y})")
        return
    most, narrow = 32767 // max(1, int(abs(weight).max())), INT16
    if most < WORTH_WHILE:
        most, narrow = weight.shape[1], kind
    index, part = text.scratch(weight.shape[1], INT64), text.scratch(len(weight), narrow)
    text.once(f"count = find_spikes({x}, {index})")
    text.once(f"add_rows({rows}, {index}, count, {most}, {part}, {y})")
