"""The group `costspan rates`: which function answers to which name."""

from __future__ import annotations

import typer

from costspan.cli.rates.check import check_command
from costspan.cli.rates.explain import explain_command
from costspan.cli.rates.listing import list_command
from costspan.cli.rates.quote import quote_command
from costspan.cli.rates.refresh import refresh_command

app = typer.Typer(no_args_is_help=True, help="Quote, explain, list, check and refresh prices.")
app.command("quote")(quote_command)
app.command("explain")(explain_command)
app.command("list")(list_command)
app.command("check")(check_command)
app.command("refresh")(refresh_command)
