# SPDX-License-Identifier: Apache-2.0
"""The whole demo as a user starts it, twice: with every tool that this machine has."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikewright.cli import main
from spikewright.runtime.board import pynq_missing


def run(folder):
    result = CliRunner().invoke(main, ["demo", "-o", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


@pytest.mark.slow
def test_the_whole_demo(tmp_path):
    summary, said = run(tmp_path / "demo")
    assert said.startswith("RTL engine: Verilator")
    assert summary["identical"] is True
    for name, least in (("relu", 0.97), ("lif", 0.95)):
        part = summary[name]
        assert part["float_accuracy"] >= least
        assert part["accuracy"] >= least
        assert abs(part["accuracy"] - part["float_accuracy"]) <= 0.01
        assert part["frames"] == summary["split"]["test"] == part["verify"]["frames"]
        assert (part["mismatches"], part["first"], part["agreement"]) == (0, None, 1.0)
        assert part["fmax_mhz"] >= part["synthesize"]["clock_mhz"]
        assert Path(part["bitstream"]).stat().st_size == part["synthesize"]["bitstream_bytes"]
        assert part["counts"]["fmax_mhz"] is None
        assert part["counts"]["label"] == "counts only"
        missing = pynq_missing()
        if missing is None:
            assert part["devices"]["pynq-sim"]["mismatches"] == 0
        else:
            assert part["devices"]["pynq-sim"] == {"skipped": missing}
    again, said = run(tmp_path / "demo")
    assert said.count("(reused)") == 4
    for name in ("relu", "lif"):
        for key in ("accuracy", "cycles_per_frame", "fmax_mhz", "lut", "bitstream"):
            assert again[name][key] == summary[name][key]
