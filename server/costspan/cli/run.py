"""`costspan run`: read the configuration, say what it means, serve. No typer, no rich."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from costspan.cli import logs
from costspan.cli.exits import Exit
from costspan.config import Config, load, passthrough, process_environment
from costspan.errors import ConfigError, StartError

_log = logging.getLogger("costspan")


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        config, faults = _configuration(options.config, options.on_config_error)
    except ConfigError as error:
        print("\n".join(error.faults), file=sys.stderr)
        return Exit.CONFIG_INVALID
    logs.setup(config.service.telemetry.logs)
    _say(config, faults)
    return _serve(config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="costspan run",
        description="Receive OTLP, price LLM spans, forward everything.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config",
        metavar="FILE|env:VAR",
        help="configuration; without it the environment and the defaults decide",
    )
    parser.add_argument(
        "--on-config-error",
        choices=("exit", "passthrough"),
        default="exit",
        help="passthrough: forward without pricing instead of ending with exit code 3",
    )
    return parser


def _configuration(source: str | None, on_error: str) -> tuple[Config, list[str]]:
    env = process_environment()
    try:
        return load(source, env), []
    except ConfigError as error:
        if on_error == "exit":
            raise
        return passthrough(source, env), error.faults


def _say(config: Config, faults: list[str]) -> None:
    for fault in faults:
        _log.error("configuration: %s", fault)
    if faults:
        _log.error("running in passthrough: spans are forwarded and not priced")
    for note in config.notes:
        _log.log(logging.WARNING if note.level == "warning" else logging.INFO, "%s", note.text)


def _serve(config: Config) -> int:
    # only now: a bad configuration ends before grpc is loaded
    from costspan.app import serve  # noqa: PLC0415

    try:
        serve(config)
    except StartError as error:
        print(f"costspan: {error}", file=sys.stderr)
        return Exit.FAILURE
    except ConfigError as error:  # the files of prices have changed since they were checked
        print("\n".join(error.faults), file=sys.stderr)
        return Exit.CONFIG_INVALID
    return Exit.OK
