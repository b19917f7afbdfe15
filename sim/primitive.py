# SPDX-License-Identifier: Apache-2.0
"""The protocol every primitive follows: frozen parameters, a pure ``step``, named tensors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.ports import Port, Rate

Codes: TypeAlias = NDArray[np.int64]
State: TypeAlias = dict[str, Codes]
Tensors: TypeAlias = Mapping[str, Codes]

PRIMITIVES: dict[str, type["Primitive"]] = {}
"""Every primitive by its type name, filled as the modules are imported."""


@dataclass(frozen=True)
class TensorSpec:
    """Shape and format of a tensor that a primitive reads."""

    shape: tuple[int, ...]
    format: QFormat

    def __str__(self) -> str:
        return f"{self.shape} of {self.format}"


@dataclass(frozen=True)
class Ports:
    """Named inputs and outputs of a primitive, in order."""

    inputs: dict[str, Port]
    outputs: dict[str, Port]


class Primitive(ABC):
    """A node's meaning in integers. Subclasses are frozen, validated dataclasses.

    Class attributes
    ----------------
    crossing
        ``None``, or the (input, output) rates where the primitive changes the rate.
    per_step
        Whether it keeps state from step to step and so cannot stand on a per-frame stream.
    breaks_cycle
        Whether its output in a step is independent of its input in that step.
    serial
        Whether gateware takes its input one element a beat; such streams are probe points.
    plays_ahead
        Whether gateware gives a step's output before that step's input has come, and so must know
        how many steps a frame has.
    """

    crossing: ClassVar[tuple[Rate, Rate] | None] = None
    per_step: ClassVar[bool] = False
    breaks_cycle: ClassVar[bool] = False
    serial: ClassVar[bool] = False
    plays_ahead: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            PRIMITIVES[cls.__name__] = cls

    @abstractmethod
    def ports(self) -> Ports:
        """Inputs and outputs, in the order of ``step``'s arguments and results."""

    @property
    def most_steps(self) -> int | None:
        """Most steps that a frame may have, if there is a limit."""
        return None

    @property
    def learns(self) -> str | None:
        """Name of the tensor that it changes from step to step, if any.

        Its state ``learned`` is what was added to the tensor, which no other node may read.
        """
        return None

    def tensors(self) -> dict[str, TensorSpec]:
        """Tensors read, by name in the program."""
        return {}

    def init_state(self, batch: int) -> State:
        """State at the start of a frame, each array with a leading batch axis."""
        return {}

    @abstractmethod
    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        """Advance one step: new state and outputs; arguments are left as they were.

        Parameters
        ----------
        tensors : mapping of str to ndarray
            The program's tensors.
        state : dict of str to (batch, ...) ndarray of int64
        *inputs : (batch, size) ndarray of int64
            One array for each input port.
        """

    def describe(self) -> dict[str, Any]:
        """Type and fields as JSON values, which ``primitives.primitive_from`` reads."""
        fields = {name: _to_json(value) for name, value in vars(self).items()}
        return {"type": type(self).__name__, **fields}


def _to_json(value: Any) -> Any:
    if isinstance(value, QFormat):
        return {"width": value.width, "frac": value.frac, "signed": value.signed}
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


def tensor_table(what: str, *specs: tuple[str | None, TensorSpec]) -> dict[str, TensorSpec]:
    """Specs by name; unnamed tensors are left out, and one name may serve several roles.

    Raises
    ------
    FormatError
        If the roles of one name differ in shape or format.
    """
    table: dict[str, TensorSpec] = {}
    for name, spec in specs:
        if name is not None and table.setdefault(name, spec) != spec:
            raise FormatError(
                f"{what} tensor {name} must have one shape and format, not {table[name]} and {spec}"
            )
    return table


def check_choice(what: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise a FormatError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise FormatError(f"{what} must be {' or '.join(map(repr, choices))}, not {value!r}")


def check_range(what: str, value: int, lo: int, hi: int) -> None:
    """Raise a FormatError unless ``lo <= value <= hi``."""
    if not lo <= value <= hi:
        raise FormatError(f"{what} must be between {lo} and {hi}, not {value!r}")
