"""Installs a pinned tool that is written in Go, once per machine, and prints where it is.

What renders and lints `deploy/`. Nothing of it is needed to run costspan.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from go_toolchain import NoGoError, cache_root, environment, go

TOOLS = {
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1",
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score@v1.20.0",
}


def binary(name: str) -> Path:
    """The tool: from the cache, else built (seconds, from the Go module proxy).

    Raises NoGoError without a toolchain and CalledProcessError when the build fails.
    """
    release = TOOLS[name]
    home = cache_root() / f"{name}-{release.rpartition('@')[2]}"
    if not (home / name).exists():
        _install(release, home)
    return home / name


def _install(release: str, home: Path) -> None:
    """`go install` moves the finished binary into place, so a cut build leaves no half one."""
    command = [go(), "install", "-ldflags=-s -w", release]
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, check=True, env=environment(home))


def main() -> int:
    """Print the path; what Go says goes to stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=sorted(TOOLS))
    try:
        print(binary(parser.parse_args().tool))
    except NoGoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
