# SPDX-License-Identifier: Apache-2.0
"""Payloads as Python values: a dict for a struct, a list for an array, an int for the rest."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

Payload = Any
"""An int, or a dict or list of payloads; NumPy numbers and arrays are taken too."""


def width_of(shape: Any) -> int:
    """Bits of a payload."""
    return Shape.cast(shape).width


def encode(shape: Any, value: Payload) -> int:
    """Bits of a payload; fields left out are 0.

    Raises
    ------
    ValueError
        If a number does not fit its field or a field does not exist.
    """
    if not isinstance(shape, data.Layout):
        return _encode_number(Shape.cast(shape), value)
    items = dict(value) if isinstance(value, Mapping) else dict(enumerate(value))
    bits = 0
    for key, field in shape:
        bits |= encode(field.shape, items.pop(key, _nothing(field.shape))) << field.offset
    if items:
        raise ValueError(f"Payload {shape!r} has no {', '.join(map(repr, items))}")
    return bits


def decode(shape: Any, bits: int) -> Payload:
    """Value of a payload's bits; signed fields come out signed."""
    if not isinstance(shape, data.Layout):
        return _decode_number(Shape.cast(shape), bits)
    items = {key: decode(field.shape, bits >> field.offset) for key, field in shape}
    return list(items.values()) if isinstance(shape, data.ArrayLayout) else items


def plain(value: Payload) -> Payload:
    """Same payload without NumPy types."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return int(value)


def _nothing(shape: Any) -> Payload:
    return {} if isinstance(shape, data.Layout) else 0


def _encode_number(shape: Shape, value: Payload) -> int:
    bits = int(value) & ((1 << shape.width) - 1)
    if _decode_number(shape, bits) != value:
        raise ValueError(f"{value!r} does not fit {shape!r}")
    return bits


def _decode_number(shape: Shape, bits: int) -> int:
    bits &= (1 << shape.width) - 1
    negative = shape.signed and shape.width and bits >> (shape.width - 1)
    return bits - (1 << shape.width) if negative else bits
