# SPDX-License-Identifier: Apache-2.0
"""The one cocotb test: it reads a plan, carries it out and writes down what it saw."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

from bench.axi import AxiExchange, AxiPlan
from bench.exchange import Exchange, Plan

EXCHANGES: dict[str, Callable[[dict[str, Any]], Exchange | AxiExchange]] = {
    "Exchange": lambda plan: Exchange(Plan(**plan)),
    "AxiExchange": lambda plan: AxiExchange(AxiPlan(**plan)),
}


class CocotbWires:
    """Ports as cocotb's handles; constants can be read, and driving them does nothing."""

    def __init__(self, dut: Any, constants: dict[str, int]):
        self.dut = dut
        self.constants = constants
        self.driven: dict[str, int] = {}
        self.handles: dict[str, Any] = {}

    def handle(self, name: str) -> Any:
        if name not in self.handles:
            self.handles[name] = getattr(self.dut, name)
        return self.handles[name]

    def get(self, name: str) -> int:
        if name in self.constants:
            return self.constants[name]
        return int(self.handle(name).value)

    def set(self, name: str, value: int) -> None:
        if self.driven.get(name) == value or name in self.constants:
            return
        self.driven[name] = value
        self.handle(name).value = value


@cocotb.test()
async def carry_out(dut: Any) -> None:
    folder = Path(os.environ["BENCH_FOLDER"])
    wanted = json.loads((folder / "plan.json").read_text())
    exchange = EXCHANGES[wanted["exchange"]](wanted["plan"])

    async def clock(level: int) -> None:
        dut.clk.value = level
        await Timer(1, "ns")

    failure = None
    try:
        await exchange.run(CocotbWires(dut, wanted["constants"]), clock)
    except AssertionError as error:
        failure = str(error)
    seen = {"failure": failure, **exchange.seen()}
    (folder / "seen.json").write_text(json.dumps(seen))


def write_plan(folder: Path, exchange: Exchange | AxiExchange, constants: dict[str, int]) -> None:
    wanted = {
        "exchange": type(exchange).__name__,
        "plan": dataclasses.asdict(exchange.plan),
        "constants": constants,
    }
    (folder / "plan.json").write_text(json.dumps(wanted))
