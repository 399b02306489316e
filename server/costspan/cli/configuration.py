"""`costspan config validate|show|schema`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
import yaml

from costspan.cli.ending import ended
from costspan.cli.exits import Exit
from costspan.config import Config, json_schema, load, process_environment, show
from costspan.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Check, show and describe the configuration.")

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="[FILE|env:VAR]",
        help="Configuration; without it the environment and the defaults decide.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command()
def validate(source: Source = None, *, as_json: Json = False) -> None:
    """Report every fault with its line, or none. Exit code 3 if there is one."""
    faults, notes = [], []
    try:
        notes = [f"{note.level}: {note.text}" for note in load(source, process_environment()).notes]
    except ConfigError as error:
        faults = error.faults
    if as_json:
        answer = {"valid": not faults, "faults": faults, "notes": notes}
        print(json.dumps({"schema": "costspan.config.validate/v1", **answer}, indent=2))
    else:
        print("\n".join(faults or notes), file=sys.stderr)
        print(f"{source or 'the environment'}: {_verdict(faults)}")
    raise typer.Exit(Exit.CONFIG_INVALID if faults else Exit.OK)


def _verdict(faults: list[str]) -> str:
    if not faults:
        return "valid"
    return f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"


@app.command("show")
def show_(source: Source = None, *, as_json: Json = False) -> None:
    """Print every key with the value in force, as YAML. Secrets are hidden."""
    tree = show(loaded(source))
    if as_json:
        print(json.dumps({"schema": "costspan.config/v1", "config": tree}, indent=2))
    else:
        print(yaml.safe_dump(tree, sort_keys=False), end="")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file, for editors."""
    print(json.dumps(json_schema(), indent=2))


def loaded(source: str | None) -> Config:
    """The configuration of a command that needs a good one; else it prints the faults and exits."""
    try:
        return load(source, process_environment())
    except ConfigError as error:
        raise ended(Exit.CONFIG_INVALID, *error.faults) from error
