"""Plays the applications of tests/libraries against a stub and reads what costspan made of them.

One process per library does all its cases, then everything settles at once. No assertions.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, Self

from integration.library_environment import LIBRARIES
from integration.model_calls import NOTHING, Account, Costspan, Played, add, asked, costs_on
from integration.stub_model import Billed, StubModel

_REFUSALS = {
    "retry": (HTTPStatus.TOO_MANY_REQUESTS,),
    "error": (HTTPStatus.INTERNAL_SERVER_ERROR,),
}


class Case(NamedTuple):
    """What one case cost: as the provider says, and as costspan says of each trace."""

    bill: list[Billed]
    refused: list[HTTPStatus]
    traces: list[Played]

    def by_model(self) -> dict[str, Account]:
        """What was billed, by the name that the model was asked by: not all say who answered."""
        found: dict[str, Account] = {}
        for trace in self.traces:
            for model, account in trace.by_model.items():
                found[asked(model)] = add(found.get(asked(model), NOTHING), account)
        return found

    def on_spans(self) -> Decimal:
        """The sum of what is written on the spans downstream."""
        return sum((each for trace in self.traces for each in costs_on(trace.spans)), Decimal(0))

    def total(self) -> Decimal:
        """The sum of the traces' totals in the store."""
        return sum((trace.total.cost for trace in self.traces if trace.total), Decimal(0))


class App:
    """A running application that does one case after the other."""

    def __init__(self, command: Sequence[Path], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  ours
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def do(self, case: str) -> dict[str, int]:
        """Run it; the spans of each trace that it has exported."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(case, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, f"the application ended in {case}; its traceback is on stderr"
        return dict(json.loads(answer))


def play(
    sidecar: Costspan, command: Sequence[Path], cases: Iterable[str], more: Mapping[str, str]
) -> dict[str, Case]:
    """All cases of the application that the command starts; `more`: environment."""
    done: list[tuple[str, dict[str, int], list[Billed], list[HTTPStatus]]] = []
    with StubModel() as stub, App(command, _environment(sidecar, stub, more)) as app:
        for case in cases:
            bill, refused = len(stub.bill), len(stub.refused)
            stub.refuse(*_REFUSALS.get(case.rpartition("-")[2], ()))
            traces = app.do(case)
            done.append((case, traces, stub.bill[bill:], stub.refused[refused:]))
    return {
        case: Case(bill, refused, [sidecar.told(*trace) for trace in traces.items()])
        for case, traces, bill, refused in done
    }


def _environment(sidecar: Costspan, stub: StubModel, more: Mapping[str, str]) -> dict[str, str]:
    """Of the library's process: only what it is told, as in production."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(LIBRARIES.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sidecar.line.ports.http}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OPENAI_BASE_URL": stub.openai,
        "OPENAI_API_KEY": "sk-none",
        "ANTHROPIC_BASE_URL": stub.anthropic,
        "ANTHROPIC_API_KEY": "sk-none",
        "GOOGLE_GEMINI_BASE_URL": stub.anthropic,
        "GEMINI_API_KEY": "none",
        "TRACELOOP_TELEMETRY": "false",
        **more,
    }
