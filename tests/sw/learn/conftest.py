# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest

from spikewright.learn import checking


@pytest.fixture
def check_gradients() -> Callable[..., None]:
    """Compare an operation's gradients with central differences, in float64."""
    return checking.check_gradients
