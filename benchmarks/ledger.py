"""What the trace ledger costs: a span that comes, a trace that is closed, one that waits.

    python benchmarks/ledger.py [--quick]

CPU time of one thread; every case in a process of its own, the best of three. The soak compares
what the rows say with what was sent. Writes LEDGER.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import intake
from machine import commit, loop_ms, machine
from msgspec.structs import replace
from process import memory
from tables import heading, number, table

from costspan.ledger.ledger import Closing, LedgerSettings, TraceLedger
from costspan.ledger.rollup import rollup
from costspan.ledger.snapshot import Stamp, totals
from costspan.model import TRACES, Frame, LlmCall, decode_calls, encode_calls
from costspan.telemetry import Telemetry
from costspan.testing import request, span, usage
from costspan.wire import HEAD

_HERE = Path(__file__).parent
_SECOND, _MIB = 10**9, 1 << 20
_START = 1_790_000_000 * _SECOND
_PER_TRACE, _PER_FRAME = 10, 500
_BUSY, _OPEN, _LARGE, _EVENTS = 20_000, 100_000, 100_000, 200_000
_ROOMY = LedgerSettings(max_traces=10**9, max_bytes=1 << 40, idle=1e9, max_age=1e9)
_SOAKED = LedgerSettings(max_bytes=64 * _MIB, max_traces=50_000)
_STEP = _SECOND // 20  # of the soak's clock, for 500 spans
_NOBODY = 1 << 60  # a span's id
_CALLS = (0, 1, 3)  # of the ten spans of a trace
_ABOVE: dict[str, Callable[[int], int]] = {
    "flat": lambda one: min(one, 1),
    "chain": lambda one: one,
    "bushy": lambda one: (one + 7) // 8,
}
_Figures = dict[str, float]


class Made(NamedTuple):
    """A span: its packed head, and its record if it is a call."""

    head: bytes
    call: LlmCall | None


def main() -> None:
    """The command line; `case` is the part that runs in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once: print, record nothing")
    parser.add_argument("--case", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(_case(arguments.case)))
        return
    rounds = 1 if arguments.quick else 3
    loops, loads = [loop_ms()], [os.getloadavg()[0]]
    busy = {calls: _best("busy", str(calls), rounds=rounds) for calls in _CALLS}
    held = {calls: _best("open", str(calls), rounds=1) for calls in _CALLS}
    rolled = {shape: _best("rollup", shape, rounds=rounds) for shape in _ABOVE}
    soak = _best("soak", rounds=1)
    loops.append(loop_ms())
    loads.append(os.getloadavg()[0])
    text = "\n".join((_head(loops, loads), "", _told(busy, held, rolled), "", _soaked(soak), ""))
    print(text)
    if not arguments.quick:
        (_HERE / "LEDGER.md").write_text(text)


# --- the parent ----------------------------------------------------------------------------------


def _best(*case: str, rounds: int) -> _Figures:
    """Of every figure the lowest."""
    runs = [_run(*case) for _ in range(rounds)]
    return {key: min(run[key] for run in runs) for key in runs[0]}


def _run(*case: str) -> _Figures:
    command = [sys.executable, str(_HERE / "ledger.py"), "--case", *case]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  our own file
    figures: _Figures = json.loads(out)
    return figures


def _head(loops: list[float], loads: list[float]) -> str:
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "command": "python benchmarks/ledger.py",
        "machine": machine(),
        "load": loads,
        "loop_ms": loops,
    }
    return f"# The trace ledger\n\n{heading(record)}"


def _told(busy: dict[int, _Figures], held: dict[int, _Figures], rolled: dict[str, _Figures]) -> str:
    columns = ("model calls of a trace's ten spans", "a span, us", "closing a trace, us",
               "100 000 open traces, MiB", "by the ledger's own estimate, MiB")  # fmt: skip
    rows = [
        [str(calls), *map(number, (busy[calls]["span"], busy[calls]["close"])),
         *map(number, (held[calls]["mib"], held[calls]["estimate"]))]
        for calls in _CALLS
    ]  # fmt: skip
    shapes = [
        [shape, number(each["rollup"]), number(each["row"])] for shape, each in rolled.items()
    ]
    return "\n".join(
        (
            _WHAT,
            "",
            table(columns, rows),
            "",
            "A trace of 100 000 spans, every tenth a model call (roll-up, then its row):",
            "",
            table(("shape", "roll-up, ms", "row, ms"), shapes),
        )
    )


