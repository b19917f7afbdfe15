# SPDX-License-Identifier: Apache-2.0
"""Leaky integrator: one pole."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat, round_half_up
from spikewright.sim.ports import Port
from spikewright.sim.primitive import (
    Codes,
    Ports,
    Primitive,
    State,
    Tensors,
    TensorSpec,
    check_range,
)

MAX_MEMBRANE = 32
"""Widest membrane, in bits."""

LeakForm: TypeAlias = str | tuple[int, ...]
"""A leak λ: the name of a loadable tensor of codes, or shifts ``s`` of the fixed λ = Σ 2^-s.

``(4,)`` is 1/16, ``(3, 5)`` is 1/8 + 1/32, ``()`` is no leak. Shifts are part of the structure and
take no multiplier; otherwise λ of either form means the same: one code, one product, one rounding.
"""


def leak_format(frac: int) -> QFormat:
    """Format of a leak code λ: unsigned Q0.``frac``, plus the bit that lets λ be exactly 1."""
    return QFormat(width=frac + 1, frac=frac, signed=False)


def leak_name(leak: LeakForm | None) -> str | None:
    """Name of a leak's tensor, if it has one."""
    return leak if isinstance(leak, str) else None


def leak_codes(leak: LeakForm, tensors: Tensors, frac: int) -> Codes:
    """Codes λ of a leak in Q0.``frac``.

    >>> leak_codes((3, 5), {}, 6)
    array([10])
    """
    if isinstance(leak, str):
        return tensors[leak]
    return np.array([sum(1 << (frac - shift) for shift in leak)], np.int64)


def check_leak(what: str, leak: LeakForm, frac: int) -> None:
    """Raise a FormatError unless a leak is a name, or shifts that its fraction bits express."""
    if isinstance(leak, str):
        return
    shifts = leak if isinstance(leak, tuple) and all(type(s) is int for s in leak) else (0,)
    if list(shifts) != sorted(set(shifts)) or not all(1 <= s <= frac for s in shifts):
        raise FormatError(
            f"{what} must be a tensor's name or a tuple of ascending shifts from 1 to its {frac} "
            f"fraction bits, not {leak!r}"
        )


def leak(v: Codes, i: Codes, code: Codes, frac: int, *, after_input: bool) -> Codes:
    """``v - round(λ v) + i``, or ``u - round(λ u)`` with ``u = v + i`` if ``after_input``."""
    if after_input:
        return v + i - round_half_up(code * (v + i), frac)
    return v - round_half_up(code * v, frac) + i


def check_membrane(what: str, membrane: QFormat, current: QFormat, leak_frac: int) -> None:
    """Raise a FormatError unless current, membrane and leak fit together."""
    check_range(f"{what} membrane width", membrane.width, 2, MAX_MEMBRANE)
    check_range(f"{what} leak fraction", leak_frac, 1, 24)
    if not membrane.signed:
        raise FormatError(f"{what} membrane must be signed, not {membrane}")
    if current.frac != membrane.frac or current.width > MAX_MEMBRANE:
        raise FormatError(
            f"{what} input must have the membrane's {membrane.frac} fraction bits and at most "
            f"{MAX_MEMBRANE} bits, not {current}: put a Requantize before it"
        )


@dataclass(frozen=True, kw_only=True)
class Leaky(Primitive):
    """Leaky integrator: ``v[t] = saturate(v[t-1] - round(λ v[t-1]) + i[t])``.

    The output is ``v[t]``. Serves as membrane without spikes, synapse and trace.

    Parameters
    ----------
    size : int
    input : QFormat
        Format of the input, with the membrane's fraction bits.
    membrane : QFormat
        Format of the state and of the output.
    leak : str or tuple of int
        Name of the tensor of leak codes λ, unsigned Q0.``leak_frac``, or ascending shifts.
    leak_frac : int
        Fraction bits of λ, 1 to 24; at least the largest shift.
    per_neuron : bool
        Whether the leak tensor has shape (size,) and not (1,).
    leak_after_input : bool
        Leak ``v + i`` and not ``v`` alone.

    Raises
    ------
    FormatError
        If the formats do not fit together, or the shifts do not fit the leak's fraction.
    """

    size: int
    input: QFormat
    membrane: QFormat
    leak: LeakForm
    leak_frac: int = 16
    per_neuron: bool = False
    leak_after_input: bool = False

    per_step: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_membrane("Leaky", self.membrane, self.input, self.leak_frac)
        check_leak("Leaky leak", self.leak, self.leak_frac)

    def ports(self) -> Ports:
        return Ports(
            {"i": Port(size=self.size, format=self.input)},
            {"v": Port(size=self.size, format=self.membrane)},
        )

    def tensors(self) -> dict[str, TensorSpec]:
        if not isinstance(self.leak, str):
            return {}
        shape = (self.size,) if self.per_neuron else (1,)
        return {self.leak: TensorSpec(shape, leak_format(self.leak_frac))}

    def init_state(self, batch: int) -> State:
        return {"v": np.zeros((batch, self.size), np.int64)}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (i,) = inputs
        code = leak_codes(self.leak, tensors, self.leak_frac)
        v = leak(state["v"], i, code, self.leak_frac, after_input=self.leak_after_input)
        v = self.membrane.saturate(v)
        return {"v": v}, (v,)
