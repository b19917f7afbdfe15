# SPDX-License-Identifier: Apache-2.0
"""Memory with the output register of the part's own block."""

from collections.abc import Callable
from functools import partial
from importlib.resources import files

from amaranth import Array, C, Cat, ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.build import Platform
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spikewright.hw.cells.family import ECP5, ICE40, XC7, Text, family_of
from spikewright.hw.estimate import BLOCK_SHAPES, block_rams

SPRAM_WIDTH, SPRAM_DEPTH = 16, 1 << 14
"""An SB_SPRAM256KA."""
TABLE_DEPTH = 32
"""Most words that lookup tables hold."""
XC7_TABLE_BITS = 1 << 13
"""Largest memory that lookup tables hold on Xilinx 7."""
SPRAM_LEAST = 1 << 10
"""Depth from which a memory takes one rather than block RAM of 4 kbit."""


def blocks(width: int, depth: int) -> int:
    """Block RAMs of a memory on ECP5; 0 if lookup tables hold it, which are fast up to 32 words."""
    if depth > TABLE_DEPTH:
        return min(-(-width // wide) * -(-depth // deep) for wide, deep in BLOCK_SHAPES)
    return block_rams(width, depth)


STORE = files("spikewright.hw.cells").joinpath("store.v").read_text()
"""A plain memory as a Verilog module; Amaranth's own would have a line for each of its words."""


class BlockMemory(wiring.Component):
    """One word read a cycle, two cycles after its address; one word written a cycle.

    Reads never pause. A word that is written while it is read comes out undefined, as on the
    part's own blocks. On ECP5 a memory too large for lookup tables takes DP16KD with their output
    registers, and on iCE40 a large one of one address takes SB_SPRAM256KA, neither of which
    synthesis infers; on Xilinx 7 a deep one is cut so that it wastes least. Elsewhere the
    description is plain.

    Parameters
    ----------
    width, depth : int
    one_address : bool
        Whether the two addresses are always the same.

    Members
    -------
    read_address : In(range(depth))
    read_data : Out(width)
    write_address : In(range(depth))
    write_data : In(width)
    write : In(1)
    """

    read_address: Signal
    read_data: Signal
    write_address: Signal
    write_data: Signal
    write: Signal
    latency = 2
    """Cycles from address to word."""

    def __init__(self, *, width: int, depth: int, one_address: bool = False):
        self.width = width
        self.depth = depth
        self.one_address = one_address
        super().__init__(
            {
                "read_address": In(range(depth)),
                "read_data": Out(width),
                "write_address": In(range(depth)),
                "write_data": In(width),
                "write": In(1),
            }
        )

    def elaborate(self, platform: Platform | None) -> Module:
        """Generate the gateware."""
        m = Module()
        family = family_of(platform)
        if family is ECP5 and blocks(self.width, self.depth):
            self._rows(m, self._dp16kd_row)
            return m
        if family is ECP5 or (family is XC7 and self.width * self.depth <= XC7_TABLE_BITS):
            self._tables(m)
            return m
        if family is XC7:
            self._rows(m, partial(self._plain_row, platform))
            return m
        if family is ICE40 and self.one_address and SPRAM_LEAST <= self.depth <= SPRAM_DEPTH:
            self._single_port(m)
            return m
        m.d.comb += self.read_data.eq(self._plain(platform, m, self.depth, self.write))
        return m

    def _tables(self, m: Module) -> None:
        """Lookup tables between registers: of the address, and of the word."""
        store: memory.Memory = memory.Memory(
            shape=self.width, depth=self.depth, init=[], attrs={"ram_style": "distributed"}
        )
        m.submodules.store = store
        read, write = store.read_port(domain="comb"), store.write_port()
        address = Signal.like(self.read_address, reset_less=True)
        word = Signal(self.width, reset_less=True)
        m.d.sync += [address.eq(self.read_address), word.eq(read.data)]
        m.d.comb += [
            read.addr.eq(address),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write),
            self.read_data.eq(word),
        ]

    def _single_port(self, m: Module) -> None:
        """Single-port RAM side by side, its answers registered."""
        for start in range(0, self.width, SPRAM_WIDTH):
            part = slice(start, min(start + SPRAM_WIDTH, self.width))
            out = Signal(SPRAM_WIDTH, name=f"out_{start}")
            held = Signal(SPRAM_WIDTH, name=f"held_{start}", reset_less=True)
            m.submodules[f"block_{start}"] = Instance(
                "SB_SPRAM256KA",
                i_ADDRESS=Cat(self.read_address, C(0, 14))[:14],
                i_DATAIN=Cat(self.write_data[part], C(0, SPRAM_WIDTH))[:SPRAM_WIDTH],
                i_MASKWREN=C(0b1111, 4),
                i_WREN=self.write,
                i_CHIPSELECT=C(1, 1),
                i_CLOCK=ClockSignal(),
                i_STANDBY=C(0, 1),
                i_SLEEP=C(0, 1),
                i_POWEROFF=C(1, 1),
                o_DATAOUT=out,
            )
            m.d.sync += held.eq(out)
            m.d.comb += self.read_data[part].eq(held)

    def _rows(self, m: Module, row_of: Callable[[Module, int, int, Value], list[Value]]) -> None:
        """Rows of blocks side by side; several rows where one is not deep enough."""
        wide, deep = min(BLOCK_SHAPES, key=lambda shape: self._cost(*shape))
        rows = -(-self.depth // deep)
        inside = (deep - 1).bit_length()
        words = []
        for row in range(rows):
            here = self.write & (self.write_address[inside:] == row) if rows > 1 else self.write
            m.submodules[f"row_{row}"] = inner = Module()
            words.append(Cat(*row_of(inner, wide, min(deep, self.depth), here)))
        row_read = [Signal(range(rows), name=f"row_{k}", reset_less=True) for k in range(2)]
        if rows > 1:
            m.d.sync += [row_read[0].eq(self.read_address[inside:]), row_read[1].eq(row_read[0])]
        m.d.comb += self.read_data.eq(Array(words)[row_read[1]] if rows > 1 else words[0])

    def _dp16kd_row(self, m: Module, wide: int, deep: int, write: Value) -> list[Value]:
        """Blocks of ECP5."""
        inside = (deep - 1).bit_length()
        parts: list[Value] = []
        for start in range(0, self.width, wide):
            part = Signal(min(wide, self.width - start), name=f"part_{start}")
            m.submodules[f"block_{start}"] = _dp16kd(
                wide,
                read=self.read_address[:inside],
                write=self.write_address[:inside],
                data=self.write_data[start : start + wide],
                enable=write,
                out=part,
            )
            parts.append(part)
        return parts

    def _plain_row(
        self, platform: Platform | None, m: Module, wide: int, deep: int, write: Value
    ) -> list[Value]:
        """A memory that is as deep as a block."""
        return [self._plain(platform, m, deep, write)]

    def _plain(self, platform: Platform | None, m: Module, deep: int, enable: Value) -> Signal:
        """A memory whose answer is registered."""
        inside = (deep - 1).bit_length()
        if isinstance(platform, Text) and inside:
            return self._module(m, deep, inside, enable)
        store: memory.Memory = memory.Memory(shape=self.width, depth=deep, init=[])
        m.submodules.store = store
        read, write = store.read_port(), store.write_port()
        word = Signal(self.width, name="word", reset_less=True)
        m.d.comb += [
            read.addr.eq(self.read_address[:inside]),
            read.en.eq(1),
            write.addr.eq(self.write_address[:inside]),
            write.data.eq(self.write_data),
            write.en.eq(enable),
        ]
        m.d.sync += word.eq(read.data)
        return word

    def _module(self, m: Module, deep: int, inside: int, enable: Value) -> Signal:
        """The same as :data:`STORE`."""
        word = Signal(self.width, name="word")
        m.submodules.store = Instance(
            "spikewright_store",
            p_WIDTH=self.width,
            p_DEPTH=deep,
            p_ADDRESS_BITS=inside,
            i_clk=ClockSignal(),
            i_write=enable,
            i_write_address=self.write_address[:inside],
            i_write_data=self.write_data,
            i_read_address=self.read_address[:inside],
            o_read_data=word,
        )
        return word

    def _cost(self, wide: int, deep: int) -> tuple[int, int]:
        """Blocks, and of equal numbers the fewest rows."""
        rows = -(-self.depth // deep)
        return -(-self.width // wide) * rows, rows


def _dp16kd(
    width: int, *, read: Value, write: Value, data: Value, enable: Value, out: Signal
) -> Instance:
    """ECP5's block RAM: port A writes, port B reads through its output register.

    At 36 bits a word takes the data pins of both ports. An address leaves its lowest pins, those
    below a word, unused; at 18 and 36 bits they enable the write of each byte, and at 36 bits,
    where Lattice names no write enable, only they do.
    """
    unused = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}[width]
    always, never = C(1, 1), C(0, 1)
    each_byte: dict[int, list[Value]] = {
        36: [enable, enable, enable, enable, never],
        18: [always, always, never, never],
    }
    below = each_byte.get(width, [never] * unused)
    ports: dict[str, Value | Const] = {}
    padded = Cat(data, C(0, 36))[:36]
    for k in range(14):
        ports[f"i_ADA{k}"] = below[k] if k < unused else _bit(write, k - unused)
        ports[f"i_ADB{k}"] = C(0, 1) if k < unused else _bit(read, k - unused)
    spare = Signal(36)
    for k in range(18):
        ports[f"i_DIA{k}"], ports[f"i_DIB{k}"] = padded[k], padded[18 + k]
        upper = 18 + k
        ports[f"o_DOB{k}"] = out[k] if k < len(out) else spare[k]
        ports[f"o_DOA{k}"] = out[upper] if width == 36 and upper < len(out) else spare[upper]
    for side in "AB":
        ports |= {f"i_CS{side}{k}": C(0, 1) for k in range(3)}
    return Instance(
        "DP16KD",
        p_DATA_WIDTH_A=width,
        p_DATA_WIDTH_B=width,
        p_REGMODE_A="OUTREG",
        p_REGMODE_B="OUTREG",
        p_CSDECODE_A="0b000",
        p_CSDECODE_B="0b000",
        p_WRITEMODE_A="NORMAL",
        p_WRITEMODE_B="NORMAL",
        p_CLKAMUX="CLKA",
        p_CLKBMUX="CLKB",
        p_GSR="DISABLED",
        i_CLKA=ClockSignal(),
        i_CLKB=ClockSignal(),
        i_CEA=C(1, 1),
        i_CEB=C(1, 1),
        i_OCEA=C(1, 1),
        i_OCEB=C(1, 1),
        i_RSTA=C(0, 1),
        i_RSTB=C(0, 1),
        i_WEA=C(1, 1) if width == 36 else enable,
        i_WEB=C(0, 1),
        **ports,
    )


def _bit(address: Value, k: int) -> Value:
    return address[k] if k < len(address) else C(0, 1)
