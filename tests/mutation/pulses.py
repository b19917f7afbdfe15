# SPDX-License-Identifier: Apache-2.0
"""What the host does to tensors before and after vectors come."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def loads(codes: Any, rng: np.random.Generator) -> list[tuple[str, int]]:
    """Load a tensor twice, the first time with anything; read and pass over some on the way."""
    words = [int(code) & 0xFFFFFFFF for code in codes.ravel()]
    mask = (1 << 32) - 1
    other = [word ^ int(rng.integers(1, 4)) & mask for word in words]
    some = int(rng.integers(1, len(words) + 1))
    pulses = [("rewind", 0), *(("write", word) for word in other[:some])]
    pulses += [("rewind", 0), *(("write", word) for word in other), ("rewind", 0)]
    for word, before in zip(words, other, strict=True):
        # What was written comes back cut to its width: compare what differs in the lowest bits.
        pulses += [("fetch", 0), ("low", before)] if rng.integers(3) == 0 else []
        pulses.append(("write", word))
    pulses.append(("rewind", 0))
    for word in words:
        pulses += [("write", word)] if rng.integers(4) == 0 else [("advance", 0)]
    return pulses


def reads(codes: Any, rng: np.random.Generator) -> list[tuple[str, int]]:
    """Read every element back, and some twice."""
    pulses = [("advance", 0), ("rewind", 0)]
    for code in codes.ravel():
        for _ in range(1 + int(rng.integers(3) == 0)):
            pulses += [("fetch", 0), ("check", int(code) & 0xFFFFFFFF)]
        pulses.append(("advance", 0))
    return pulses


def hosts(all_pulses: Mapping[str, Sequence[tuple[str, int]]]) -> list[str]:
    """Pulses of every host as text for the replay."""
    lines = [str(len(all_pulses))]
    for name, pulses in all_pulses.items():
        lines.append(f"{name} {len(pulses)}")
        lines.append(" ".join(f"{kind} {word}" for kind, word in pulses))
    return lines