_WHAT = (
    "CPU of the ledger alone, its records decoded, its rows made; nothing is read, sent or stored."
    " Requests of 500 spans; a trace without a model call is dropped at its close."
)


def _soaked(soak: _Figures) -> str:
    return (
        f"Soak: {soak['events']:.0f} spans with calls, 40 % of them of new traces, 10 % sent again,"
        f" one giant trace, under {_SOAKED.max_bytes // _MIB} MiB and {_SOAKED.max_traces} traces:"
        f" {soak['evicted']:.0f} traces were closed early, {soak['span']:.1f} us a span,"
        f" {soak['peak']:.0f} MiB at most by the ledger's own estimate. Calls counted"
        f" {soak['counted']:.0f} of {soak['calls']:.0f}; cost wrong by {soak['wrong']:.0f} attos;"
        f" counters and rows differ by {soak['drift']:.0f}."
    )


# --- a case --------------------------------------------------------------------------------------


def _case(words: Sequence[str]) -> _Figures:
    match words:
        case ["busy", calls]:
            return _measure_busy(_traces(_BUSY, int(calls)))
        case ["open", calls]:
            return _measure_open(int(calls))
        case ["rollup", shape]:
            return _measure_rollup(shape)
        case ["soak"]:
            return _measure_soak()
    raise SystemExit(f"no case {words}")


def _measure_busy(made: list[Made]) -> _Figures:
    frames = [_frame(seq, made, at) for seq, at in enumerate(range(0, len(made), _PER_FRAME), 1)]
    ledger = TraceLedger(_ROOMY, "w", Telemetry())
    began = time.process_time()
    for frame, heads in frames:
        ledger.add(frame, heads, 0)
    taken = time.process_time()
    closings = ledger.shutdown(1)
    closed = time.process_time()
    if len(closings) not in (0, _BUSY):
        raise RuntimeError(f"{_BUSY} rows expected, {len(closings)} seen")
    return {
        "span": (taken - began) * 1e6 / len(made),
        "close": (closed - taken) * 1e6 / _BUSY,
    }


def _measure_open(calls: int) -> _Figures:
    telemetry = Telemetry()
    ledger = TraceLedger(_ROOMY, "w", telemetry)
    before = memory(os.getpid()).resident
    for at in range(0, _OPEN, 50):
        frame, heads = _frame(at + 1, _traces(50, calls, first=at), 0)
        ledger.add(frame, heads, 0)
    held = memory(os.getpid()).resident - before
    return {"mib": held, "estimate": _estimate(telemetry)}


def _measure_rollup(shape: str) -> _Figures:
    parent = _ABOVE[shape]
    made = [
        _made(1, one + 1, parent(one), is_call=one % 10 == 9, ends=_LARGE - one)
        for one in range(_LARGE)
    ]
    calls = [each.call for each in made if each.call]
    nodes = [HEAD.unpack(each.head)[1:] for each in made]
    began = time.process_time()
    rolled = rollup(calls, nodes)
    done = time.process_time()
    totals(rolled, Stamp(b"", "w", 1, 1, "", "", 0))
    return {"rollup": (done - began) * 1e3, "row": (time.process_time() - done) * 1e3}


