"""Frames to inserts: the same in every process, other rows under another token, days kept apart."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence

from costspan.exporter.clickhouse.inserts import NATIVE, OTLP, Insert, Inserts
from costspan.model import (
    CALL_ROWS,
    OWN,
    TRACE_TOTALS,
    TRACES,
    Frame,
    Identity,
    encode_calls,
    encode_totals,
)
from costspan.testing import request, span
from records import NOW, call, totals
from unit.clickhouse.native_reader import read_block

DAY = 86_400 * 10**9
MANY = {f"dimension {n}": f"value {n}" for n in range(40)}
CHILD = """
import pickle, sys
from hashlib import sha256
from costspan.exporter.clickhouse.inserts import Inserts
writer, best, groups = pickle.load(sys.stdin.buffer)
for group in groups:
    for made in Inserts(writer, best).of(group):
        print(made.table, made.rows, made.token, sha256(made.body).hexdigest(), made.settings)
"""


def spans_of(seq: int, starts: Sequence[int] = (NOW,)) -> Frame:
    spans = [
        span({**MANY, "double": 0.1 + n, "list": [1.5, "a"]}, start_ns=start)
        for n, start in enumerate(starts)
    ]
    priced = call(identity=Identity(dimensions=MANY), span_id=seq.to_bytes(8, "big"))
    return Frame(seq, NOW, TRACES, 0, (), request(*spans), encode_calls([priced]), len(starts))


def groups() -> list[list[Frame]]:
    """One of each signal; of spans a small group and one that is large enough for OTLP."""
    corrections = encode_calls([call(version=9, usage={f"unit {n}": n for n in range(30)})])
    snapshots = encode_totals([totals(dimensions=MANY, usage={"input": 1, "output": 2})])
    return [
        [spans_of(1), spans_of(2)],
        [spans_of(3, [NOW] * 600)],
        [Frame(4, NOW, CALL_ROWS, OWN, (), corrections, b"", 0)],
        [Frame(5, NOW, TRACE_TOTALS, OWN, (), snapshots, b"", 0)],
    ]


def in_a_process(hash_seed: str, given: bytes) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(  # noqa: S603  this interpreter
        [sys.executable, "-c", CHILD], input=given, env=environment, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_two_processes_make_the_same_bytes_and_tokens() -> None:
    """After a restart the same frames are the same inserts, whatever the seed of hashes."""
    given = pickle.dumps(("journal", OTLP, groups()))
    first, second = (in_a_process(seed, given) for seed in ("1", "2"))

    assert first == second
    assert [line.split()[0] for line in first.splitlines()] == [
        "llm_calls", "otel_traces", "llm_calls", "otel_traces_otlp", "llm_calls",
        "trace_totals_parts",
    ]  # fmt: skip


def made(frames: list[Frame], writer: str = "w", best: str = NATIVE) -> list[Insert]:
    return list(Inserts(writer, best).of(frames))


def test_a_token_names_the_journal_the_frames_and_the_bytes() -> None:
    """Another journal, other frames or other rows of the same frames: another token."""
    whole = made([spans_of(1), spans_of(2)])
    other_journal = made([spans_of(1), spans_of(2)], "v")
    half = made([spans_of(1)])
    other_rows = made([spans_of(1, [NOW + 1]), spans_of(2)])
    tokens = [inserts[1].token for inserts in (whole, other_journal, half, other_rows)]

    assert len(set(tokens)) == 4
    assert whole[1].token.startswith("w:1-2:")
    assert other_rows[0].token == whole[0].token  # its calls are the same


def test_calls_precede_spans() -> None:
    """A call's row replaces itself, so what was half written may be written again in halves."""
    assert [insert.table for insert in made([spans_of(1)])] == ["llm_calls", "otel_traces"]


def test_spans_of_too_many_days_come_apart_by_day() -> None:
    """At most 100 days a part, the earliest first, every span once, its scope and resource kept."""
    starts = [NOW - (n * 7 % 250) * DAY for n in range(500)]
    frames = [spans_of(1, starts[:300]), spans_of(2, starts[300:])]
    whole = made(frames)[1]
    assert whole.by_days is not None
    parts = list(whole.by_days())
    columns = [read_block(part.body) for part in parts]
    found = [[start // DAY for start in each["Timestamp"]] for each in columns]

    assert [len(set(days)) for days in found] == [100, 100, 50]
    assert found[0] < found[1] < found[2]
    assert sorted(s for each in columns for s in each["Timestamp"]) == sorted(starts)
    assert {name for each in columns for name in each["ServiceName"]} == {"app"}
    assert sum(part.rows for part in parts) == 500
    assert len({part.token for part in parts}) == 3


def test_otlp_comes_apart_as_otlp() -> None:
    """The parts take the way of the whole, so they are the same after a restart."""
    whole = made([spans_of(1, [NOW - n * DAY for n in range(600)])], best=OTLP)[1]
    assert whole.by_days is not None
    parts = list(whole.by_days())

    assert [part.format for part in parts] == ["ProtobufList"] * 6
    assert [part.rows for part in parts] == [100] * 6


def test_calls_of_too_many_days_come_apart_before_they_are_sent() -> None:
    """Their days are at hand: no server has to refuse them first."""
    calls = [call(start_ns=NOW - n % 150 * DAY) for n in range(300)]
    frame = Frame(1, NOW, CALL_ROWS, OWN, (), encode_calls(calls), b"", 0)

    assert [insert.rows for insert in made([frame])] == [200, 100]
