"""The commands that are typer's. A command with heavy imports is loaded only if it is asked for."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, NamedTuple

import typer

from costspan import __version__
from costspan.cli import configuration


class _Elsewhere(NamedTuple):
    """A command whose module is not imported for `--help` or for another command."""

    help: str
    module: str = ""
    function: str = ""


_ELSEWHERE = {
    "run": _Elsewhere("Receive OTLP, price LLM spans, forward everything."),
    "demo": _Elsewhere(
        "Play a multi-agent workload and show what it cost.", "costspan.cli.demo", "demo_command"
    ),
    "price": _Elsewhere("Price OTLP/JSON files offline.", "costspan.cli.price", "price_command"),
    "doctor": _Elsewhere(
        "Say what is missing in telemetry, and which setting helps.",
        "costspan.cli.doctor",
        "doctor_command",
    ),
    "trace": _Elsewhere("Print a trace as a tree of costs.", "costspan.cli.trace", "trace_command"),
    "finish": _Elsewhere(
        "Settle traces that went through several sidecars.", "costspan.cli.finish", "finish_command"
    ),
    "health": _Elsewhere("Ask a running costspan whether it takes spans."),
}
_LETTERS_HELP = "Show and send again what was refused for good."
_RATES_HELP = "Quote, explain, list, check and refresh prices."
_SCHEMA_HELP = "Show, compare and create the tables in ClickHouse."


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    command = typer.main.get_command(_application(arguments[0] if arguments else ""))
    try:
        command.main(list(arguments), prog_name="costspan")
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 1
    return 0


def _application(asked: str) -> typer.Typer:
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="costspan prices LLM spans exactly and totals every trace.",
    )
    for name, command in _ELSEWHERE.items():
        function = _load(command) if name == asked and command.module else _never
        app.command(name, help=command.help)(function)
    app.add_typer(configuration.app, name="config")
    letters = _dead_letters() if asked == "deadletter" else typer.Typer(help=_LETTERS_HELP)
    app.add_typer(letters, name="deadletter")
    app.add_typer(_rates() if asked == "rates" else typer.Typer(help=_RATES_HELP), name="rates")
    app.add_typer(_schema() if asked == "schema" else typer.Typer(help=_SCHEMA_HELP), name="schema")
    app.command()(version)
    return app


def _rates() -> typer.Typer:
    """The group's commands, which import the pricing library and the dialects."""
    from costspan.cli.rates.commands import app  # noqa: PLC0415

    return app


def _dead_letters() -> typer.Typer:
    """The group's commands, which import the exporters."""
    from costspan.cli.deadletter import app  # noqa: PLC0415

    return app


def _schema() -> typer.Typer:
    """The group's commands, which import the client of ClickHouse."""
    from costspan.cli.schema import app  # noqa: PLC0415

    return app


def _load(command: _Elsewhere) -> Callable[..., None]:
    function: Callable[..., None] = getattr(import_module(command.module), command.function)
    return function


def _never() -> None:
    """Stands for a command in the list of commands."""


def version(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Print the version."""
    if as_json:
        answer = {"version": __version__, "python": platform.python_version()}
        print(json.dumps({"schema": "costspan.version/v1", **answer}))
    else:
        print(f"costspan {__version__}")
