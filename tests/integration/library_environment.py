"""Environments of the libraries' own: one for each requirements.txt, made once per machine.

They contradict each other and ours. Nothing of costspan is installed there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBRARIES = Path(__file__).parents[1] / "libraries"


def python(library: str) -> Path:
    """The interpreter that has the library: from the cache, else made (package index, seconds).

    Raises CalledProcessError when the packages cannot be had.
    """
    wanted = LIBRARIES / library / "requirements.txt"
    home = _cache_root() / f"{library}-{_key(wanted)}"
    with _only_one(home):
        if not (home / "complete").exists():
            _make(home, wanted)
    return home / "bin" / "python"


def _cache_root() -> Path:
    """Outside every checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "costspan" / "libraries"


def _key(requirements: Path) -> str:
    version = sys.version.encode()
    return hashlib.sha256(requirements.read_bytes() + version).hexdigest()[:12]


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Two test runs that start together install once."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(home: Path, requirements: Path) -> None:
    """The mark comes last: a cut installation is made again. uv if there is one: it is quicker."""
    uv = shutil.which("uv")
    venv.create(home, clear=True, symlinks=True, with_pip=uv is None)
    interpreter = home / "bin" / "python"
    install = [str(interpreter), "-m", "pip", "install"]
    if uv:
        install = [uv, "pip", "install", "--python", str(interpreter)]
    subprocess.run([*install, "-q", "-r", requirements], check=True)  # noqa: S603  pinned by us
    (home / "complete").touch()
