# SPDX-License-Identifier: Apache-2.0
"""What every primitive's component has in common."""

from collections.abc import Mapping
from typing import ClassVar

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.glue.streams import layout_of
from spikewright.hw.parameters import ParameterHost, ParameterHostInterface
from spikewright.sim.errors import FormatError
from spikewright.sim.primitive import Primitive


class PrimitiveComponent(wiring.Component):
    """Gateware of one primitive: a stream for each port, a host port for each tensor.

    Parameters
    ----------
    primitive : Primitive
    lanes : int
        Parallel units.
    lanes_in, lanes_out : int, optional
        Elements in a beat of the dense inputs and outputs; ``lanes`` if not given.
    more : mapping of str to Member, optional
        Further members.

    Members
    -------
    i_NAME : In(stream)
        For each input port of the primitive.
    o_NAME : Out(stream)
        For each output port.
    host_K : In(ParameterHost)
        For the K-th of the primitive's tensors.

    Raises
    ------
    FormatError
        If there are no lanes, or more than elements to share among them.
    """

    primitive: Primitive
    framed: ClassVar[bool] = False
    """Whether the component must know the steps of a frame (keyword ``steps``)."""
    gathers: ClassVar[bool] = False
    """Whether beats that leave may be narrower than its lanes (keyword ``lanes_out``)."""

    def __init__(
        self,
        primitive: Primitive,
        *,
        lanes: int,
        lanes_in: int | None = None,
        lanes_out: int | None = None,
        more: Mapping[str, wiring.Member] | None = None,
    ):
        self.primitive = primitive
        self.lanes = lanes
        self.lanes_in = lanes if lanes_in is None else lanes_in
        self.lanes_out = lanes if lanes_out is None else lanes_out
        ports = primitive.ports()
        most = max(port.size for port in ports.outputs.values())
        if not 1 <= lanes <= most:
            raise FormatError(
                f"{type(primitive).__name__} lanes must be between 1 and its {most} outputs, "
                f"not {lanes!r}"
            )
        members: dict[str, wiring.Member] = dict(more or {})
        for name, port in ports.inputs.items():
            members[f"i_{name}"] = In(stream.Signature(layout_of(port, self.lanes_in)))
        for name, port in ports.outputs.items():
            members[f"o_{name}"] = Out(stream.Signature(layout_of(port, self.lanes_out)))
        for k in range(len(primitive.tensors())):
            members[f"host_{k}"] = In(ParameterHost)
        super().__init__(members)

    def input(self, name: str) -> stream.Interface:
        """Stream of an input port."""
        found: stream.Interface = getattr(self, f"i_{name}")
        return found

    def output(self, name: str) -> stream.Interface:
        """Stream of an output port."""
        found: stream.Interface = getattr(self, f"o_{name}")
        return found

    @property
    def hosts(self) -> Mapping[str, ParameterHostInterface]:
        """Host port of each tensor, by the tensor's name."""
        return {name: getattr(self, f"host_{k}") for k, name in enumerate(self.primitive.tensors())}
