# SPDX-License-Identifier: Apache-2.0
"""Run a component with stream ports, and compare what came out with what should have.

>>> got = simulate(component, {"i": beats}, {"o": len(expected)}, stall_seed=1)
>>> assert not first_divergence(expected, got["o"])
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Literal

from amaranth.lib import wiring

from bench import in_amaranth, in_cocotb
from bench.exchange import Exchange, Plan
from bench.payloads import Payload, decode, encode, plain, width_of
from bench.ports import Ports, ports_of

Backend = Literal["amaranth", "cocotb"]

_RUN = {"amaranth": in_amaranth.run, "cocotb": in_cocotb.run}


def simulate(
    component: wiring.Component,
    stimuli: Mapping[str, Sequence[Payload]],
    expect: Mapping[str, int],
    *,
    tensors: Mapping[str, Sequence[int]] | None = None,
    inputs: Mapping[str, int] | None = None,
    stall_seed: int | None = None,
    backend: Backend = "amaranth",
    max_cycles: int = 10_000,
    more: bool = False,
) -> dict[str, list[Payload]]:
    """Give beats to a component and collect what it gives.

    Parameters
    ----------
    component : wiring.Component
    stimuli : mapping of str to sequence of payloads
        Beats for each input stream; fields left out are 0. Inputs not named stay silent.
    expect : mapping of str to int
        Beats to collect from each output stream; every output must be named.
    tensors : mapping of str to sequence of int
        Codes to load first, by host port.
    inputs : mapping of str to int
        What plain inputs are held at.
    stall_seed : int, optional
        Pause each stream at random from this seed; None for no pauses. With an odd seed ready
        waits for valid, so try an odd and an even one.
    backend : {"amaranth", "cocotb"}
    max_cycles : int
        Clock cycles this may take, the loading included.
    more : bool
        Whether further beats may follow: the run then ends with the last expected one, and some
        stimuli may be left.

    Returns
    -------
    dict of str to list of payloads
        Beats of each output stream.

    Raises
    ------
    AssertionError
        If a stream takes valid or its payload back before ready, gives too many beats, or too few
        within the cycles.
    """
    ports = ports_of(component)
    if set(expect) != set(ports.outputs):
        raise ValueError(f"Expect names {sorted(expect)}, the outputs are {sorted(ports.outputs)}")
    hosts = {name: load_pulses(codes) for name, codes in (tensors or {}).items()}
    plan = Plan(
        sources=_encoded(ports, stimuli),
        sinks=dict(expect),
        hosts=hosts,
        constants=dict(inputs or {}),
        widths={name: width_of(shape) for name, shape in ports.inputs.items()},
        stall_seed=stall_seed,
        max_cycles=max_cycles,
        more=more,
    )
    exchange = Exchange(plan)
    _RUN[backend](component, exchange)
    return {
        sink.name: [decode(ports.outputs[sink.name], bits) for bits in sink.beats]
        for sink in exchange.sinks
    }


def read_back(
    component: wiring.Component,
    port: str,
    count: int,
    *,
    tensors: Mapping[str, Sequence[int]] | None = None,
    inputs: Mapping[str, int] | None = None,
    stall_seed: int | None = None,
    backend: Backend = "amaranth",
    max_cycles: int = 10_000,
    signed: bool = True,
) -> list[int]:
    """Load tensors, then read the first elements of one through its host port.

    Parameters
    ----------
    port : str
        Host port to read.
    count : int
        Elements to read.
    signed : bool
        Whether the 32 bits that come are a signed number.
    component, tensors, inputs, stall_seed, backend, max_cycles
        As in :func:`simulate`.
    """
    pulses = {name: load_pulses(codes) for name, codes in (tensors or {}).items()}
    pulses[port] = [*pulses.get(port, []), ("rewind", 0), *[("fetch", 0), ("advance", 0)] * count]
    plan = Plan(
        hosts=pulses, constants=dict(inputs or {}), stall_seed=stall_seed, max_cycles=max_cycles
    )
    exchange = Exchange(plan)
    _RUN[backend](component, exchange)
    (words,) = [host.read for host in exchange.hosts if host.name == port]
    return [word - (1 << 32) if signed and word >> 31 else word for word in words]


def load_pulses(codes: Sequence[int]) -> list[tuple[str, int]]:
    """What a host does to load a tensor."""
    return [("rewind", 0), *(("write", int(code) & 0xFFFFFFFF) for code in codes)]


def _encoded(ports: Ports, stimuli: Mapping[str, Sequence[Payload]]) -> dict[str, list[int]]:
    if unknown := set(stimuli) - set(ports.inputs):
        raise ValueError(f"Component has no input stream {sorted(unknown)}")
    return {
        name: [encode(shape, plain(beat)) for beat in stimuli.get(name, ())]
        for name, shape in ports.inputs.items()
    }


def first_divergence(expected: Sequence[Payload], got: Sequence[Payload]) -> str | None:
    """Say where two sequences of payloads first differ; None if they do not.

    Only what is expected is compared: fields and trailing lanes left out do not matter.
    """
    nothing = object()
    for beat, (want, have) in enumerate(zip_longest(expected, got, fillvalue=nothing)):
        if want is nothing:
            return f"Beat {beat}: expected nothing, got {plain(have)}"
        if have is nothing:
            return f"Beat {beat}: expected {plain(want)}, got nothing"
        if found := _difference("", plain(want), plain(have)):
            return f"Beat {beat}{found}"
    return None


def _difference(path: str, want: Payload, have: Payload) -> str | None:
    """Compare the fields that are expected; what came may have more."""
    if isinstance(want, dict) and isinstance(have, dict):
        pairs = [(f"{path}.{key}", value, have.get(key)) for key, value in want.items()]
    elif isinstance(want, list) and isinstance(have, list) and len(want) <= len(have):
        pairs = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(want, have, strict=False))]
    else:
        if want == have:
            return None
        name = f", field {path.lstrip('.')}" if path else ""
        return f"{name}: expected {want}, got {have}"
    return next((found for pair in pairs if (found := _difference(*pair))), None)
