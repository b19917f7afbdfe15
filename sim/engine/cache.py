# SPDX-License-Identifier: Apache-2.0
"""The folder of compiled simulators, where a file appears whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Folder of compiled files.

    ``$SPIKEWRIGHT_CACHE``, else ``$XDG_CACHE_HOME/spikewright``, else ``~/.cache/spikewright``.
    """
    if chosen := os.environ.get("SPIKEWRIGHT_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "spikewright"


def digest(*parts: str) -> str:
    """Hash of texts, 32 hexadecimal digits; how the texts are split counts."""
    joined = b"".join(
        len(part).to_bytes(8, "little") + part for part in (text.encode() for text in parts)
    )
    return hashlib.sha256(joined).hexdigest()[:32]


def cached(path: Path, build: Callable[[Path], Path]) -> Path:
    """Return a file of the cache, built first if it is not there.

    Two processes may build the same file at once: each works in its own temporary folder and the
    last rename wins. An interrupted build leaves nothing in the cache.

    Parameters
    ----------
    path : Path
        File in the cache; its name must tell its contents.
    build : callable
        Given an empty folder, writes the file somewhere in it and returns where.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="spikewright-") as folder:
        made = build(Path(folder))
        # Only a rename within one file system is atomic.
        handle, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        try:
            shutil.copy(made, staged)
            os.replace(staged, path)
        except BaseException:
            os.unlink(staged)
            raise
    return path
