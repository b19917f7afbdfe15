# SPDX-License-Identifier: Apache-2.0
"""The Vivado script, executed by a Tcl interpreter in which Vivado's commands are stubs."""

import shutil
import subprocess
from pathlib import Path

import pytest

from spikewright.boards.vivado import collect, run_vivado, write_project
from spikewright.sim.board.hwh import make_hwh
from spikewright.sim.board.system import ADDRESSES, CORE_NAME, core_registers
from spikewright.sim.errors import BoardError, FileError, FormatError, ToolError

STUBS = Path(__file__).with_name("vivado_stubs.tcl")
TCL = shutil.which("tclsh")
VERILOG = "module spikewright; endmodule\n"

needs_tcl = pytest.mark.skipif(TCL is None, reason="tclsh is not installed: apt install tcl")


def dry_run(script: Path, slack: str = "0.5") -> subprocess.CompletedProcess[str]:
    command = [str(TCL), str(STUBS), str(script), slack]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_tcl
def test_script_runs_in_plain_tcl(tmp_path: Path) -> None:
    script = write_project(tmp_path / "a folder", "net", VERILOG, 3, 100.0)
    done = dry_run(script)
    assert done.stderr == ""
    assert done.returncode == 0
    assert script.with_name("spikewright.v").read_text() == VERILOG
    commands = done.stdout
    for name, base in ADDRESSES.items():
        assert f"assign_bd_address -offset 0x{base:08X} -range 0x10000 <{name}/" in commands
    assert "CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 100.000000" in commands
    assert "CONFIG.c_sg_length_width 26" in commands
    added = [line.split()[1] for line in commands.splitlines() if "ipx::add_register" in line]
    assert added == [register.name for register in core_registers(3)]
    fields = [line.split()[1] for line in commands.splitlines() if "ipx::add_field" in line]
    assert fields == [field.name for register in core_registers(3) for field in register.fields]


@needs_tcl
def test_script_connects_every_bus_once(tmp_path: Path) -> None:
    commands = dry_run(write_project(tmp_path, "net", VERILOG, 1, 50.0)).stdout.splitlines()
    buses = [line.split()[1:] for line in commands if line.startswith("connect_bd_intf_net")]
    ends = [end for bus in buses for end in bus]
    assert len(ends) == len(set(ends)) == 16
    assert f"<{CORE_NAME}/s_axis>" in ends


@needs_tcl
def test_script_fails_when_timing_is_not_met(tmp_path: Path) -> None:
    done = dry_run(write_project(tmp_path, "net", VERILOG, 1, 100.0), slack="-0.1")
    assert done.returncode == 1
    first = done.stderr.splitlines()[0]
    assert first == "Timing is not met: worst setup slack -0.1 ns, see timing.rpt"
    assert "file copy" not in done.stdout


@needs_tcl
def test_script_copies_the_results(tmp_path: Path) -> None:
    done = dry_run(write_project(tmp_path, "net", VERILOG, 1, 100.0))
    copies = [line for line in done.stdout.splitlines() if line.startswith("file copy")]
    assert [Path(line.split()[-1]).relative_to(tmp_path) for line in copies] == [
        Path("out/net.hwh"),
        Path("out/net.bit"),
    ]
    assert copies[0].split()[-2].endswith("out/project/net.gen/sources_1/bd/net/hw_handoff/net.hwh")


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(
        FileError,
        match=r"^Design name must begin with a letter and hold letters, digits and \"_\", "
        r"not 'a b'$",
    ):
        write_project(tmp_path, "a b", VERILOG, 1, 100.0)
    with pytest.raises(FormatError, match=r"^Number of layers must be between 0 and 64, not 65$"):
        write_project(tmp_path, "net", VERILOG, 65, 100.0)
    with pytest.raises(
        BoardError, match=r"^Fabric clock must be between 0\.25 and 250 MHz, not 300\.0$"
    ):
        write_project(tmp_path, "net", VERILOG, 1, 300.0)
    assert list(tmp_path.iterdir()) == []


def fake_results(project: Path, hwh: str) -> None:
    (project / "out").mkdir()
    (project / "out" / "net.bit").write_bytes(b"bits")
    (project / "out" / "net.hwh").write_text(hwh, encoding="utf-8-sig")


def as_vivado_writes(hwh: str) -> str:
    """Without what pynq 4.0 looks for."""
    return "".join(line for line in hwh.splitlines(keepends=True) if "PSU__" not in line)


def test_collect_mends_the_hwh(tmp_path: Path) -> None:
    made = make_hwh("net", layers=1, fclk_mhz=100.0)
    fake_results(tmp_path, as_vivado_writes(made))
    bit = collect(tmp_path, "net", tmp_path / "build")
    assert bit == tmp_path / "build" / "net.bit"
    assert bit.read_bytes() == b"bits"
    mended = bit.with_suffix(".hwh").read_text()
    assert mended.count("PSU__") == 4
    assert 'NAME="PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ" VALUE="100.000000"' in mended


def test_collect_refuses_other_addresses(tmp_path: Path) -> None:
    made = make_hwh("net", layers=1, fclk_mhz=100.0)
    fake_results(tmp_path, made.replace('BASEVALUE="0x43C00000"', 'BASEVALUE="0x43C10000"'))
    with pytest.raises(
        FileError,
        match=r"^Block spikewright_0 must be at 0x43C00000 and is at 0x43C10000 in the \.hwh: "
        r"build the design with the script of this version$",
    ):
        collect(tmp_path, "net", tmp_path / "build")


def test_collect_wants_results(tmp_path: Path) -> None:
    with pytest.raises(
        FileError, match=r"^net\.bit was not found: run build\.tcl in Vivado first$"
    ):
        collect(tmp_path, "net", tmp_path / "build")


def test_missing_vivado(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ToolError,
        match=r"^Vivado was not found: install it and source its settings64\.sh, or run the "
        r"script build\.tcl where it is installed$",
    ):
        run_vivado(tmp_path / "build.tcl")


def test_vivado_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "vivado"
    program.write_text(
        "#!/bin/sh\necho INFO: $4\necho 'ERROR: [Common 17-69] no licence'\nexit 3\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(
        ToolError, match=r"^Vivado failed with status 3: ERROR: \[Common 17-69\] no licence$"
    ):
        run_vivado(tmp_path / "build.tcl")
