# SPDX-License-Identifier: Apache-2.0
"""What engines check alike: words, answers to register accesses and stall probabilities."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikewright.sim.errors import DataError, DeviceError


def as_words(values: ArrayLike) -> NDArray[np.uint32]:
    """Contiguous 32-bit words.

    Raises
    ------
    DataError
        If a value is no integer or does not fit in 32 bits.
    """
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros(0, np.uint32)
    if array.dtype.kind not in "iu":
        raise DataError(f"Words must be integers, not {array.dtype}")
    if array.min() < 0 or array.max() > 0xFFFFFFFF:
        worst = array.min() if array.min() < 0 else array.max()
        raise DataError(f"Words must be between 0 and 4294967295, not {worst}")
    return np.ascontiguousarray(array, np.uint32).reshape(-1)


def check_answer(action: str, address: int, answer: int, limit: int) -> None:
    """Raise what the answer to a register access stands for.

    Parameters
    ----------
    action : str
        "Read" or "Write".
    address : int
        Byte address.
    answer : int
        AXI response, or -1 for none.
    limit : int
        Cycles that were waited for it.

    Raises
    ------
    DeviceError
        If the response is not OKAY.
    """
    where = f"{action} of register 0x{address:03X}"
    if answer < 0:
        raise DeviceError(f"{where} had no answer within {limit} cycles: reset the device")
    if answer:
        kind = {2: "SLVERR", 3: "DECERR"}.get(answer, f"response {answer}")
        raise DeviceError(f"{where} was refused ({kind}): see the device's STATUS register")


def stall_thresholds(*probabilities: float) -> tuple[int, ...]:
    """Turn probabilities into what a random 32-bit number is compared with.

    Raises
    ------
    DataError
        If a probability is not in [0, 1).
    """
    for probability in probabilities:
        if not 0 <= probability < 1:
            raise DataError(f"Stall probability must be at least 0 and below 1, not {probability}")
    return tuple(int(probability * 2**32) for probability in probabilities)