def _measure_soak() -> _Figures:
    """Spans of open traces, new traces and spans of any age, in frames of 500."""
    rng, telemetry = random.Random(1), Telemetry()
    ledger = TraceLedger(_SOAKED, "w", telemetry)
    sent: list[tuple[int, int]] = []
    rows: dict[tuple[bytes, int], tuple[int, int]] = {}
    numbers: dict[int, int] = {}
    spent = peak = 0.0
    for seq in range(1, _EVENTS // _PER_FRAME + 1):
        made = [_soak_span(rng, sent, numbers) for _ in range(_PER_FRAME)]
        frame, heads = _frame(seq, made, 0)
        began = time.process_time()
        ledger.add(frame, heads, seq * _STEP)
        _keep(rows, ledger.expire(seq * _STEP))
        spent += time.process_time() - began
        if not seq % 20:
            peak = max(peak, _estimate(telemetry))
    _keep(rows, ledger.shutdown(_EVENTS * _SECOND))
    right = sum(_cost(one) for _, one in set(sent))
    cost = sum(each for each, _ in rows.values())
    net = telemetry.cost.exact() - telemetry.cost_retracted.exact()
    return {
        "events": _EVENTS,
        "calls": len(set(sent)),
        "counted": sum(calls for _, calls in rows.values()),
        "wrong": cost - right,
        "drift": net - cost,
        "evicted": telemetry.evicted_traces.exact(),
        "span": spent * 1e6 / _EVENTS,
        "peak": peak,
    }


def _soak_span(rng: random.Random, sent: list[tuple[int, int]], numbers: dict[int, int]) -> Made:
    """One that came before, or the next of a new trace, of the giant one or of any other."""
    drawn = rng.random()
    if sent and drawn < 0.1:
        one = sent[-rng.randint(1, min(len(sent), 50_000))]
    else:
        new = len(numbers) + 1
        trace = new if drawn < 0.5 else 1 if drawn < 0.6 else rng.randint(max(1, new - 30_000), new)
        numbers[trace] = numbers.get(trace, 0) + 1
        one = trace, numbers[trace]
        sent.append(one)
    # beside each other, below a span that never comes: nothing of it is told twice
    head, _ = _made(*one, 0 if one[1] == 1 else _NOBODY, is_call=False)
    ids = {"trace_id": head[:16], "span_id": head[16:24], "parent_span_id": head[24:32]}
    charge = replace(_TEMPLATE.charge, total=str(_cost(one[1])), lines=())
    return Made(head, replace(_TEMPLATE, **ids, charge=charge))


def _cost(one: int) -> int:
    """Attos of the nth span of a trace."""
    return 10**15 + one


def _keep(rows: dict[tuple[bytes, int], tuple[int, int]], closings: list[Closing]) -> None:
    for row, _ in closings:
        rows[row.trace_id, row.generation] = int(row.cost), row.llm_calls


def _estimate(telemetry: Telemetry) -> float:
    """MiB, by the gauge."""
    for _ in telemetry.collect():
        pass  # asks for the gauges
    return telemetry.ledger_bytes.value() / _MIB


def _traces(count: int, calls: int, first: int = 0) -> list[Made]:
    """Spans of traces of ten, the root last."""
    return [
        _made(first + number + 1, one, 0 if one == 1 else 1, is_call=one > _PER_TRACE - calls)
        for number in range(count)
        for one in range(_PER_TRACE, 0, -1)
    ]


def _frame(seq: int, made: Sequence[Made], at: int) -> tuple[Frame, bytes]:
    part = made[at : at + _PER_FRAME]
    calls = encode_calls([each.call for each in part if each.call])
    heads = b"".join(each.head for each in part)
    return Frame(seq, _START, TRACES, 0, (), b"", calls, len(part)), heads


def _made(trace: int, one: int, parent: int, *, is_call: bool, ends: int = 1) -> Made:
    ids = trace.to_bytes(16), one.to_bytes(8), parent.to_bytes(8)
    start, end = _START + one, _START + one + ends
    head = HEAD.pack(*ids, start, end, 0, 1, 0)
    if not is_call:
        return Made(head, None)
    said = {"trace_id": ids[0], "span_id": ids[1], "parent_span_id": ids[2]}
    answer = f"chatcmpl-{one}"  # two ids of one provider are two calls, however alike
    call = replace(_TEMPLATE, **said, start_ns=start, end_ns=end, response_id=answer)
    return Made(head, call)


def _template() -> LlmCall:
    """A record as the intake makes it."""
    done = intake.pipeline(intake.meter()).intake(request(span(usage())))
    return decode_calls(done.calls)[0]


_TEMPLATE = _template()

if __name__ == "__main__":
    main()
