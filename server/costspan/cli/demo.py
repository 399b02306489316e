"""`costspan demo`: start the line, play the workload, ask the store, compare, show."""

from __future__ import annotations

import importlib.util
import io
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error as ClickHouseError
from rich.console import Console

from costspan.cli.demo_view import View
from costspan.cli.exits import Exit
from costspan.cli.stages import Stages
from costspan.demo.answers import Answers, ask, settled, spans_of
from costspan.demo.attach import attach
from costspan.demo.books import Entry
from costspan.demo.document import document
from costspan.demo.line import Line, Ports, configuration, start_anywhere
from costspan.demo.stories import stories
from costspan.demo.tree import StoredSpan, grow
from costspan.demo.verdict import Difference, differences
from costspan.errors import StartError
from costspan.store.endpoint import Endpoint, read_endpoint

_TOTALS = {"root_grace": "1s", "quiet": "1s", "emit": ["clickhouse", "metrics", "log_event"]}
_NEEDED = {
    "opentelemetry.sdk": "the OpenTelemetry SDK",
    "opentelemetry.exporter.otlp.proto.grpc": "its OTLP exporter",
    "chdb": "chDB",
}
_SETTLE_SECONDS = 30.0
_SUPERVISED = "invoke_workflow market-report"


class Outcome(NamedTuple):
    """What the store said, next to what was played."""

    entries: list[Entry]
    answers: Answers
    found: list[Difference]
    trees: dict[str, list[StoredSpan]]  # by trace id: the traces that are shown


def demo_command(
    *,
    directory: Annotated[
        Path | None,
        typer.Option(help="Keep the data here. Without it a temporary directory is used."),
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of tables.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the line and its store running until Ctrl-C.")
    ] = False,
) -> None:
    """Play a multi-agent workload through a real line and show what it cost.

    The numbers come from the store and are compared with the workload's own books: 5 = they differ.
    """
    stderr = Console(stderr=True)
    missing = _missing()
    if missing:
        stderr.print(
            f'costspan demo needs {missing}: pip install "costspan[demo,embedded]"',
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(Exit.FAILURE)
    try:
        with _ending_in_order(), _home(directory) as home:
            _run(home, Stages(stderr), json_output=json_output, keep=keep)
    except StartError as error:
        stderr.print(str(error), markup=False, style="red", soft_wrap=True)
        raise typer.Exit(Exit.FAILURE) from error
    except ClickHouseError as error:
        stderr.print(
            f"the store does not answer: {error}", markup=False, style="red", soft_wrap=True
        )
        raise typer.Exit(Exit.UNREACHABLE) from error


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind like Ctrl-C: the line, a session of its own, would stay behind."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = [(each, signal.signal(each, leave)) for each in (signal.SIGTERM, signal.SIGHUP)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _missing() -> str:
    """What is not installed, in words; "" if nothing."""
    absent = [text for name, text in _NEEDED.items() if not _installed(name)]
    return " and ".join(absent)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


@contextmanager
def _home(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"the demo can't use {directory}: {error.strerror}") from error
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="costspan-demo-") as temporary:
        yield Path(temporary)


