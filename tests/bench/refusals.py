# SPDX-License-Identifier: Apache-2.0
"""Constructors of components that must fail."""

from collections.abc import Callable

import pytest

from spikewright.sim.errors import SpikewrightError


def refusal(make: Callable[..., object], *args: object, **fields: object) -> str:
    """What the error says; the half-made component is not reported as unused later."""
    with pytest.raises(SpikewrightError) as caught:
        make(*args, **fields)
    for entry in caught.traceback:
        made = entry.frame.f_locals.get("self")
        if made is not None:
            made._MustUse__used = True
    return str(caught.value)
