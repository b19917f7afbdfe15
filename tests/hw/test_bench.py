# SPDX-License-Identifier: Apache-2.0
"""The bench itself: it carries data faithfully and catches streams that break the rules."""

from typing import Any, get_args

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from bench.streams import Backend, first_divergence, read_back, simulate

DENSE = data.StructLayout({"data": data.ArrayLayout(signed(5), 2), "first": 1, "last": 1, "end": 1})

HOST = wiring.Signature(
    {
        "rewind": Out(1),
        "write": Out(1),
        "advance": Out(1),
        "fetch": Out(1),
        "data": Out(32),
        "data_out": In(32),
        "ready": In(1),
    }
)

BACKENDS = get_args(Backend)


class Register(wiring.Component):
    """One register between two streams, and ways to get it wrong.

    Parameters
    ----------
    fault : str
        "unstable", "revokes", "waits", "repeats", "loses" or "" for none.
    """

    def __init__(self, shape: Any = DENSE, fault: str = ""):
        self.fault = fault
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports: Any = self
        i, o = ports.i, ports.o
        full = Signal()
        again = Signal()
        payload = Signal.like(_value(o.payload))
        noise = Signal.like(payload)
        m.d.sync += noise.eq(noise + 1)
        m.d.comb += [i.ready.eq(~full | o.ready), o.valid.eq(full), _value(o.payload).eq(payload)]
        with m.If(o.ready & ~again):
            m.d.sync += full.eq(0)
        m.d.sync += again.eq(0)
        with m.If(i.valid & i.ready):
            m.d.sync += [payload.eq(_value(i.payload)), full.eq(1)]
        match self.fault:
            case "unstable":
                m.d.comb += _value(o.payload).eq(payload ^ Mux(noise[1], 1, 0))
            case "revokes":
                m.d.comb += o.valid.eq(full & noise[0])
            case "waits":
                m.d.comb += o.valid.eq(full & o.ready)
            case "repeats":
                m.d.sync += again.eq(i.valid & i.ready)
                m.d.comb += i.ready.eq((~full | o.ready) & ~again)
            case "loses":
                m.d.comb += i.ready.eq(1)
        return m


def _value(payload: Any) -> Any:
    return payload.as_value() if hasattr(payload, "as_value") else payload


