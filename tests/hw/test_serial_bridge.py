# SPDX-License-Identifier: Apache-2.0
"""The serial bridge: bytes in and out against the golden model, and every status."""

from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator, SimulatorContext
from programs import mlp

from spikewright.hw.accelerator import Accelerator
from spikewright.hw.host.serial_bridge import Opcode, SerialBridge, Status
from spikewright.sim import golden, packets
from spikewright.sim.registers import ID_VALUE, mask, offset

DIVISOR = 8
TIMEOUT = 2000
BUFFER = 16


class Line:
    """The host's end of the line."""

    def __init__(self, context: SimulatorContext, bridge: SerialBridge):
        self.context = context
        self.bridge = bridge
        self.received: list[int] = []
        self._bits: list[int] = []
        self._wait = 0
        context.set(bridge.rx, 1)

    async def _tick(self) -> None:
        """One cycle, in which a byte coming in is sampled in the middle of its bits."""
        await self.context.tick()
        level = self.context.get(self.bridge.tx)
        if self._wait:
            self._wait -= 1
        elif self._bits or not level:
            self._wait = DIVISOR - 1 if self._bits else DIVISOR + DIVISOR // 2 - 1
            self._bits.append(level)
        if len(self._bits) == 10:
            assert self._bits[-1] == 1
            self.received.append(sum(bit << k for k, bit in enumerate(self._bits[1:9])))
            self._bits.clear()
            self._wait = 0

    async def send(self, data: bytes) -> None:
        """Bytes without pauses."""
        for byte in data:
            for bit in (0, *(byte >> k & 1 for k in range(8)), 1):
                self.context.set(self.bridge.rx, bit)
                for _ in range(DIVISOR):
                    await self._tick()

    async def receive(self, count: int) -> bytes:
        """Bytes of an answer."""
        for _ in range(20 * DIVISOR * count + 2 * TIMEOUT):
            if len(self.received) >= count:
                break
            await self._tick()
        answer, self.received = self.received[:count], self.received[count:]
        return bytes(answer)

    async def command(
        self, opcode: int, argument: int, words: list[int] = (), answer: int = 0
    ) -> tuple[list[int], int]:
        """A command; the answer's words and status."""
        await self.send(bytes([opcode]) + argument.to_bytes(2, "little"))
        await self.send(b"".join(word.to_bytes(4, "little") for word in words))
        data = await self.receive(4 * answer + 1)
        found = [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data) - 1, 4)]
        return found, data[-1]


def run(bench: Callable[[Line], Awaitable[None]], accelerator: Accelerator | None = None) -> None:
    m = Module()
    m.submodules.bridge = bridge = SerialBridge(DIVISOR, timeout=TIMEOUT, send_buffer=BUFFER)
    if accelerator is not None:
        m.submodules.accelerator = accelerator
        wiring.connect(m, bridge.axi, accelerator.s_axi)
        wiring.connect(m, bridge.o, accelerator.s_axis)
        wiring.connect(m, accelerator.m_axis, bridge.i)

    async def testbench(context: SimulatorContext) -> None:
        await bench(Line(context, bridge))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def test_registers_parameters_and_frames_over_the_line() -> None:
    program = mlp((4, 3, 2))
    x = np.random.default_rng(7).integers(0, 256, (2, 4))
    words_in, words_out = packets.frame_words(program)
    logits = golden.run(program, {"x": x})[program.resolve(program.outputs["logits"])]

    async def bench(line: Line) -> None:
        assert await line.command(Opcode.READ, offset("ID"), answer=1) == ([ID_VALUE], Status.OK)
        for k, name in enumerate(program.tensor_specs):
            for register, value in (("PARAM_TENSOR", k), ("PARAM_START", 0)):
                assert await line.command(Opcode.WRITE, offset(register), [value]) == ([], 0)
            for value in program.tensors[name].ravel().tolist():
                word = value & 0xFFFFFFFF
                assert await line.command(Opcode.WRITE, offset("PARAM_DATA"), [word]) == ([], 0)
        for frame, expected in enumerate(logits):
            sent = packets.pack_frames(program, {"x": x[frame : frame + 1]})[0].tolist()
            assert len(sent) == words_in
            assert await line.command(Opcode.SEND_LAST, len(sent), sent) == ([], Status.OK)
            words, status = await line.command(Opcode.RECEIVE, words_out, answer=words_out)
            assert status == Status.OK
            got = packets.unpack_frames(program, np.array([words], np.uint32))
            assert got["logits"][0].tolist() == expected.tolist()
        frames, status = await line.command(Opcode.READ, offset("FRAMES_LO"), answer=1)
        assert (frames, status) == ([2], Status.OK)
        state, _ = await line.command(Opcode.READ, offset("STATUS"), answer=1)
        assert state[0] & mask("STATUS", "CUT_FRAME") == 0

    run(bench, Accelerator(program, 2))


