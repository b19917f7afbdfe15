# SPDX-License-Identifier: Apache-2.0
"""A flat netlist as RTLIL text: its cells, and single faults that one input switches on.

All mutants are in one design. Input ``mutant`` chooses one by its number; 0 is the design as it is.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

CONTROL = "mutant"
CONTROL_BITS = 16

_SWAPS = {
    "$add": ("$sub",),
    "$sub": ("$add",),
    "$mul": ("$add",),
    "$eq": ("$ne",),
    "$ne": ("$eq",),
    "$lt": ("$le", "$ge"),
    "$le": ("$lt", "$gt"),
    "$gt": ("$ge", "$le"),
    "$ge": ("$gt", "$lt"),
    "$and": ("$or", "$xor"),
    "$or": ("$and", "$xor"),
    "$xor": ("$or", "$and"),
    "$xnor": ("$xor",),
    "$logic_and": ("$logic_or",),
    "$logic_or": ("$logic_and",),
    "$reduce_and": ("$reduce_or",),
    "$reduce_or": ("$reduce_and",),
    "$reduce_bool": ("$reduce_and",),
    "$reduce_xor": ("$reduce_or",),
    "$not": ("$pos",),
    "$neg": ("$pos",),
    "$shl": ("$shr",),
    "$shr": ("$shl",),
    "$sshr": ("$shl",),
}
"""Operators that are taken for each other."""
_ENABLES = {
    "$dffe": ("EN",),
    "$sdffe": ("EN",),
    "$sdffce": ("EN",),
    "$mem_v2": ("WR_EN", "RD_EN"),
}
_CONSTANT = re.compile(r"(\d+)'([01]+)")


@dataclass(frozen=True)
class Cell:
    """A cell: its type and name, parameters and connections as they stand in the text."""

    kind: str
    name: str
    parameters: dict[str, str]
    ports: dict[str, str]

    def text(self) -> str:
        lines = [f"  cell {self.kind} {self.name}"]
        lines += [f"    parameter \\{key} {value}" for key, value in self.parameters.items()]
        lines += [f"    connect \\{key} {value}" for key, value in self.ports.items()]
        return "\n".join([*lines, "  end"])

    @property
    def output(self) -> str:
        """Wire that it drives."""
        wires = [self.ports[name] for name in ("Y", "Q", "RD_DATA") if name in self.ports]
        return (wires[0] if wires else self.name).replace("\\", "")

    @property
    def place(self) -> str:
        """Path of its module and its name, as good as flattening leaves it."""
        if self.name.startswith("$flatten"):
            return self.name.removeprefix("$flatten").replace("\\", "")
        return self.output.strip("{ ").replace("$flatten", "")

    def width(self, port: str) -> int:
        """Bits of a port, as the parameter of its name says."""
        if port in ("EN", "S"):
            return 1
        if port in ("RD_EN", "WR_EN"):
            return self._number(f"{port[:2]}_PORTS") * (port == "RD_EN" or self._number("WIDTH"))
        return self._number(f"{port}_WIDTH" if f"{port}_WIDTH" in self.parameters else "WIDTH")

    def _number(self, parameter: str) -> int:
        value = self.parameters[parameter]
        return int(value.split("'")[-1], 2 if "'" in value else 10)


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one cell.

    Parameters
    ----------
    cell : Cell
    what : str
        Said of the cell.
    wrong : Cell or None
        The cell as it is then, if its output is to be changed.
    port, value : str
        Otherwise which input gets which value.
    """

    cell: Cell
    what: str
    wrong: Cell | None = None
    port: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.cell.kind[1:]} to {self.cell.output}: {self.what}"


