# SPDX-License-Identifier: Apache-2.0
"""Every primitive, and how to read one from its description."""

from collections.abc import Mapping
from typing import Any

from spikewright.sim.activation import Activation
from spikewright.sim.bernoulli import Bernoulli
from spikewright.sim.count import Count
from spikewright.sim.delay import Delay
from spikewright.sim.elementwise import Elementwise
from spikewright.sim.errors import ProgramError
from spikewright.sim.event_matvec import EventMatVec
from spikewright.sim.extremum import Extremum
from spikewright.sim.fixed import QFormat
from spikewright.sim.hold import Hold
from spikewright.sim.last import Last
from spikewright.sim.leaky import Leaky
from spikewright.sim.learn import Learn
from spikewright.sim.lif import Lif
from spikewright.sim.lookup import Lookup
from spikewright.sim.matvec import MatVec
from spikewright.sim.primitive import PRIMITIVES, Primitive
from spikewright.sim.requantize import Requantize
from spikewright.sim.route import Route

__all__ = [
    "Activation",
    "Bernoulli",
    "Count",
    "Delay",
    "Elementwise",
    "EventMatVec",
    "Extremum",
    "Hold",
    "Last",
    "Leaky",
    "Learn",
    "Lif",
    "Lookup",
    "MatVec",
    "Requantize",
    "Route",
    "primitive_from",
]


def primitive_from(description: Mapping[str, Any]) -> Primitive:
    """Primitive from its description.

    Raises
    ------
    ProgramError
        If the type is unknown or its fields are not the type's own.
    """
    fields = {key: _from_json(value) for key, value in description.items() if key != "type"}
    name = description.get("type")
    if name not in PRIMITIVES:
        raise ProgramError(
            f"Primitive must be one of {', '.join(sorted(PRIMITIVES))}, not {name!r}"
        )
    try:
        return PRIMITIVES[name](**fields)
    except TypeError as error:
        raise ProgramError(f"{name} does not have the fields {sorted(fields)}: {error}") from None


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return QFormat(**value)
    if isinstance(value, list):
        return tuple(_from_json(item) for item in value)
    return value
