# SPDX-License-Identifier: Apache-2.0
"""Brian2's C++ standalone programs, once they are compiled."""

import subprocess
from pathlib import Path


def inner_loop(folder: Path) -> float:
    """Seconds of the inner loop, as Brian2 measures it, without the building of the network."""
    subprocess.run(["./main"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return float((folder / "results" / "last_run_info.txt").read_text().split()[0])