@dataclass
class Netlist:
    """A flat module.

    Parameters
    ----------
    head, tail : str
        Text around the cells.
    cells : list of Cell
    """

    head: str
    cells: list[Cell]
    tail: str
    faults: list[Fault] = field(default_factory=list)

    @classmethod
    def parse(cls, text: str) -> "Netlist":
        """Read a module whose processes are cells already."""
        begin = text.index("\n  cell ") + 1
        cells, rest = [], []
        pattern = re.compile(r"^  cell (\S+) (\S+)\n(.*?)^  end\n", re.MULTILINE | re.DOTALL)
        last = begin
        for match in pattern.finditer(text, begin):
            rest.append(text[last : match.start()])
            last = match.end()
            parameters = dict(
                re.findall(r"^    parameter (?:signed )?\\(\S+) (.*)$", match[3], re.M)
            )
            ports = dict(re.findall(r"^    connect \\(\S+) (.*)$", match[3], re.M))
            cells.append(Cell(match[1], match[2], parameters, ports))
        attributes = re.compile(r"^  attribute .*\n", re.MULTILINE)
        return cls(text[:begin], cells, attributes.sub("", "".join(rest)) + text[last:])

    def plant(self, count: int, seed: int, outside: tuple[str, ...] = ()) -> list[Fault]:
        """Choose faults at random, no more than there are.

        Parameters
        ----------
        outside : tuple of str
            Paths of submodules that are left as they are.
        """
        cells = [cell for cell in self.cells if not cell.place.startswith(outside)]
        every = [fault for cell in cells for fault in faults_of(cell)]
        self.faults = random.Random(seed).sample(every, min(count, len(every)))
        return self.faults

    def text(self) -> str:
        """The design with every fault that was planted."""
        cells = {cell.name: cell for cell in self.cells}
        wires = [f"  wire width {CONTROL_BITS} input 9999 \\{CONTROL}"]
        added: list[str] = []
        for number, fault in enumerate(self.faults, 1):
            chosen, name = f"\\mutant_{number}", fault.cell.name
            wires.append(f"  wire {chosen}")
            added.append(_equals(number, chosen))
            if fault.wrong is None:
                bits = fault.cell.width(fault.port)
                wires.append(f"  wire width {bits} \\in_{number}")
                before = cells[name].ports[fault.port]
                added.append(_mux(number, bits, before, fault.value, chosen, f"\\in_{number}"))
                ports = {**cells[name].ports, fault.port: f"\\in_{number}"}
                cells[name] = replace(cells[name], ports=ports)
                continue
            bits = fault.cell.width("Y")
            wires += [
                f"  wire width {bits} \\right_{number}",
                f"  wire width {bits} \\wrong_{number}",
            ]
            wrong = replace(
                fault.wrong,
                name=f"\\cell_{number}",
                ports={**fault.wrong.ports, "Y": f"\\wrong_{number}"},
            )
            output = cells[name].ports["Y"]
            cells[name] = replace(
                cells[name], ports={**cells[name].ports, "Y": f"\\right_{number}"}
            )
            right = f"\\right_{number}"
            added += [wrong.text(), _mux(number, bits, right, f"\\wrong_{number}", chosen, output)]
        body = [cell.text() for cell in cells.values()]
        return "\n".join([self.head.rstrip("\n"), *wires, *body, *added, self.tail.lstrip("\n")])

    def with_state(self) -> tuple[str, list[tuple[str, int]]]:
        """The module with outputs ``state_0``, ``state_1``, ... for its registers; their widths."""
        found = [(cell.ports["Q"], cell.width("Q")) for cell in self.cells if "Q" in cell.ports]
        head = self.head.rstrip("\n")
        lines = []
        for k, (name, width) in enumerate(found):
            head += f"\n  wire width {width} output {20000 + k} \\state_{k}"
            lines.append(f"  connect \\state_{k} {name}")
        body = [cell.text() for cell in self.cells]
        text = "\n".join([head, *body, *lines, self.tail.lstrip("\n")])
        return text, [(name.replace("\\", ""), width) for name, width in found]


def faults_of(cell: Cell) -> Iterator[Fault]:
    """Every fault that a cell can have."""
    for kind in _SWAPS.get(cell.kind, ()):
        yield Fault(cell, f"{kind[1:]} instead", replace(cell, kind=kind))
    if cell.kind == "$mux":
        swapped = {**cell.ports, "A": cell.ports["B"], "B": cell.ports["A"]}
        yield Fault(cell, "inputs swapped", replace(cell, ports=swapped))
        for value in "01":
            stuck = {**cell.ports, "S": f"1'{value}"}
            yield Fault(cell, f"always takes {'AB'[int(value)]}", replace(cell, ports=stuck))
    if cell.parameters.get("A_SIGNED", "0").endswith("1") and cell.width("A") < cell.width("Y"):
        signs = {k: "0" for k in cell.parameters if k.endswith("_SIGNED")}
        yield Fault(cell, "unsigned", replace(cell, parameters={**cell.parameters, **signs}))
    if "Y" in cell.ports and cell.kind in _SWAPS:
        for port in ("A", "B"):
            yield from _other_constants(cell, port)
    for port in _ENABLES.get(cell.kind, ()):
        if port == "RD_EN" and "0" in cell.parameters["RD_CLK_ENABLE"].partition("'")[2]:
            continue
        bits = cell.width(port)
        for value in "01":
            stuck = f"{bits}'{value * bits}"
            if stuck != cell.ports[port]:
                yield Fault(cell, f"{port} always {value}", port=port, value=stuck)


def _other_constants(cell: Cell, port: str) -> Iterator[Fault]:
    """One bit of a constant operand turned, for the lowest and the highest bit that is set."""
    match = _CONSTANT.fullmatch(cell.ports.get(port, ""))
    if match is None:
        return
    bits = match[2]
    for place in sorted({len(bits) - 1, max(bits.find("1"), 0)}):
        turned = bits[:place] + "10"[int(bits[place])] + bits[place + 1 :]
        ports = {**cell.ports, port: f"{match[1]}'{turned}"}
        what = f"{port} is {int(turned, 2)} and not {int(bits, 2)}"
        yield Fault(cell, what, replace(cell, ports=ports))


def _equals(number: int, chosen: str) -> str:
    widths = {"A_WIDTH": CONTROL_BITS, "B_WIDTH": CONTROL_BITS, "Y_WIDTH": 1}
    parameters = {"A_SIGNED": "0", "B_SIGNED": "0", **{k: str(v) for k, v in widths.items()}}
    constant = f"{CONTROL_BITS}'{number:0{CONTROL_BITS}b}"
    ports = {"A": f"\\{CONTROL}", "B": constant, "Y": chosen}
    return Cell("$eq", f"\\chosen_{number}", parameters, ports).text()


def _mux(number: int, bits: int, right: str, wrong: str, chosen: str, output: str) -> str:
    ports = {"A": right, "B": wrong, "S": chosen, "Y": output}
    return Cell("$mux", f"\\mux_{number}", {"WIDTH": str(bits)}, ports).text()
