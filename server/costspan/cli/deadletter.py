"""`costspan deadletter list|replay`: what destinations refused for good, and sending it again."""

from __future__ import annotations

import json
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from costspan.cli.configuration import Json, loaded
from costspan.cli.ending import ended
from costspan.cli.exits import Exit
from costspan.clock import SystemClock
from costspan.config import ClickHouseExporter, Config, Exporter
from costspan.destinations import Origin, destination
from costspan.errors import CostspanError
from costspan.exporter.dead_letters import DeadLetters, exporters, letters
from costspan.exporter.letter import Letter
from costspan.exporter.replay import Outcome, Replay
from costspan.model import in_words
from costspan.store.endpoint import read_endpoint
from costspan.telemetry import Telemetry

app = typer.Typer(no_args_is_help=True, help="Show and send again what was refused for good.")

Source = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE|env:VAR", help="The configuration of costspan run."),
]
Directory = Annotated[
    Path | None,
    typer.Option(help="Where the dead letters are, in place of what the configuration says."),
]
OneExporter = Annotated[str | None, typer.Option("--exporter", help="Only those of this one.")]
OneReason = Annotated[str | None, typer.Option("--reason", help="Only those with this reason.")]
_SECOND = 1_000_000_000


@app.command("list")
def list_command(
    source: Source = None,
    directory: Directory = None,
    exporter: OneExporter = None,
    *,
    as_json: Json = False,
) -> None:
    """Print what is kept, by exporter, signal and reason. Reading only; costspan may run."""
    place = directory or _place(loaded(source))
    names = [name for name in _exporters(place) if exporter in (None, name)]
    groups = [group for name in names for group in _groups(place, name)]
    if as_json:
        print(json.dumps({"schema": "costspan.deadletter.list/v1", "groups": groups}, indent=2))
        return
    for group in groups:
        print(
            f"{group['exporter']}: {group['items']} {in_words(group['signal'])}"
            f" ({group['bytes']} bytes),"
            f" {group['reason']}, {group['first']} to {group['last']}: {group['message']}"
        )
    if not groups:
        print(f"no dead letters in {place}", file=sys.stderr)


@app.command("replay")
def replay_command(
    source: Source = None,
    directory: Directory = None,
    exporter: OneExporter = None,
    reason: OneReason = None,
    timeout: Annotated[
        float, typer.Option(help="Give up after this many seconds for each exporter.")
    ] = 60.0,
    *,
    as_json: Json = False,
) -> None:
    """Send dead letters to their destinations again, also while costspan runs.

    What is accepted goes; what is refused again stays (exit code 1), and what gets no answer stays
    too (exit code 4).
    """
    config = loaded(source)
    place = directory or _place(config)
    outcomes: dict[str, Outcome | None] = {}
    for name in _exporters(place):
        if exporter in (None, name):
            outcomes[name] = _replay(config, place, name, reason, timeout)
    _report(outcomes, as_json=as_json)
    raise typer.Exit(_exit_code(outcomes.values()))


def _replay(
    config: Config, place: Path, name: str, reason: str | None, timeout: float
) -> Outcome | None:
    """None if they could not be looked at: a sentence has said why."""
    if name not in config.exporters:
        print(f"{name}: left alone: not among the exporters", file=sys.stderr)
        return None
    clock, telemetry, exporter = SystemClock(), Telemetry(), config.exporters[name]
    identity = uuid.uuid4().hex  # these deliveries repeat no earlier one
    origin = Origin(identity, lambda: identity, partial(_store, exporter), telemetry)
    run = Replay(
        DeadLetters(place, name, config.journal.dead_letters.max_size, telemetry),
        lambda: destination(name, exporter, origin),
        lambda letter: reason in (None, letter.reason),
        clock,
        clock.monotonic() + round(timeout * _SECOND),
    )
    try:
        return run.run()
    except (CostspanError, OSError) as error:
        print(f"costspan: {name}: {error}", file=sys.stderr)
        return None


def _report(outcomes: Mapping[str, Outcome | None], *, as_json: bool) -> None:
    seen = {name: outcome._asdict() for name, outcome in outcomes.items() if outcome}
    if as_json:
        document = {"schema": "costspan.deadletter.replay/v1", "exporters": seen}
        print(json.dumps(document, indent=2))
        return
    for name, items in seen.items():
        error = f" ({items['error']})" if items["error"] else ""
        print(
            f"{name}: {items['accepted']} accepted, {items['rejected']} rejected,"
            f" {items['refused']} refused again, {items['left']} without an answer{error}"
        )


def _exit_code(outcomes: Iterable[Outcome | None]) -> Exit:
    worst = Exit.OK
    for outcome in outcomes:
        if outcome is not None and outcome.left:
            return Exit.UNREACHABLE
        if outcome is None or outcome.refused:
            worst = Exit.FAILURE
    return worst


# --- what is kept --------------------------------------------------------------------------------


class _Group:
    """The letters of one exporter, signal and reason, added up."""

    def __init__(self) -> None:
        self.letters = self.items = self.bytes = 0
        self.first, self.last = 0, 0
        self.message = ""

    def add(self, letter: Letter) -> None:
        self.letters += 1
        self.items += letter.items
        self.bytes += letter.size
        self.first = min(self.first or letter.at_ns, letter.at_ns)
        if letter.at_ns >= self.last:
            self.last, self.message = letter.at_ns, letter.text


def _groups(place: Path, exporter: str) -> Iterator[dict[str, Any]]:
    """One object for each signal and reason: how much, from when to when, the latest words."""
    groups: defaultdict[tuple[str, str], _Group] = defaultdict(_Group)
    try:
        for letter in letters(place, exporter):
            groups[letter.signal, letter.reason].add(letter)
    except (CostspanError, OSError) as error:
        raise ended(Exit.FAILURE, f"costspan: {exporter}: {error}") from error
    for (signal, reason), group in sorted(groups.items(), key=lambda item: item[0]):
        named = {"exporter": exporter, "signal": signal, "reason": reason}
        times = {"first": _time(group.first), "last": _time(group.last)}
        yield {**named, **vars(group), **times}


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns // _SECOND, UTC).isoformat().replace("+00:00", "Z")


def _exporters(place: Path) -> list[str]:
    try:
        return exporters(place)
    except FileNotFoundError:
        return []  # nothing was ever refused
    except OSError as error:
        raise ended(Exit.FAILURE, f"costspan: {place}: {error.strerror}") from error


def _place(config: Config) -> Path:
    if config.journal.dead_letter_directory is None:
        raise ended(
            Exit.CONFIG_INVALID,
            "costspan: expected journal.directory or journal.dead_letters.directory, saw neither:"
            " dead letters are only counted",
        )
    return Path(config.journal.dead_letter_directory)


def _store(exporter: Exporter) -> str:
    """The DSN of the embedded store, which has to run. Raises StartError."""
    if not isinstance(exporter, ClickHouseExporter) or exporter.directory is None:
        return ""
    return read_endpoint(Path(exporter.directory)).dsn()
