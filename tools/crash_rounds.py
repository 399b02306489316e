"""Plays crash rounds and records them in benchmarks/CRASHES.md: `make crash-rounds`.

The rounds are those of tests/integration/test_crash_rounds.py; here are more of them, and a page.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT / "tests"), str(_ROOT / "benchmarks")]

from machine import commit, machine  # noqa: E402  (found by the line above)

from costspan.store.process import EmbeddedStore  # noqa: E402
from integration.both_ends import Totals  # noqa: E402
from integration.crash_launcher import POINTS  # noqa: E402
from integration.crash_rounds import Outcome, Round, crashing, plan  # noqa: E402
from integration.running_store import RunningStore  # noqa: E402

_PAGE = _ROOT / "benchmarks" / "CRASHES.md"


def main() -> int:
    """Exit code 5 if a promise was broken; the page says which."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="draws the order and the passages")
    waits = "roots and agents' runs wait for totals; the page stays as it is"
    parser.add_argument("--root-span", action="store_true", help=waits)
    options = parser.parse_args()
    outcome = play(options.rounds, options.seed, waits=options.root_span)
    faults = broken(outcome)
    if not options.root_span:
        _PAGE.write_text(page(outcome, faults, options.seed), encoding="utf-8")
    print("\n".join(faults) or f"{len(outcome.rounds)} rounds; nothing is missing or billed twice")
    return 5 if faults else 0


def play(rounds: int, seed: int, *, waits: bool = False) -> Outcome:
    """All rounds on one journal; each is announced when it is over."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _store(Path(folder)) as store,
        crashing(Path(folder), store, "crashes", waits=waits) as played,
    ):
        for number, (point, passages) in enumerate(plan(rounds, seed), 1):
            played.play(point, passages)
            print(f"{number:4} {point} ({passages})", file=sys.stderr)
        return played.end()


def broken(outcome: Outcome) -> list[str]:
    """A sentence for every promise that did not hold."""
    books, found = outcome.books, []
    for end, missing in outcome.missing().items():
        if missing:
            found.append(f"{missing} acked spans are missing at {end}")
    if len(outcome.calls) != len(books.costs) or dict(outcome.calls) != books.costs:
        found.append(f"llm_calls has {len(outcome.calls)} calls of {len(books.costs)}, or others")
    if outcome.totals != outcome.exact_totals():
        found.append(f"trace_totals: {outcome.totals} in place of {outcome.exact_totals()}")
    if unexplained := outcome.doubled_rows() - outcome.doubtful:
        found.append(f"{len(unexplained)} spans are doubled in otel_traces that were acked at once")
    for name, account in outcome.accounts.items():
        if account.accepted != account.settled:
            found.append(f"the account of {name} does not add up: {account}")
    return found


def page(outcome: Outcome, faults: Sequence[str], seed: int) -> str:
    """CRASHES.md."""
    books, missing = outcome.books, outcome.missing()
    twice = sum(1 for times in outcome.downstream.values() if times > 1)
    rows = [
        ("rounds", len(outcome.rounds)),
        ("spans that the client holds for safe", len(books.spans)),
        ("of them missing at the OTLP destination", missing["otlp"]),
        ("of them missing in `otel_traces`", missing["clickhouse"]),
        ("model calls sent, in `llm_calls`", f"{len(books.costs)}, {len(outcome.calls)}"),
        ("their cost by the client's books, USD", books.cost),
        ("by `llm_calls`, USD", sum(cost or 0 for _, cost in outcome.calls)),
        ("traces, calls and cost by `trace_totals`", _told(outcome.totals)),
        ("by the client's books", _told(outcome.exact_totals())),
        ("spans whose ack may have been lost", len(outcome.doubtful)),
        ("spans doubled in `otel_traces`", len(outcome.doubled_rows())),
        ("of them acked at once", len(outcome.doubled_rows() - outcome.doubtful)),
        ("spans that came twice or more over OTLP, which allows it", twice),
        ("promises broken", "; ".join(faults) or "none"),
    ]
    host = machine()
    head = f"""# Crash rounds

Recorded {datetime.now(UTC).date()} at commit `{commit()}` by `make crash-rounds` (seed {seed}).
Machine: {host["cpu"]}, {host["cores"]} cores, Python {host["python"]}, Linux {host["kernel"]}; load
average {os.getloadavg()[2]:.2f}.

One journal directory (`fsync: group`), one client at 1 000 spans/s that sends a request until it
is acked, an OTLP sink and the embedded store, which outlive costspan. In each round costspan dies
by SIGKILL at the k-th passage of a point (k is drawn, at most 12) and is started again. At the end
it delivers what is left, and everything is counted by span id.

"""
    return head + _table(("", ""), rows) + "\n## By point\n\n" + _by_point(outcome.rounds)


def _told(totals: Totals) -> str:
    return f"{totals.traces}, {totals.calls}, {totals.cost.normalize()}"


def _by_point(rounds: Sequence[Round]) -> str:
    """How often it died where, and how soon the life that died there had been ready."""
    rows = []
    for point in POINTS:
        lives = [each for each in rounds if each.point == point]
        ready = sorted(each.ready for each in lives if not math.isnan(each.ready))
        figures = (f"{median(ready):.2f}", f"{ready[-1]:.2f}") if ready else ("", "")
        rows.append((point, len(lives), *figures))
    note = (
        "\nFrom the start of the process until it took spans, with what the life before had left.\n"
    )
    return _table(("died", "rounds", "ready after, median s", "longest s"), rows) + note


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


@contextmanager
def _store(folder: Path) -> Iterator[RunningStore]:
    embedded = EmbeddedStore(folder / "store")
    embedded.start()
    store = RunningStore(embedded)
    try:
        yield store
    finally:
        store.stop()


if __name__ == "__main__":
    sys.exit(main())
