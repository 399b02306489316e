"""`python -m costspan.store`: the store as a process. Arguments and exit codes only."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from costspan.errors import StartError

INSTALL = "the embedded store needs chDB: pip install 'costspan[embedded]'"


def main() -> int:
    """Run the store; 0 after a clean end, 1 with a sentence if it can't start."""
    parser = argparse.ArgumentParser(prog="python -m costspan.store", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where the data is kept")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (loopback)")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--with-parent", action="store_true", help="stop when stdin is closed")
    arguments = parser.parse_args()
    if find_spec("chdb") is None:
        return _fail(INSTALL)
    from costspan.store.serve import announce, serve  # noqa: PLC0415  it imports the engine

    try:
        serve(
            arguments.directory, arguments.host, arguments.port, with_parent=arguments.with_parent
        )
    except StartError as error:
        announce({"error": str(error)})
        return _fail(str(error))
    return 0


def _fail(sentence: str) -> int:
    sys.stderr.write(f"costspan.store: {sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
