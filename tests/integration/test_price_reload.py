"""Prices change under load: no span is lost, and each one says which prices it was priced by."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.demo.line import Line
from costspan.model import Value
from costspan.testing import request, span
from hits import BOOK
from integration.lines import eventually, otlp, running
from integration.otlp_client import exporting
from integration.otlp_sink import OtlpSink, attributes
from integration.prometheus import samples, value
from rate_cards import Mounted, discount

# 1000 x 2.5 + 100 x 10 dollars per million at the book's list; a card's revision says its factor
CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
FACTORS = ("1", "0.5", "0.25", "0.75", "0.1")
COSTS = ("0.0035", "0.00175", "0.000875", "0.002625", "0.00035")
AFTER = 1_790_000_100_000_000_000  # 2026-09-21, after the book's last change of gpt-4o
_SPANS = 20  # a request
_RELOADS = "costspan_rate_card_reloads_total"


def _card(revision: int) -> str:
    return discount(FACTORS[revision], revision=revision)


@contextmanager
def _priced_by(mounted: Mounted, folder: Path, sink: OtlpSink, interval: str) -> Iterator[Line]:
    cost = {
        "rate_cards": [mounted.path("acme")],
        "price_book": str(BOOK),
        "reload_interval": interval,
    }
    with running(folder, {"otlp": otlp(sink.endpoint)}, processors={"cost": cost}) as line:
        yield line


def _revision(made: Span) -> int:
    """Of the card that stands in the span's price_ref: book@sha;sku;from;acme@REVISION+sha."""
    ref = str(attributes(made)["window.financial.price_ref"])
    card, _, revision = ref.rpartition(";")[2].partition("+")[0].partition("@")
    assert "acme" == card
    return int(revision)


def _request(first: int) -> bytes:
    numbers = range(first, first + _SPANS)
    return request(
        *(span(CHAT, span_id=n.to_bytes(8, "big"), start_ns=AFTER, name=str(n)) for n in numbers)
    )


class _Load:
    """Sends requests one after the other until it is stopped."""

    def __init__(self, port: int, first: int) -> None:
        self._port, self._next = port, first
        self.sent: list[str] = []
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def stop(self) -> list[str]:
        """The names of all spans that were acked."""
        self._enough.set()
        self._thread.join()
        return self.sent

    def _send(self) -> None:
        with exporting(self._port) as export:
            while not self._enough.is_set():
                export(_request(self._next))
                self.sent += map(str, range(self._next, self._next + _SPANS))
                self._next += _SPANS


def test_prices_change_under_load(tmp_path: Path) -> None:
    """Four new revisions and two broken files while two clients send as fast as they can."""
    mounted = Mounted(tmp_path / "rates")
    mounted.update(acme=_card(0))
    with OtlpSink() as sink, _priced_by(mounted, tmp_path, sink, "50ms") as line:
        loads = [_Load(line.ports.grpc, number << 32) for number in (1, 2)]
        for revision in range(1, len(FACTORS)):
            if revision % 2 == 0:
                mounted.update(acme=_card(revision).replace("multiplier", "multipleir"))
                _await_reloads(line, "failure", revision // 2)
            mounted.update(acme=_card(revision))
            _await_reloads(line, "success", revision)
        sent = [name for load in loads for name in load.stop()]
        spans = sink.wait_for_spans(len(sent))

    assert sorted(sent) == sorted(each.name for each in spans)  # none lost, none doubled
    for each in spans:
        said = attributes(each)
        assert COSTS[_revision(each)] == said["window.financial.total_cost_exact"]
        assert (_revision(each) == 0) == ("window.financial.list_cost" not in said)
    assert {*range(len(FACTORS))} == {*map(_revision, spans)}
    in_order = [_revision(each) for each in spans if int(each.name) < 2 << 32]
    assert in_order == sorted(in_order)  # one client's spans never go back to an older card


def test_a_signal_reads_the_files_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path / "rates")
    mounted.update(acme=_card(1))
    with OtlpSink() as sink, _priced_by(mounted, tmp_path, sink, "0") as line:
        with exporting(line.ports.grpc) as export:
            export(_request(1))
            mounted.update(acme="- - -")
            os.kill(line.pid, signal.SIGHUP)
            _await_reloads(line, "failure", 1)
            export(_request(101))
            assert 0 == value(line.ports.metrics, "costspan_rate_card_last_reload_successful")
            (broken, ready) = _health(line)
            mounted.update(acme=_card(2))
            os.kill(line.pid, signal.SIGHUP)
            _await_reloads(line, "success", 1)
            export(_request(201))
        spans = sink.wait_for_spans(3 * _SPANS)
        (info,) = samples(line.ports.metrics, "costspan_rate_card_info")

    assert (False, 200) == (broken["ok"], ready)
    assert broken["rate_cards"].startswith("acme@1+")
    assert mounted.path("acme") in broken["message"]
    assert {1: 2 * _SPANS, 2: _SPANS} == {
        revision: sum(_revision(each) == revision for each in spans) for revision in (1, 2)
    }
    assert ("acme", "2") == (info.labels["id"], info.labels["revision"])
    assert f"prices: {mounted.path('acme')}:1" in line.log.read_text()


def _await_reloads(line: Line, result: str, count: int) -> None:
    eventually(lambda: value(line.ports.metrics, _RELOADS, result=result) == count)


def _health(line: Line) -> tuple[dict[str, Any], int]:
    """What the health page says of the prices, and its status."""
    url = f"http://127.0.0.1:{line.ports.health}/healthz/ready?verbose"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["components"]["prices"], answer.status


@pytest.mark.parametrize("command", ["config validate", "run --config"])
def test_a_faulty_card_ends_the_start_with_its_line(tmp_path: Path, command: str) -> None:
    card = tmp_path / "acme.yaml"
    card.write_text(_card(1).replace("discounts", "discount"))
    config = tmp_path / "costspan.yaml"
    config.write_text(f"processors: {{cost: {{rate_cards: [{card}]}}}}\n")
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-m", "costspan", *command.split(), str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert 3 == done.returncode
    assert f"{card}:7:1: " in done.stderr
    assert "'discounts'" in done.stderr
