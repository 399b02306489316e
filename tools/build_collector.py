"""Builds the Collector of a manifest once and prints where it is. No configs, no processes."""

import argparse
import fcntl
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from go_toolchain import NoGoError, cache_root, environment, go

MANIFEST = Path(__file__).parents[1] / "collector-config" / "builder.yaml"
BUILDER = "go.opentelemetry.io/collector/cmd/builder"


def binary(manifest: Path = MANIFEST) -> Path:
    """The Collector of `manifest`: from the cache, else built (minutes, from the Go module proxy).

    Raises NoGoError without a toolchain and CalledProcessError when the build fails.
    """
    home = cache_root() / f"otelcol-{_key(manifest)}"
    with _only_one(home):
        if not (home / "otelcol").exists():
            _build(manifest, home)
    return home / "otelcol"


def _key(manifest: Path) -> str:
    version = subprocess.run([go(), "version"], check=True, capture_output=True).stdout
    return hashlib.sha256(manifest.read_bytes() + version).hexdigest()[:12]


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Two test runs that start together build once."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(manifest: Path, home: Path) -> None:
    """Build in a scratch folder and move the result, so that a cut build leaves no half binary."""
    wanted = yaml.safe_load(manifest.read_text())
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        here = Path(scratch)
        env = environment(here)
        release = f"{BUILDER}@v{wanted['dist']['version']}"
        subprocess.run([go(), "install", release], check=True, env=env)
        wanted["dist"]["output_path"] = str(here / "build")
        local = here / "builder.yaml"
        local.write_text(yaml.safe_dump(wanted))
        command = [str(here / "builder"), "--config", str(local), "--ldflags=-s -w"]
        subprocess.run(command, check=True, env=env)
        home.mkdir(exist_ok=True)
        (here / "build" / wanted["dist"]["name"]).replace(home / "otelcol")


def main() -> int:
    """Print the path; what Go says goes to stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, default=MANIFEST)
    try:
        print(binary(parser.parse_args().manifest))
    except NoGoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
