# SPDX-License-Identifier: Apache-2.0
"""Lanes for a target: a rate, a latency, or as little or as much of the part as can be."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import amaranth.back.rtlil as rtlil

from spikewright.boards import ulx3s
from spikewright.boards.board import ULX3S, Board
from spikewright.hw.accelerator import Accelerator
from spikewright.hw.cells.family import FAMILIES
from spikewright.hw.datapath import build
from spikewright.hw.estimate import Estimate, estimate
from spikewright.hw.folding import fold
from spikewright.hw.glue.streams import beats_of
from spikewright.hw.pace import Pace, pace
from spikewright.hw.product.product_core import product_blocks
from spikewright.hw.verilog import to_rtlil
from spikewright.sim.errors import BoardError
from spikewright.sim.matvec import MatVec
from spikewright.sim.primitive import Primitive
from spikewright.sim.program import Program

FORMS = "smallest, largest, fps=NUMBER or latency=NUMBER followed by us, ms or s"
_NUMBER = r"([0-9]+(?:\.[0-9]+)?(?:e[0-9]{1,2})?)"
_FPS = re.compile(f"fps={_NUMBER}")
_LATENCY = re.compile(f"latency={_NUMBER}(us|ms|s)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Choice:
    """Lanes that were chosen.

    Attributes
    ----------
    lanes : dict of str to int
        As :func:`spikewright.hw.folding.fold` gives them.
    pace : Pace
        Cycles of a frame; estimated where they hang on spikes.
    needed : Estimate
        Block RAMs and multipliers.
    limit : str
        What keeps it from being faster.
    """

    lanes: dict[str, int]
    pace: Pace
    needed: Estimate
    limit: str


def needs(program: Program, board: Board, lanes: dict[str, int]) -> Estimate:
    """What a program takes of a board's block RAM and multipliers, the board's own top included."""
    family = FAMILIES[board.family]
    found = estimate(to_rtlil(Accelerator(program, lanes), family), family)
    own = ulx3s.BLOCK_RAMS if board.name == ULX3S.name else 0
    return Estimate(bram=found.bram + own, dsp=found.dsp)


def choose(program: Program, board: Board, target: str, clock_mhz: float) -> Choice:
    """Choose lanes.

    ``fps`` and ``latency`` take the fewest lanes that meet them; ``largest`` gives the slowest
    product more lanes as long as that makes frames faster and the part holds them.

    Parameters
    ----------
    program : Program
    board : Board
    target : str
        ``smallest``, ``largest``, ``fps=30000`` or ``latency=50us``.
    clock_mhz : float

    Raises
    ------
    BoardError
        If the target has no such form, or cannot be met.
    """
    search = _Search(program, board)
    if target == "smallest":
        return search.choice()
    if target == "largest":
        search.grow(lambda found: False)
        return search.choice()
    rate, latency = _FPS.fullmatch(target), _LATENCY.fullmatch(target)
    if rate is not None and float(rate[1]) > 0:
        most = int(clock_mhz * 1e6 / float(rate[1]))
        search.grow(lambda found: found.interval <= most)
        return search.met(target, most, search.pace.interval)
    if latency is not None:
        most = int(clock_mhz * 1e6 * float(latency[1]) * _SECONDS[latency[2]])
        search.grow(lambda found: found.latency <= most)
        return search.met(target, most, search.pace.latency)
    raise BoardError(f"Target must be {FORMS}, not {target!r}")


class _Search:
    """Raises the lanes of one product after the other, from one lane each."""

    def __init__(self, program: Program, board: Board):
        self.program = program
        self.board = board
        self.products = {
            node.name: node.primitive
            for node in program.nodes
            if isinstance(node.primitive, MatVec)
        }
        self.units = dict.fromkeys(self.products, 1)
        self.each = {
            node.name: component_blocks(node.primitive, board)
            for node in program.nodes
            if node.name not in self.products
        }
        least = self.lanes
        self.rest = self._sum(needs(program, board, least), least, -1)
        self.limit = ""

    @property
    def lanes(self) -> dict[str, int]:
        """Lanes of every node."""
        return fold(self.program, self.units)

    @property
    def pace(self) -> Pace:
        """Pace on them."""
        return pace(self.program, self.lanes)

    def choice(self) -> Choice:
        """What was reached."""
        found, lanes = self.pace, self.lanes
        limit = self.limit or _slowest(found)
        return Choice(lanes, found, needs(self.program, self.board, lanes), limit)

    def met(self, target: str, most: int, reached: int) -> Choice:
        """What was reached, if that is enough."""
        if reached > most:
            raise BoardError(
                f"Target {target} allows {most} cycles, and {reached} are the fewest on the "
                f"{self.board.title}: {self.limit}; choose a lower target or a faster clock"
            )
        return self.choice()

    def grow(self, enough: Callable[[Pace], bool]) -> None:
        """Give the slowest product more lanes until that is enough, or nothing more can be done."""
        while not enough(now := self.pace):
            slow = max(self.products, key=lambda name: now.busy[name], default="")
            others = {name: now.busy[name] for name in now.busy if name not in self.products}
            other = max(others, key=lambda name: others[name])
            if slow == "" or now.busy[slow] <= others[other]:
                self.limit = f"{other} takes {others[other]} cycles a frame"
                return
            more = self._more(slow)
            if more is None:
                self.limit = f"{slow} has a lane for each of its rows"
                return
            before, self.units[slow] = self.units[slow], more
            lack = self._lack()
            if lack:
                self.units[slow] = before
                self.limit = f"{slow} with {more} lanes would need more {lack} than the part has"
                return

    def _more(self, name: str) -> int | None:
        """The next number of lanes that needs fewer passes."""
        rows = self.products[name].rows
        passes = beats_of(rows, self.units[name])
        return None if passes == 1 else beats_of(rows, passes - 1)

    def _lack(self) -> str:
        """What the part has too little of."""
        needed, has = self._sum(self.rest, self.lanes, 1), self.board.resources
        if needed.dsp > has.dsp:
            return "multipliers"
        return "block RAM" if needed.bram > has.bram else ""

    def _sum(self, base: Estimate, lanes: dict[str, int], sign: int) -> Estimate:
        """Add what products take, and the multipliers of what follows them lane by lane."""
        family = FAMILIES[self.board.family]
        parts = [
            product_blocks(primitive, lanes[name], lanes[f"{name}.y"], family)
            for name, primitive in self.products.items()
        ]
        return Estimate(
            bram=base.bram + sign * sum(part.bram for part in parts),
            dsp=base.dsp
            + sign * sum(part.dsp for part in parts)
            + sign * sum(each * lanes[name] for name, each in self.each.items()),
        )


def component_blocks(primitive: Primitive, board: Board) -> int:
    """Multipliers in one lane of a primitive's component."""
    family = FAMILIES[board.family]
    component = build(primitive, 1, steps=1)
    return estimate(str(rtlil.convert(component, platform=family, emit_src=False)), family).dsp


def _slowest(found: Pace) -> str:
    return f"{found.limit} takes {found.busy[found.limit]} cycles a frame"
