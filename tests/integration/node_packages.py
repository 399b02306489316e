"""npm packages for a test's application: one set for each lock, installed once per machine.

They stay outside of the checkout. Nothing of costspan is in them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
JAVASCRIPT = Path(__file__).parents[1] / "javascript"


def node() -> Path:
    """The interpreter. Without one the test is skipped, with REQUIRE_NODE set it fails."""
    found = shutil.which("node")
    if found is not None and shutil.which("npm") is not None:
        return Path(found)
    if os.environ.get("REQUIRE_NODE"):
        pytest.fail("REQUIRE_NODE is set, and there is no node and npm to run JavaScript with")
    pytest.skip("this runs JavaScript, and there is no node and npm on the PATH")


def installed(name: str) -> Path:
    """The folder whose `node_modules` are those of the lock in tests/javascript/`name`.

    Raises CalledProcessError when they cannot be had.
    """
    wanted = JAVASCRIPT / name
    home = _cache_root() / f"{name}-{_key(wanted)}"
    with _only_one(home):
        if not home.exists():
            _install(wanted, home)
    return home


def placed(name: str, scripts: Sequence[str], folder: Path) -> Path:
    """The first of these scripts of tests/javascript, in a folder beside the packages of `name`.

    Copied: node looks for packages where a script really is.
    """
    (folder / "node_modules").symlink_to(installed(name) / "node_modules")
    first, *_ = [Path(shutil.copy(JAVASCRIPT / script, folder)) for script in scripts]
    return first


def _cache_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "costspan" / "javascript"


def _key(wanted: Path) -> str:
    return hashlib.sha256((wanted / "package-lock.json").read_bytes()).hexdigest()[:12]


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Two test runs that start together install once."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(wanted: Path, home: Path) -> None:
    """In a scratch folder that is renamed when all is there: a cut installation leaves nothing."""
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        here = Path(scratch) / "packages"
        here.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(wanted / name, here)
        subprocess.run(_INSTALL, cwd=here, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  ours
        here.rename(home)
