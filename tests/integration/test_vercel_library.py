"""Vercel's AI SDK, three majors with their own telemetry, against a model server with its own bill.

Nothing here states what a span should look like. What a release leaves out of its spans nobody can
bill: the table says so, and the account must then be that of what it told.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from integration.model_calls import Costspan, Played, accounts, cost, costs_on, costspan, total
from integration.node_packages import node, placed
from integration.stub_model import Billed, StubModel

pytestmark = [pytest.mark.slow, pytest.mark.javascript]
APP = "vercel_app.mjs"

_REFUSED = {
    "retried": [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR],
    "failed": [HTTPStatus.INTERNAL_SERVER_ERROR] * 3,
}
CASES = (
    "openai",
    "streamed",
    "anthropic",
    "embeddings",
    "tools",
    "delegated",
    "objects",
    "retried",
    "failed",
)

Silent = Mapping[str, frozenset[tuple[str, str]]]
"""Case to what its spans do not tell: (provider, bucket). `*`: every case."""


class Release(NamedTuple):
    """A release, and how the application uses it."""

    folder: str
    convention: str  # of a call that wrote the cache
    environment: Mapping[str, str] = MappingProxyType({})
    silent: Silent = MappingProxyType({})


_REASONING = frozenset({("openai", "reasoning")})
_WRITE = frozenset({("anthropic", "cache_write")})
RELEASES = {
    # Spans of generateText and generateObject have two counts: generate-text.ts, the attributes
    # ai.usage.promptTokens and completionTokens.
    "5": Release(
        "vercel-5",
        "exclusive",
        silent={"openai": _REASONING | {("openai", "cache_read")}, "objects": _REASONING},
    ),
    "5-one-by-one": Release(
        "vercel-5",
        "exclusive",
        {"APP_ONE_BY_ONE": "1"},
        {"openai": _REASONING | {("openai", "cache_read")}, "objects": _REASONING},
    ),
    "6": Release("vercel-6", "disjoint", silent={"objects": _REASONING}),
    "6-one-by-one": Release(
        "vercel-6", "disjoint", {"APP_ONE_BY_ONE": "1"}, {"objects": _REASONING}
    ),
    # Reasoning only on request, and no cache writes of objects: otel/src/open-telemetry.ts.
    "7": Release("vercel-7", "inclusive", silent={"*": _REASONING, "objects": _REASONING | _WRITE}),
    "7-all": Release("vercel-7", "disjoint", {"APP_ALL": "1"}),
    "7-legacy": Release("vercel-7", "disjoint", {"APP_LEGACY": "1"}),
}


class Case(NamedTuple):
    """What one case cost: as the provider says, and as costspan says."""

    bill: list[Billed]
    refused: list[HTTPStatus]
    played: Played
    spans: int


class Run(NamedTuple):
    """All cases of one release."""

    release: Release
    cases: Mapping[str, Case]

    def told(self, case: str) -> list[Billed]:
        """The bill, without what the release's spans leave out."""
        silent = self.release.silent.get(case, self.release.silent.get("*", frozenset()))
        return [_told(line, silent) for line in self.cases[case].bill]


def _told(line: Billed, silent: frozenset[tuple[str, str]]) -> Billed:
    """A cached token that nobody tells of looks like any other."""
    tokens = line.tokens
    for provider, bucket in silent:
        if provider != line.provider:
            continue
        hidden = getattr(tokens, bucket)
        fresh = tokens.fresh if bucket == "reasoning" else tokens.fresh + hidden
        tokens = tokens._replace(**{bucket: 0, "fresh": fresh})
    return line._replace(tokens=tokens)


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Costspan]:
    with costspan(tmp_path_factory.mktemp("vercel")) as running:
        yield running


@pytest.fixture(scope="module", params=RELEASES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One process does all cases; then they settle together."""
    interpreter, release = node(), RELEASES[request.param]
    command = [interpreter, placed(release.folder, [APP], tmp_path_factory.mktemp("app"))]
    sidecar: Costspan = request.getfixturevalue("sidecar")  # only if there is node
    with StubModel() as stub:
        environment = _environment(sidecar, stub, release)
        with _started(command, environment) as process:
            done = {case: _play(process, stub, case) for case in CASES}
    return Run(release, {case: _settled(sidecar, *played) for case, played in done.items()})


def _started(command: Sequence[Path], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe)  # noqa: S603  ours


def _environment(sidecar: Costspan, stub: StubModel, release: Release) -> dict[str, str]:
    return {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sidecar.line.ports.http}",
        "OTEL_SERVICE_NAME": "vercel",
        "OPENAI_BASE_URL": stub.openai,
        "OPENAI_API_KEY": "sk-none",
        "ANTHROPIC_BASE_URL": stub.anthropic,
        "ANTHROPIC_API_KEY": "sk-none",
        "AI_SDK_LOG_WARNINGS": "false",
        **release.environment,
    }


_Done = tuple[dict[str, int], list[Billed], list[HTTPStatus]]


def _play(process: subprocess.Popen[str], stub: StubModel, case: str) -> _Done:
    """(spans exported by trace, what was billed, what was refused)."""
    bill, refused = len(stub.bill), len(stub.refused)
    stub.refuse(*_REFUSED.get(case, ()))
    assert process.stdin is not None
    assert process.stdout is not None
    print(case, file=process.stdin, flush=True)
    answer = process.stdout.readline()
    assert answer, f"the application ended in {case}; its stack is on stderr"
    return dict(json.loads(answer)), stub.bill[bill:], stub.refused[refused:]


def _settled(
    sidecar: Costspan, traces: dict[str, int], bill: list[Billed], refused: list[HTTPStatus]
) -> Case:
    ((trace_id, spans),) = traces.items()
    return Case(bill, refused, sidecar.told(trace_id, spans), spans)


@pytest.mark.parametrize("case", CASES)
def test_every_call_costs_what_the_provider_bills(run: Run, case: str) -> None:
    """Per model, on the spans downstream and in the trace's total: roots and steps repeat it."""
    _, refused, played, spans = run.cases[case]
    told = run.told(case)

    assert refused == _REFUSED.get(case, [])
    assert played.by_model == accounts(told)
    assert sorted(costs_on(played.spans)) == sorted(map(cost, told))
    assert played.total == (total(told, spans) if told else None)


def test_each_release_counts_cached_tokens_in_its_own_way(run: Run) -> None:
    """And says so with what it sends: its scope states no version."""
    calls = [
        c for c in run.cases["anthropic"].played.decisions.values() if c.billed_reason == "leaf"
    ]

    assert [c.cache_status for c in calls].count("write") == 1
    assert {c.convention for c in calls if c.cache_status == "write"} == {run.release.convention}
    assert {c.dialect for c in calls} == {"vercel"}


@pytest.mark.parametrize(
    ("case", "agents"),
    [("tools", ["checker"] * 4 + ["researcher"] * 4), ("delegated", ["colleague", "editor"] * 2)],
)
def test_a_call_belongs_to_the_nearest_function(run: Run, case: str, agents: list[str]) -> None:
    """`functionId`, on every span (5, 6) or on the root alone (7)."""
    told = run.cases[case].played.decisions.values()

    assert sorted(c.agent for c in told if c.billed_reason == "leaf") == sorted(agents)


def test_what_failed_has_no_cost(run: Run) -> None:
    """Three refusals, no usage, no attribute that says $0."""
    assert run.cases["failed"].bill == []
    assert costs_on(run.cases["failed"].played.spans) == []
