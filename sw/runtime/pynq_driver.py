# SPDX-License-Identifier: Apache-2.0
"""The driver of an accelerator on a PYNQ board, real or simulated. Importing this imports pynq.

It keeps to what pynq 3.1 (the last with an image for the PYNQ-Z2) and 4.0 have in common and to
Python 3.10, which that image has. It polls and needs no interrupts. It hands pynq only plain ints
between 0 and 2^32 - 1: pynq refuses NumPy's, and its remote boards return others as negative.
"""

import operator
import warnings
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pynq import Device, Overlay

from spikewright.runtime.dma_streams import DmaStreams, Times
from spikewright.sim.board import system
from spikewright.sim.board.bit import is_simulated
from spikewright.sim.errors import DataError, DeviceError, FileError

if TYPE_CHECKING:
    # mypy allows no base class of unknown type, and pynq has no types: these are what is used.
    class DefaultIP:
        """A block of a design."""

        def read(self, offset: int = 0) -> int: ...

        def write(self, offset: int, value: int) -> None: ...
else:
    from pynq import DefaultIP

_WORD_MASK = 0xFFFFFFFF
_BOARD_TIMEOUT = 10.0
_SIMULATION_TIMEOUT = 600.0


class SpikewrightCore(DefaultIP):
    """Driver that ``Overlay(...).spikewright_0`` is once this module is imported.

    Registers by name are in pynq's ``register_map``.
    """

    bindto: ClassVar[list[str]] = [system.CORE_VLNV]

    def read(self, offset: int = 0) -> int:
        """Read the register at a byte offset, 0 to 2^32 - 1."""
        return int(super().read(offset)) & _WORD_MASK

    def write(self, offset: int, value: int) -> None:
        """Write the register at a byte offset.

        Raises
        ------
        DataError
            If the value does not fit in 32 bits, as signed or unsigned.
        """
        super().write(offset, _as_word(value))


class PynqConnection:
    """Registers and streams of an accelerator on a PYNQ board, as an engine offers them.

    Use as a context manager, or call :meth:`close`.

    Parameters
    ----------
    overlay : pynq.Overlay
        A loaded design with the core and its DMA.
    name : str
        What to call the board in reports.
    timeout : float
        Seconds one DMA transfer may take.

    Attributes
    ----------
    name : str
    streams : DmaStreams
        What :meth:`transfer` goes through; its `timeout` may be changed and its `max_words` is the
        most one DMA transfer takes.

    Raises
    ------
    FileError
        If the design has no such core or DMA.
    """

    def __init__(self, overlay: Any, *, name: str, timeout: float) -> None:
        for block in (system.CORE_NAME, system.DMA_NAME):
            if block not in overlay.ip_dict:
                raise FileError(
                    f"The design has no {block}: load one that was built for this driver"
                )
        self.name = name
        self._overlay = overlay
        self._core = getattr(overlay, system.CORE_NAME)
        dma = getattr(overlay, system.DMA_NAME)
        self.streams = DmaStreams(dma, overlay.device, timeout=timeout)

    @classmethod
    def open(cls, bitfile: str | Path, simulated: bool) -> "PynqConnection":
        """Load a .bit, with its .hwh beside it, onto the board.

        Parameters
        ----------
        bitfile : str or Path
        simulated : bool
            Whether onto a simulated board of its own, or onto the one pynq finds.

        Raises
        ------
        FileError
            If the .bit is missing, damaged or of the other kind, or the .hwh does not belong to it.
        DeviceError
            If there is no board.
        ToolError
            If a simulated board cannot compile the design.
        """
        path = Path(bitfile).resolve()
        if not path.is_file():
            raise FileError(f"{path.name} was not found: build the design first")
        if is_simulated(path.read_bytes()) != simulated:
            kind, other = ("simulated", "real") if simulated else ("real", "simulated")
            raise FileError(
                f"{path.name} is for a {other} board and cannot run on a {kind} one: "
                f"build the design for a {kind} board"
            )
        if simulated:
            # Imported late: a real board has no use for it, nor what it needs.
            from spikewright.sim.board.device import SimDevice

            overlay = Overlay(str(path), device=SimDevice())
            return cls(overlay, name="simulated PYNQ-Z2", timeout=_SIMULATION_TIMEOUT)
        _require_board()
        return cls(Overlay(str(path)), name=system.BOARD_NAME, timeout=_BOARD_TIMEOUT)

    def __enter__(self) -> "PynqConnection":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the DMA's buffers and, if simulated, the board."""
        self.streams.close()
        self._overlay.free()
        fabric = getattr(self._overlay.device, "fabric", None)
        if fabric is not None:
            fabric.close()

    def read(self, address: int) -> int:
        """Read the register at a byte address.

        A real board ends the process with a bus error where the core refuses an access.

        Raises
        ------
        DeviceError
            If the core of a simulated board refuses.
        """
        return int(self._core.read(address))

    def write(self, address: int, value: int) -> None:
        """Write the register at a byte address; see :meth:`read`.

        Raises
        ------
        DataError
            If the value does not fit in 32 bits.
        DeviceError
            If the core of a simulated board refuses.
        """
        self._core.write(address, value)

    def read_many(self, address: int, count: int) -> NDArray[np.uint32]:
        """Read one address `count` times; see :meth:`read`."""
        return np.array([self.read(address) for _ in range(count)], np.uint32)

    def write_many(self, address: int, words: ArrayLike) -> None:
        """Write each word in turn to one address; see :meth:`write`."""
        for word in np.asarray(words).tolist():
            self._core.write(address, word)

    def transfer(
        self, words: NDArray[np.uint32], capacity: int, *, frame_words: int = 1
    ) -> NDArray[np.uint32]:
        """Send one packet and receive one; see :meth:`DmaStreams.transfer`."""
        return self.streams.transfer(words, capacity, frame_words=frame_words)

    @property
    def times(self) -> Times:
        """Where the time of all transfers went."""
        return self.streams.times


def _as_word(value: int) -> int:
    """A plain int of 32 unsigned bits."""
    word = operator.index(value)  # which takes NumPy's integers and no fractions
    if not -(1 << 31) <= word <= _WORD_MASK:
        raise DataError(f"Register value must fit in 32 bits, not {word}")
    return word & _WORD_MASK


def _require_board() -> None:
    """Refuse to go on without a board."""
    with warnings.catch_warnings():
        # pynq's warning that there is none says less than the error below.
        warnings.simplefilter("ignore", UserWarning)
        found = bool(Device.devices)
    if not found:
        raise DeviceError(
            "No PYNQ board was found: run this on the board as root, or open the simulated board"
        )
