"""`costspan doctor`: what telemetry lacks, from files or from a running sidecar, and what helps."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from costspan.cli.ending import ended, readable
from costspan.cli.endpoint import ask, configured, is_http
from costspan.cli.exits import Exit
from costspan.cli.price import price_requests, read
from costspan.cli.rates.sources import Book, Rates, pricer
from costspan.doctor.examine import examine
from costspan.doctor.report import Report
from costspan.doctor.snapshot import Snapshot, decode
from costspan.doctor.survey import Survey
from costspan.model import TRACES
from costspan.wire.otlp_json import signals_from_json
from costspan_pricing import Pricer

PATH = "/debug/survey"
_DURATION = re.compile(r"(\d+)([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def doctor_command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="OTLP/JSON of complete traces, metrics and logs; - is stdin. None: ask the running"
            " costspan."
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One costspan.doctor/v1 object.")] = False,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Default: http://127.0.0.1:13133" + PATH)
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(metavar="FILE|env:VAR", help="Ask where this configuration listens."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="10m", help="Leave out what a running costspan saw only before."),
    ] = None,
    rates: Rates = None,
    book: Book = None,
) -> None:
    """Say what is missing in telemetry and which setting helps; 5 if it costs accuracy."""
    if files and (url or config or since):
        raise typer.BadParameter("FILES, or --url, --config and --since: not both")
    if files:
        report = _of_files(files, pricer(rates, book))
    else:
        report = _of_sidecar(url or configured(config), _since_ns(since))
    if as_json:
        print(msgspec.json.encode(report).decode())
    else:
        from costspan.cli.doctor_view import show  # noqa: PLC0415  (rich: --json has no use for it)

        show(report)
    if report.accuracy_findings:
        raise typer.Exit(Exit.CHECK_FAILED)


def survey_files(files: Sequence[str], prices: Pricer) -> Snapshot:
    """Survey files as complete traces. Raises Undecodable naming the file, OSError."""
    survey = Survey(complete=True)
    traces = []
    for file in files:
        for signal, request in read(file, signals_from_json):
            if signal == TRACES:
                traces.append((file, request))
            else:
                survey.note(signal, request)
    for trace_id, rolled in price_requests(traces, prices).traces.items():
        survey.take(trace_id, rolled)
    return survey.snapshot()


def _of_files(files: Sequence[str], prices: Pricer) -> Report:
    with readable():
        snapshot = survey_files(files, prices)
    return examine(snapshot, ", ".join(files))


def _of_sidecar(url: str, since_ns: int) -> Report:
    if not is_http(url):
        raise typer.BadParameter(f"--url: expected an http:// URL, saw {url!r}")
    try:
        status, body = ask(url, PATH)
    except (OSError, http.client.HTTPException) as error:
        raise ended(Exit.UNREACHABLE, f"costspan: {url} does not answer: {error}") from error
    if status != http.client.OK:
        said = body.decode(errors="replace").strip()
        raise ended(Exit.UNREACHABLE, f"costspan: {url} answers {status}: {said}")
    try:
        return examine(decode(body), url, since_ns)
    except ValueError as error:
        raise ended(Exit.UNREACHABLE, f"costspan: {url}: {error}") from error


def _since_ns(since: str | None) -> int:
    """The wall clock so long ago; spans carry the clocks of their applications."""
    if since is None:
        return 0
    found = _DURATION.fullmatch(since)
    if found is None:
        raise typer.BadParameter(f"--since: expected a duration as 90s, 10m or 2h, saw {since!r}")
    return time.time_ns() - int(found[1]) * _SECONDS[found[2]] * 1_000_000_000