class Tensor(wiring.Component):
    """Eight elements behind a host port that needs a cycle of rest after each pulse."""

    def __init__(self) -> None:
        super().__init__(
            {"host": In(HOST), "i": In(stream.Signature(3)), "o": Out(stream.Signature(signed(6)))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports: Any = self
        host, i, o = ports.host, ports.i, ports.o
        elements = [Signal(signed(6), name=f"element{k}") for k in range(8)]
        table = data.View(data.ArrayLayout(signed(6), 8), Cat(elements))
        index = Signal(3)
        rest = Signal()
        pulse = host.rewind | host.write | host.advance
        m.d.sync += rest.eq(pulse)
        m.d.comb += [host.ready.eq(~rest), host.data_out.eq(table[index])]
        with m.If(pulse & ~rest):
            m.d.sync += index.eq(Mux(host.rewind, 0, index + 1))
            with m.If(host.write):
                m.d.sync += table[index].eq(host.data)
        m.d.comb += [o.payload.eq(table[i.payload]), o.valid.eq(i.valid), i.ready.eq(o.ready)]
        return m


class AlwaysReady(wiring.Component):
    """A counter of beats that has no ready to wait for, and a plain input."""

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(4, always_ready=True)),
                "o": Out(stream.Signature(8, always_valid=True)),
                "offset": In(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports: Any = self
        total = Signal(8)
        with m.If(ports.i.valid):
            m.d.sync += total.eq(total + ports.i.payload)
        m.d.comb += ports.o.payload.eq(total + ports.offset)
        return m


def beats(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "data": rng.integers(-16, 16, 2),
            **{name: rng.integers(2) for name in ("first", "last", "end")},
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize("backend", BACKENDS)
def test_data_pass_unchanged(backend: Backend, seed: int | None) -> None:
    sent = beats(40)
    got = simulate(Register(), {"i": sent}, {"o": 40}, stall_seed=seed, backend=backend)
    assert not first_divergence(sent, got["o"])
    assert got["o"][0]["data"] == sent[0]["data"].tolist()
    assert min(min(beat["data"]) for beat in got["o"]) == -16


@pytest.mark.parametrize("backend", BACKENDS)
def test_plain_payload(backend: Backend) -> None:
    got = simulate(Register(signed(7)), {"i": [-64, 63, -1]}, {"o": 3}, backend=backend)
    assert got == {"o": [-64, 63, -1]}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "unstable",
            r"^o changed its payload before ready in cycle \d+: 0x[0-9a-f]+ to 0x[0-9a-f]+$",
        ),
        ("revokes", r"^o took valid back before ready in cycle \d+$"),
        ("repeats", r"^o gave a beat more than the 40 expected in cycle \d+$"),
        ("loses", r"^o changed its payload before ready in cycle \d+"),
    ],
)
def test_broken_streams_are_caught(backend: Backend, fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        simulate(Register(fault=fault), {"i": beats(40)}, {"o": 40}, stall_seed=2, backend=backend)


def test_valid_that_waits_for_ready_is_caught_by_odd_seeds() -> None:
    broken = Register(fault="waits")
    simulate(broken, {"i": beats(40)}, {"o": 40}, stall_seed=2)
    message = r"^Not finished after 900 cycles: i took 1 of 40, o gave 0 of 40$"
    with pytest.raises(AssertionError, match=message):
        simulate(broken, {"i": beats(40)}, {"o": 40}, stall_seed=1, max_cycles=900)


def test_beats_that_never_come() -> None:
    with pytest.raises(
        AssertionError, match=r"^Not finished after 50 cycles: i took 2 of 2, o gave 2 of 3$"
    ):
        simulate(Register(8), {"i": [1, 2]}, {"o": 3}, max_cycles=50)


def test_more_beats_may_be_allowed() -> None:
    assert simulate(Register(8), {"i": [1, 2, 3]}, {"o": 2}, more=True) == {"o": [1, 2]}


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("backend", BACKENDS)
def test_tensors_are_loaded_first(backend: Backend, seed: int | None) -> None:
    codes = [-32, 31, 0, -1, 5, 6, 7, 8]
    got = simulate(
        Tensor(),
        {"i": [7, 0, 1]},
        {"o": 3},
        tensors={"host": codes},
        stall_seed=seed,
        backend=backend,
    )
    assert got == {"o": [8, -32, 31]}
    assert (
        read_back(Tensor(), "host", 5, tensors={"host": codes}, stall_seed=seed, backend=backend)
        == codes[:5]
    )


def test_words_read_back_unsigned() -> None:
    words = read_back(Tensor(), "host", 1, tensors={"host": [-1]}, signed=False)
    assert words == [0xFFFFFFFF]


@pytest.mark.parametrize("backend", BACKENDS)
def test_streams_that_never_wait(backend: Backend) -> None:
    got = simulate(
        AlwaysReady(), {"i": [1, 2, 3]}, {"o": 3}, inputs={"offset": 9}, more=True, backend=backend
    )
    assert got == {"o": [9, 10, 12]}


def test_wrong_use() -> None:
    component = Register()
    assert simulate(component, {}, {"o": 0}) == {"o": []}
    with pytest.raises(ValueError, match=r"^Expect names \[\], the outputs are \['o'\]$"):
        simulate(component, {}, {})
    with pytest.raises(ValueError, match=r"^Component has no input stream \['x'\]$"):
        simulate(component, {"x": []}, {"o": 0})
    with pytest.raises(ValueError, match=r"^16 does not fit signed\(5\)$"):
        simulate(component, {"i": [{"data": [16, 0]}]}, {"o": 1})
    with pytest.raises(ValueError, match=r"^Payload StructLayout\(.*\) has no 'step'$"):
        simulate(component, {"i": [{"step": 1}]}, {"o": 1})


def test_first_divergence() -> None:
    one = {"data": [1, 2], "last": 0}
    assert first_divergence([one], [{"data": np.array([1, 2]), "last": False}]) is None
    assert first_divergence([one, one], [one]) == (
        "Beat 1: expected {'data': [1, 2], 'last': 0}, got nothing"
    )
    assert first_divergence([3], [3, 4]) == "Beat 1: expected nothing, got 4"
    assert first_divergence([3, 5], [3, 4]) == "Beat 1: expected 5, got 4"
    assert first_divergence([one], [{"data": [1, 7], "last": 0}]) == (
        "Beat 0, field data[1]: expected 2, got 7"
    )
