# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: one BLAS thread, repeatable examples, and skips that say why."""

import importlib.util
import os

import pytest
from hypothesis import HealthCheck, settings

# Read once, when NumPy is first imported: on two cores, two workers with two threads each stall.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

settings.register_profile(
    "spikewright",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("spikewright")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs pynq where pynq is not installed."""
    if importlib.util.find_spec("pynq") is not None:
        return
    absent = pytest.mark.skip(reason="pynq is not installed here: run `make test-pynq`")
    for item in items:
        if "pynq" in item.keywords:
            item.add_marker(absent)
