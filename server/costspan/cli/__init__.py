"""The command line: the only room that prints or exits. Here: which module answers to a name.

`run` and `health` are parsed by argparse. The others are typer's, which costs 0.4 s of CPU and
30 MiB at import: too much for a sidecar, and for a probe that a container starts every few seconds.
"""

from __future__ import annotations

import sys
from importlib import import_module

_LEAN = {"run": "costspan.cli.run", "health": "costspan.cli.health"}


def main() -> None:
    """Run the command line and exit with its code (`exits.Exit`)."""
    arguments = sys.argv[1:]
    if arguments and arguments[0].startswith("--config"):
        # the Collector's own command line: whatever starts a Collector can start us in its place
        arguments.insert(0, "run")
    name = arguments[0] if arguments else ""
    module = import_module(_LEAN.get(name, "costspan.cli.commands"))
    if name in _LEAN:
        del arguments[0]
    try:
        code = module.main(arguments)
    except KeyboardInterrupt:
        code = 130  # 128 + SIGINT, as shells report it
    except BrokenPipeError:
        # the reader has gone (`| head`): nothing is left to say, and Python must not try at exit
        sys.stdout = None
        code = 1
    raise SystemExit(code)
