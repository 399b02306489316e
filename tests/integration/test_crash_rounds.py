"""kill -9 at every point of the line, under load: nothing that was acked is missing at either end.

`make crash-rounds` plays 200 rounds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.crash_launcher import MUTATIONS, POINTS
from integration.crash_rounds import Outcome, crashing, plan
from integration.running_store import RunningStore

pytestmark = pytest.mark.slow

TIMES = 3
SEED = 8


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, store: RunningStore) -> Outcome:
    directory = tmp_path_factory.mktemp("crashes")
    with crashing(directory, store, "crashes") as rounds:
        for point, passages in plan(TIMES * len(POINTS), SEED):
            rounds.play(point, passages)
        return rounds.end()


def test_it_died_at_every_point(outcome: Outcome) -> None:
    assert len(outcome.rounds) >= 20
    assert outcome.deaths() == dict.fromkeys(POINTS, TIMES)


def test_nothing_that_was_acked_is_missing(outcome: Outcome) -> None:
    """And nothing is there that was never sent."""
    assert outcome.missing() == {"otlp": 0, "clickhouse": 0}
    assert outcome.downstream.keys() == outcome.rows.keys() == outcome.books.spans.keys()


def test_every_call_is_in_the_store_once_with_its_exact_cost(outcome: Outcome) -> None:
    assert len(outcome.calls) == len(outcome.books.costs)
    assert dict(outcome.calls) == outcome.books.costs


def test_the_totals_of_the_traces_are_exact(outcome: Outcome) -> None:
    """Each trace came in three requests, and many were open when costspan died."""
    assert outcome.totals == outcome.exact_totals()


def test_a_row_of_otel_traces_is_doubled_only_if_its_ack_was_lost(
    outcome: Outcome,
) -> None:
    """A crash between the journal and the ack: both requests were accepted."""
    assert outcome.doubtful
    assert outcome.doubled_rows() <= outcome.doubtful


def test_the_account_of_the_last_life_adds_up(outcome: Outcome) -> None:
    for account in outcome.accounts.values():
        assert account.accepted == account.sent == account.settled, outcome.accounts
    assert outcome.exit_code == 0


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_line_that_breaks_its_promise_is_found_out(
    tmp_path: Path, store: RunningStore, database: str, mutation: str
) -> None:
    """An ack before the journal has the spans; a cursor that passes what has not arrived."""
    with crashing(tmp_path, store, database, mutation) as rounds:
        for point, passages in (("before send", 5), ("before insert", 4), ("before append", 9)):
            rounds.play(point, passages)
        outcome = rounds.end()

    assert min(outcome.missing().values()) > 0
