"""What the scripts that build Go programs share: compiler, environment, where results stay."""

import os
import shutil
from pathlib import Path


class NoGoError(Exception):
    """There is no Go toolchain on the path: nothing can be built here."""


def go() -> str:
    """The compiler. Raises NoGoError."""
    found = shutil.which("go")
    if found is None:
        raise NoGoError("this is built with Go, and there is no `go` on the PATH")
    return found


def environment(binaries: Path) -> dict[str, str]:
    """For builds that put what they install into `binaries`."""
    # GOTOOLCHAIN=local: a build must not fetch another compiler; no CGO: one static file
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOBIN": str(binaries)}
    return os.environ | settings


def cache_root() -> Path:
    """Outside every checkout, so that only another version or a new machine builds."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "costspan"