def _stdout() -> Console:
    """A console that never fails for a character that the terminal can't show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console()


def _run(home: Path, stages: Stages, *, json_output: bool, keep: bool) -> None:
    store = home / "store"

    def make(ports: Ports) -> Line:
        exporters = {"clickhouse": {"directory": str(store)}}
        config = configuration(ports, exporters, processors={"trace_totals": _TOTALS})
        return Line(config, ports, home / "costspan.log")

    stdout = _stdout()
    with stages:
        with stages.stage("Starting costspan and its store", None):
            line = start_anywhere(make)
        try:
            outcome = _play(line, store, stages)
            stages.close()
            _show(stdout, outcome, json_output=json_output)
            if keep:
                _linger(stdout, line, read_endpoint(store))
        finally:
            line.stop()
    if not json_output and not keep:
        View(stdout).steps("What to do next", _next_steps())
    if outcome.found:
        raise typer.Exit(Exit.CHECK_FAILED)


def _play(line: Line, store: Path, stages: Stages) -> Outcome:
    entries = _perform(line, stages)
    trace_ids = sorted({entry.trace_id for entry in entries})
    client = attach(read_endpoint(store).dsn())
    try:
        _settle(client, trace_ids, len(entries), stages)
        answers = ask(client, trace_ids)
        trees = {trace_id: spans_of(client, trace_id) for trace_id in _interesting(answers)}
    finally:
        client.close()
    return Outcome(entries, answers, differences(answers, entries), trees)


def _perform(line: Line, stages: Stages) -> list[Entry]:
    from costspan.demo.player import Player  # noqa: PLC0415 (needs the SDK: an extra)

    told = stories()
    entries: list[Entry] = []
    with (
        stages.stage("Playing agents through the OpenTelemetry SDK", len(told)) as step,
        Player(f"http://127.0.0.1:{line.ports.grpc}") as player,
    ):
        for done, played in enumerate(player.play(told, time.time_ns()), 1):
            entries += played
            step(done)
    return entries


def _settle(client: Client, trace_ids: Sequence[str], calls: int, stages: Stages) -> None:
    """Wait until every trace has its total; after a while the comparison says what is missing."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    with stages.stage("Waiting until every trace has its total", len(trace_ids)) as step:
        while time.monotonic() < deadline:
            traces, stored = settled(client, trace_ids)
            step(traces)
            if (traces, stored) == (len(trace_ids), calls):
                return
            threading.Event().wait(0.2)


def _interesting(answers: Answers) -> list[str]:
    """The most expensive trace, and one with a supervisor and its team."""
    first = answers.traces[:1]
    team = [trace for trace in answers.traces[1:] if trace.name == _SUPERVISED][:1]
    return [trace.trace_id for trace in first + team]


def _show(console: Console, outcome: Outcome, *, json_output: bool) -> None:
    if json_output:
        text = json.dumps(document(outcome.answers, outcome.found), indent=2)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    view = View(console)
    traces = {trace.trace_id: trace for trace in outcome.answers.traces}
    for trace_id, spans in outcome.trees.items():
        root = grow(spans)
        if root is not None:
            trace = traces[trace_id]
            view.heading(trace.name, f"{trace.service}, {trace.spans} spans, {trace.seconds:.0f} s")
            view.tree(root)
    view.shares(outcome.answers)
    view.expensive(outcome.answers.traces)
    view.findings(outcome.answers)
    view.verdict(outcome.answers, len(outcome.entries), outcome.found)


def _next_steps() -> Sequence[tuple[str, str]]:
    return (
        ("Run it beside your application; spans are kept in ./costspan-data:", "costspan run"),
        (
            "Point your application at it (gRPC; over HTTP it is port 4318):",
            "export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317",
        ),
        (
            "See what it costs while it runs:",
            "curl -s http://127.0.0.1:9464/metrics | grep costspan_cost_usd_total",
        ),
    )


def _linger(console: Console, line: Line, endpoint: Endpoint) -> None:
    """Say where everything is; return on Ctrl-C or when the line has ended."""
    question = "SELECT RootName, CostUsd, LlmCalls FROM trace_totals ORDER BY CostUsd DESC LIMIT 5"
    login = f"--user {endpoint.user}:{endpoint.password}"
    View(console).steps(
        "Still running, until Ctrl-C",
        (
            (
                "Send spans here:",
                f"export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{line.ports.grpc}",
            ),
            ("Metrics:", f"curl -s http://127.0.0.1:{line.ports.metrics}/metrics"),
            (
                "Ask the store:",
                f"curl -s {login} '{endpoint.url}/?database=otel' -d '{question} FORMAT Pretty'",
            ),
        ),
    )
    try:
        while line.ended(within=3600) is None:
            pass
    except KeyboardInterrupt:
        console.print()
