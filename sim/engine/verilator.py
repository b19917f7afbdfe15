# SPDX-License-Identifier: Apache-2.0
"""The fast engine: Verilog compiled by Verilator, millions of clock cycles a second."""

import ctypes
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.sim.engine.build import shared_library
from spikewright.sim.engine.checks import as_words, check_answer, stall_thresholds
from spikewright.sim.engine.compiler import Compiler, require_compiler
from spikewright.sim.engine.engine import Design, Engine
from spikewright.sim.errors import DeviceError, ToolError

_FUNCTIONS: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "sw_new": (c_void_p, ()),
    "sw_free": (None, ()),
    "sw_reset": (None, ()),
    "sw_cycles": (c_uint64, ()),
    "sw_run": (None, (c_uint64, c_int)),
    "sw_trace": (c_int, (c_char_p,)),
    "sw_write": (c_int, (c_uint32, c_void_p, c_size_t, c_uint64)),
    "sw_read": (c_int, (c_uint32, c_void_p, c_size_t, c_uint64)),
    "sw_tx": (None, (c_void_p, c_size_t)),
    "sw_tx_left": (c_size_t, ()),
    "sw_rx": (None, (c_void_p, c_size_t)),
    "sw_rx_busy": (c_int, ()),
    "sw_rx_count": (c_size_t, ()),
    "sw_rx_last": (c_int, ()),
    "sw_stall": (None, (c_uint64, c_uint64, c_uint64)),
    "sw_record": (None, (c_int,)),
    "sw_beats": (c_size_t, ()),
    "sw_take_beats": (None, (c_void_p,)),
}


class VerilatorEngine(Engine):
    """A design run by Verilator in this process.

    Opening compiles the design, some seconds for a small one, or takes it from the cache.

    Parameters
    ----------
    design : Design
    trace : bool
        Whether :meth:`trace` will be used; the design then runs slower.
    compiler : Compiler, optional
        C++ compiler, found on this machine by default.

    Raises
    ------
    ToolError
        If Verilator or a compiler is missing, or rejects the design.
    """

    def __init__(
        self, design: Design, *, trace: bool = False, compiler: Compiler | None = None
    ) -> None:
        compiler = compiler or require_compiler()
        self.name = f"Verilator with {compiler.name}"
        self.answer_limit = 10_000_000
        self._can_trace = trace
        self._library = ctypes.CDLL(str(shared_library(design, compiler, trace=trace)))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._library, name)
            function.restype = result
            function.argtypes = arguments if name == "sw_new" else (c_void_p, *arguments)
        self._handle: int | None = self._library.sw_new()

    def read_many(self, address: int, count: int) -> NDArray[np.uint32]:
        words = np.zeros(count, np.uint32)
        answer = self._call("sw_read", address, words.ctypes.data, count, self.answer_limit)
        check_answer("Read", address, answer, self.answer_limit)
        return words

    def write_many(self, address: int, words: ArrayLike) -> None:
        array = as_words(words)
        answer = self._call("sw_write", address, array.ctypes.data, array.size, self.answer_limit)
        check_answer("Write", address, answer, self.answer_limit)

    @property
    def cycles(self) -> int:
        return int(self._call("sw_cycles"))

    def tx_left(self) -> int:
        return int(self._call("sw_tx_left"))

    def rx_busy(self) -> bool:
        return bool(self._call("sw_rx_busy"))

    def rx_count(self) -> int:
        return int(self._call("sw_rx_count"))

    def rx_last(self) -> bool:
        return bool(self._call("sw_rx_last"))

    def stall(self, tx_probability: float, rx_probability: float, seed: int) -> None:
        tx, rx = stall_thresholds(tx_probability, rx_probability)
        self._call("sw_stall", tx, rx, seed)

    def record(self, on: bool) -> None:
        self._call("sw_record", on)

    def probes(self) -> NDArray[np.int64]:
        beats = np.zeros((self._call("sw_beats"), 3), np.int64)
        self._call("sw_take_beats", beats.ctypes.data)
        return beats

    def trace(self, path: Path | None) -> None:
        if path is not None and not self._can_trace:
            raise ToolError("This engine was opened without waveforms: open it with trace=True")
        if not self._call("sw_trace", None if path is None else bytes(path)):
            raise ToolError(f"Waveform cannot be written to {path}: choose another folder")

    def reset(self) -> None:
        self._call("sw_reset")

    def close(self) -> None:
        if self._handle is not None:
            self._call("sw_free")
            self._handle = None

    def _call(self, name: str, *arguments: object) -> int:
        if self._handle is None:
            raise DeviceError("This engine is closed: open another one")
        result: int = getattr(self._library, name)(self._handle, *arguments)
        return result

    def _advance(self, cycles: int, *, until_idle: bool) -> None:
        self._call("sw_run", cycles, until_idle)

    def _set_tx(self, pointer: int, count: int) -> None:
        self._call("sw_tx", pointer, count)

    def _set_rx(self, pointer: int, count: int) -> None:
        self._call("sw_rx", pointer, count)
