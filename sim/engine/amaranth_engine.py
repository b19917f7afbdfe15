# SPDX-License-Identifier: Apache-2.0
"""The engine of last resort: Amaranth's simulator, which needs no compiler but is slow."""

import ctypes
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from amaranth.hdl import Elaboratable, Value
from amaranth.sim import Simulator
from numpy.typing import ArrayLike, NDArray

from spikewright.sim.engine.checks import as_words, check_answer, stall_thresholds
from spikewright.sim.engine.engine import RESET_CYCLES, Engine
from spikewright.sim.errors import DeviceError, ToolError


class Context(Protocol):
    """What a testbench of Amaranth can do, in types, which its stubs do not name."""

    def get(self, signal: Value) -> int:
        """Value of a signal."""

    def set(self, signal: Value, value: int) -> None:
        """Drive a signal and let what depends on it settle."""

    def delay(self, interval: float) -> Awaitable[object]:
        """Let time pass, in seconds."""


Operation = Callable[[Context], Awaitable[None]]

_HALF_PERIOD = 5e-9
_MASK = 2**64 - 1
_CHANNELS = {"aw": "awvalid", "w": "wvalid", "ar": "arvalid"}


class AmaranthEngine(Engine):
    """A component run by Amaranth's simulator: thousands of clock cycles a second.

    The clock is an ordinary input toggled by hand, so nothing moves between calls. An engine
    writes one waveform; in it each signal has its reset value until it first changes.

    Parameters
    ----------
    component : Elaboratable
        Design whose clock domain is driven by ``ports["aclk"]``.
    ports : mapping of str to Value
        Signals by the flat names of the Verilog ports.
    """

    def __init__(self, component: Elaboratable, ports: Mapping[str, Value]) -> None:
        self.name = "Amaranth simulator"
        self.answer_limit = 100_000
        self._ports = dict(ports)
        self._layers = sum(name.endswith("_flags") for name in ports)
        self._stack = ExitStack()
        self._tracing = self._traced = self._closed = False
        self._recording = False
        self._beats: list[tuple[int, int, int]] = []
        self._tx_stall = self._rx_stall = self._random = self._cycles = 0
        self._clear_streams()
        self._operation: Operation | None = None
        self._simulator: Any = Simulator(component)
        self._simulator.add_testbench(self._serve)
        self.reset()

    def _clear_streams(self) -> None:
        empty = np.zeros(0, np.uint32)
        self._tx_words, self._tx_sent, self._offered = empty, 0, False
        self._rx_words, self._rx_received = empty, 0
        self._rx_busy = self._rx_last = False

    def read_many(self, address: int, count: int) -> NDArray[np.uint32]:
        words = np.zeros(count, np.uint32)
        for i in range(count):
            answer, words[i] = self._access({"araddr": address}, ("ar",), "r")
            check_answer("Read", address, answer, self.answer_limit)
        return words

    def write_many(self, address: int, words: ArrayLike) -> None:
        for word in as_words(words).tolist():
            inputs = {"awaddr": address, "wdata": word, "wstrb": 0xF}
            answer, _ = self._access(inputs, ("aw", "w"), "b")
            check_answer("Write", address, answer, self.answer_limit)

    @property
    def cycles(self) -> int:
        return self._cycles

    def tx_left(self) -> int:
        return self._tx_words.size - self._tx_sent

    def rx_busy(self) -> bool:
        return self._rx_busy

    def rx_count(self) -> int:
        return self._rx_received

    def rx_last(self) -> bool:
        return self._rx_last

    def stall(self, tx_probability: float, rx_probability: float, seed: int) -> None:
        self._tx_stall, self._rx_stall = stall_thresholds(tx_probability, rx_probability)
        self._random = seed

    def record(self, on: bool) -> None:
        self._recording = on

    def probes(self) -> NDArray[np.int64]:
        beats = np.array(self._beats, np.int64).reshape(-1, 3)
        self._beats.clear()
        return beats

    def trace(self, path: Path | None) -> None:
        self._stack.close()
        self._tracing = False
        if path is None:
            return
        if self._traced:
            raise ToolError(
                "The Amaranth simulator writes one waveform per engine: open another engine"
            )
        try:
            self._stack.enter_context(self._simulator.write_vcd(str(path)))
        except OSError as error:
            raise ToolError(
                f"Waveform cannot be written to {path}: choose another folder"
            ) from error
        self._tracing = self._traced = True

    def reset(self) -> None:
        self._clear_streams()

        async def operation(context: Context) -> None:
            for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
                context.set(self._ports[f"s_axi_{name}"], 0)
            context.set(self._ports["aresetn"], 0)
            for _ in range(RESET_CYCLES):
                await self._tick(context)
            context.set(self._ports["aresetn"], 1)

        self._do(operation)
        self._cycles = 0

    def close(self) -> None:
        self._stack.close()
        self._closed = True

    def _set_tx(self, pointer: int, count: int) -> None:
        self._tx_words, self._tx_sent, self._offered = _memory(pointer, count), 0, False

    def _set_rx(self, pointer: int, count: int) -> None:
        if count:
            self._rx_words, self._rx_received = _memory(pointer, count), 0
            self._rx_last = False
        self._rx_busy = count > 0

    def _advance(self, cycles: int, *, until_idle: bool) -> None:
        async def operation(context: Context) -> None:
            for _ in range(cycles):
                if until_idle and not (self.tx_left() or self._rx_busy):
                    break
                await self._tick(context)

        self._do(operation)

    def _access(
        self, inputs: Mapping[str, int], requests: tuple[str, ...], reply: str
    ) -> tuple[int, int]:
        """Do one AXI4-Lite access; return the response, -1 for none, and the data read."""
        answer = [-1, 0]

        async def operation(context: Context) -> None:
            open_requests = set(requests)
            levels = {**inputs, **{_CHANNELS[name]: 1 for name in requests}, f"{reply}ready": 1}
            for name, value in levels.items():
                context.set(self._ports[f"s_axi_{name}"], value)
            for _ in range(self.answer_limit):
                await self._tick(
                    context, lambda: self._watch(context, open_requests, reply, answer)
                )
                for name in set(requests) - open_requests:
                    context.set(self._ports[f"s_axi_{_CHANNELS[name]}"], 0)
                if answer[0] >= 0:
                    break
            for name in (*(_CHANNELS[name] for name in requests), f"{reply}ready"):
                context.set(self._ports[f"s_axi_{name}"], 0)

        self._do(operation)
        return answer[0], answer[1]

    def _watch(self, context: Context, requests: set[str], reply: str, answer: list[int]) -> None:
        """Note the AXI4-Lite handshakes of a rising edge."""
        ports = self._ports
        requests -= {name for name in requests if context.get(ports[f"s_axi_{name}ready"])}
        if context.get(ports[f"s_axi_{reply}valid"]):
            answer[0] = context.get(ports[f"s_axi_{reply}resp"])
            answer[1] = context.get(ports["s_axi_rdata"])

    def _do(self, operation: Operation) -> None:
        """Have the testbench carry out an operation."""
        if self._closed:
            raise DeviceError("This engine is closed: open another one")
        self._operation = operation
        while self._operation is not None:
            self._simulator.advance()

    async def _serve(self, context: Context) -> None:
        while True:
            if self._operation is not None:
                await self._operation(context)
                self._operation = None
            await context.delay(0)

    async def _tick(self, context: Context, watch: Callable[[], None] | None = None) -> None:
        ports = self._ports
        self._drive_streams(context)
        sent = self._offered and context.get(ports["s_axis_tready"])
        self._sample_sink(context)
        if watch:
            watch()
        if self._recording:
            self._sample_probes(context)
        for level in (1, 0):
            context.set(ports["aclk"], level)
            if self._tracing:
                await context.delay(_HALF_PERIOD)
        if sent:
            self._tx_sent += 1
            self._offered = False
        self._cycles += 1

    def _drive_streams(self, context: Context) -> None:
        ports = self._ports
        if not self._offered and self.tx_left():
            self._offered = not self._below(self._tx_stall)
        context.set(ports["s_axis_tvalid"], self._offered)
        if self._offered:
            context.set(ports["s_axis_tdata"], int(self._tx_words[self._tx_sent]))
            context.set(ports["s_axis_tkeep"], 0xF)
            context.set(ports["s_axis_tlast"], self.tx_left() == 1)
        self._ready = self._rx_busy and not self._below(self._rx_stall)
        context.set(ports["m_axis_tready"], self._ready)

    def _sample_sink(self, context: Context) -> None:
        ports = self._ports
        if not (self._ready and context.get(ports["m_axis_tvalid"])):
            return
        self._rx_words[self._rx_received] = context.get(ports["m_axis_tdata"])
        self._rx_received += 1
        self._rx_last = bool(context.get(ports["m_axis_tlast"]))
        self._rx_busy = not self._rx_last and self._rx_received < self._rx_words.size

    def _sample_probes(self, context: Context) -> None:
        fire = context.get(self._ports["probe_fire"]) if self._layers else 0
        for layer in range(self._layers):
            if fire >> layer & 1:
                flags = context.get(self._ports[f"probe{layer}_flags"])
                data = context.get(self._ports[f"probe{layer}_data"])
                signed = data - 2**64 if data >= 2**63 else data
                self._beats.append((layer, flags, signed))

    def _below(self, threshold: int) -> bool:
        """Compare with the next random number, the same sequence as in shim.cpp."""
        if not threshold:
            return False
        self._random = (self._random + 0x9E3779B97F4A7C15) & _MASK
        z = self._random
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 32) < threshold


def _memory(pointer: int, count: int) -> NDArray[np.uint32]:
    """View `count` words of this process's memory."""
    if not count:
        return np.zeros(0, np.uint32)
    return np.ctypeslib.as_array((ctypes.c_uint32 * count).from_address(pointer))