def test_refused_accesses_and_unknown_opcodes_are_told() -> None:
    async def bench(line: Line) -> None:
        _, status = await line.command(Opcode.READ, 0x1FC, answer=1)
        assert status == Status.REFUSED
        assert await line.command(Opcode.WRITE, offset("ID"), [1]) == ([], Status.REFUSED)
        assert line.context.get(line.bridge.failed) == 1
        assert await line.command(99, 0) == ([], Status.UNKNOWN)
        assert await line.command(Opcode.SEND, 0) == ([], Status.OK)
        assert await line.command(Opcode.RECEIVE, 0) == ([], Status.OK)
        assert line.context.get(line.bridge.failed) == 0

    run(bench, Accelerator(mlp((4, 3, 2)), 2))


def test_tlast_only_with_the_last_word_of_send_last() -> None:
    async def bench(line: Line) -> None:
        line.context.set(line.bridge.o.tready, 0)
        await line.command(Opcode.SEND, 2, [1, 2])
        await line.command(Opcode.SEND_LAST, 2, [3, 0xFFFFFFFF])
        line.context.set(line.bridge.o.tready, 1)
        beats = []
        for _ in range(8):
            if line.context.get(line.bridge.o.tvalid):
                beats.append(
                    (line.context.get(line.bridge.o.tdata), line.context.get(line.bridge.o.tlast))
                )
            await line.context.tick()
        assert beats == [(1, 0), (2, 0), (3, 0), (0xFFFFFFFF, 1)]

    run(bench)


def test_overrun_is_told() -> None:
    async def bench(line: Line) -> None:
        line.context.set(line.bridge.o.tready, 0)
        full = list(range(BUFFER))
        assert await line.command(Opcode.SEND, len(full), full) == ([], Status.OK)
        assert await line.command(Opcode.SEND, 3, [1, 2, 3]) == ([], Status.OVERRUN)

    run(bench)


def test_silence_ends_a_command() -> None:
    async def bench(line: Line) -> None:
        assert await line.command(Opcode.RECEIVE, 3) == ([], Status.TIMEOUT)
        await line.send(bytes([Opcode.WRITE, 0]))
        assert await line.receive(1) == bytes([Status.TIMEOUT])
        await line.send(bytes([Opcode.SEND, 1, 0, 1]))
        assert await line.receive(1) == bytes([Status.TIMEOUT])
        assert await line.command(Opcode.SEND, 0) == ([], Status.OK)

    run(bench)


@pytest.mark.parametrize("bits", [10, 12, 18, 30])
def test_a_byte_without_stop_bit_is_dropped(bits: int) -> None:
    """However long the break."""

    async def bench(line: Line) -> None:
        line.context.set(line.bridge.rx, 0)
        for _ in range(bits * DIVISOR):
            await line.context.tick()
        line.context.set(line.bridge.rx, 1)
        for _ in range(2 * TIMEOUT):
            await line._tick()
        assert line.received == []
        assert await line.command(Opcode.SEND, 0) == ([], Status.OK)

    run(bench)


def test_addresses_outside_the_window_are_refused() -> None:
    async def bench(line: Line) -> None:
        per_packet = offset("FRAMES_PER_PACKET")
        for high in (0x1000, 0x2000, 0x8000, 0xF000):
            assert await line.command(Opcode.READ, high, answer=1) == ([0], Status.REFUSED)
            # The word is swallowed, as the next command shows.
            assert await line.command(Opcode.WRITE, high | per_packet, [77]) == ([], Status.REFUSED)
            assert await line.command(Opcode.READ, per_packet, answer=1) == ([1], Status.OK)

    run(bench, Accelerator(mlp((4, 3, 2)), 2))


def test_a_soft_reset_recovers_from_an_overrun() -> None:
    """What waited in the buffer is forgotten with what was inside."""
    program = mlp((4, 3, 2))
    words_in, words_out = packets.frame_words(program)
    reset = mask("CONTROL", "SOFT_RESET")

    async def bench(line: Line) -> None:
        lost = [0] * 130 * words_in
        assert await line.command(Opcode.SEND, len(lost), lost) == ([], Status.OVERRUN)
        clear = mask("CONTROL", "CLEAR_COUNTERS")
        assert await line.command(Opcode.WRITE, offset("CONTROL"), [clear]) == ([], Status.OK)
        assert line.context.get(line.bridge.o.tvalid) == 1
        assert await line.command(Opcode.WRITE, offset("CONTROL"), [reset]) == ([], Status.OK)
        assert line.context.get(line.bridge.o.tvalid) == 0
        state, _ = await line.command(Opcode.READ, offset("STATUS"), answer=1)
        assert state[0] & mask("STATUS", "BUSY") == 0
        assert await line.command(Opcode.RECEIVE, words_out) == ([], Status.TIMEOUT)
        frames, _ = await line.command(Opcode.READ, offset("FRAMES_LO"), answer=1)
        assert frames == [0]

    run(bench, Accelerator(program))
