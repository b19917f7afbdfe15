# SPDX-License-Identifier: Apache-2.0
"""The one way to run a program, whatever it runs on."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.encoding import INPUT, decide, input_codes, output_values
from spikewright.sim.closing import Closing
from spikewright.sim.errors import DataError
from spikewright.sim.primitive import Codes, TensorSpec
from spikewright.sim.program import Program

CLASS = "class"
"""Output of a classifier: the class of each frame."""
LOGITS = "logits"
"""Output of a quantized network that its classes are decided by."""


@dataclass(frozen=True)
class Times:
    """Where the time of a run went, in seconds.

    Attributes
    ----------
    core : float or None
        The accelerator's own: cycles counted in hardware, at the stated clock. None where there is
        no hardware to count.
    transfer : float
        Moving frames to and from the device, measured on this host.
    end_to_end : float
        The whole run, measured on this host. On a simulated device it is the simulation's time.
    """

    core: float | None
    transfer: float
    end_to_end: float


@dataclass(frozen=True)
class Run:
    """What a device answered.

    Attributes
    ----------
    outputs : dict of str to ndarray of int64
        Codes: (frames, size), or (frames, steps, size) for a per-step output.
    frames : int
    cycles : int or None
        Clock cycles with a frame inside; None where no clock is simulated.
    times : Times
    """

    program: Program = field(repr=False)
    outputs: Mapping[str, Codes]
    frames: int
    cycles: int | None
    times: Times

    @property
    def classes(self) -> NDArray[np.int64]:
        """Class of each frame; of a program with one logit, whether that is above 0."""
        logits = self.outputs.get(LOGITS)
        if logits is not None and logits.shape[1:] == (1,):
            return decide(logits)
        return self.outputs[CLASS][:, 0]

    def values(self, name: str) -> NDArray[np.float64]:
        """Values of an output's codes."""
        return output_values(self.program, name, self.outputs[name])

    def accuracy(self, y: Any) -> float:
        """Share of frames (0 to 1) whose class is the label."""
        return float(np.mean(self.classes == np.asarray(y)))


class Device(Closing):
    """Something that runs a program. Use as a context manager, or call :meth:`close`.

    A stream program starts anew when the device is opened and at :meth:`reset`; each run goes on
    where the one before stopped, with what the program has learned. Frames keep nothing.

    Attributes
    ----------
    name : str
        What it is, such as "emulator (NumPy)".
    program : Program
    """

    name: str
    program: Program

    def run(self, x: Any) -> Run:
        """Run samples, encoded as the program says.

        Parameters
        ----------
        x : (frames, ...) array_like

        Raises
        ------
        DataError
            If the samples do not fit the program.
        """
        return self.run_codes({INPUT: input_codes(self.program, x)})

    @abstractmethod
    def run_codes(self, inputs: Mapping[str, Codes]) -> Run:
        """Run input codes, (frames, size) or (frames, steps, size) by input name.

        A stream program takes (1, steps, size): the next steps of its one stream.

        Raises
        ------
        DataError
            If the codes do not fit the program, or are of several streams.
        DeviceError
            If the device refuses or does not answer.
        """

    @abstractmethod
    def reset(self) -> None:
        """Start the program's state anew, and its weights if it learns; drop what is inside.

        Raises
        ------
        DeviceError
            If the weights cannot be written.
        """

    @abstractmethod
    def read_tensor(self, name: str) -> Codes:
        """Codes of a tensor as the device holds it now, with what it has learned.

        Parameters
        ----------
        name : str

        Returns
        -------
        ndarray of int64
            In the tensor's shape.

        Raises
        ------
        DataError
            If the program has no such tensor.
        DeviceError
            If the device is busy.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the device."""

    def _spec(self, tensor: str) -> TensorSpec:
        """Shape and format of one of the program's tensors."""
        specs = self.program.tensor_specs
        if tensor not in specs:
            known = ", ".join(specs) or "none at all"
            raise DataError(f"Tensor must be one of the program's ({known}), not {tensor!r}")
        return specs[tensor]

    def _check_streams(self, inputs: Mapping[str, Codes]) -> None:
        """Refuse several streams at once: a device has the state of one."""
        streams = max(map(len, inputs.values()), default=1)
        if self.program.steps is None and streams > 1:
            raise DataError(
                f"A device must be given one stream, not {streams} at once: "
                "run one after the other, with reset() between them"
            )
