"""Thirty seconds without the Collector, without the store, without both: counted at both ends.

One outage, three lines under steady load at once, all real processes:

    line       the Collector     ClickHouse
    collector  killed            alive
    store      alive             killed
    both       killed            killed
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from integration.mortal_store import MortalStore
from integration.outage import BOTH, BOUND, COLLECTOR, LINES, STORE, Ended, Place, play
from integration.running_store import RunningStore
from integration.steady_load import SPANS

pytestmark = [pytest.mark.slow, pytest.mark.collector]

OUTAGE = 30.0  # seconds
DEAD = {
    COLLECTOR: ["exporter/otlp"],
    STORE: ["exporter/clickhouse"],
    BOTH: ["exporter/clickhouse", "exporter/otlp"],
}


@pytest.fixture(scope="module")
def all_ended(
    otelcol: Path, tmp_path_factory: pytest.TempPathFactory, store: RunningStore
) -> dict[str, Ended]:
    """What the outage left behind: played once, looked at by every test."""
    directory = tmp_path_factory.mktemp("outages")
    with MortalStore(directory / "mortal-store") as mortal:
        place = Place(otelcol, directory, store, mortal)
        with place.rigs() as rigs:
            return play(place, rigs, OUTAGE)


@pytest.fixture(params=LINES)
def ended(request: pytest.FixtureRequest, all_ended: dict[str, Ended]) -> Ended:
    return all_ended[request.param]


def test_nothing_that_was_acked_is_missing_at_either_end(ended: Ended) -> None:
    """And nothing is there that was never sent."""
    assert len(ended.books.spans) > 200 * OUTAGE
    assert ended.downstream.keys() == ended.books.spans.keys()
    assert ended.rows.keys() == ended.books.spans.keys()


def test_every_call_is_in_the_store_once_with_its_exact_cost(ended: Ended) -> None:
    assert len(ended.calls) == len(ended.books.costs)
    assert dict(ended.calls) == ended.books.costs
    assert sum((cost or Decimal(0) for _, cost in ended.calls), Decimal(0)) == ended.books.cost


def test_the_totals_of_the_traces_are_the_same_money(ended: Ended) -> None:
    books = ended.books
    traces = len(books.spans) // SPANS

    assert ended.totals == (books.cost, len(books.costs), len(books.spans), traces)


def test_prometheus_shows_the_same_money(ended: Ended) -> None:
    """Each series is the double nearest to an exact sum."""
    expected = {key: float(usd) for key, usd in ended.books.cost_by_bucket().items()}

    assert ended.costs == expected


def test_what_was_accepted_was_sent_to_each_destination(ended: Ended) -> None:
    """Nothing was rejected, dead-lettered or dropped, and nothing waits any more."""
    spans = len(ended.books.spans)

    assert ended.accepted == spans
    assert {exporter for exporter, _ in ended.accounts} == {"otlp", "clickhouse"}
    for (_, signal), account in ended.accounts.items():
        assert account.accepted == account.sent == account.settled
        assert signal != "traces" or account.sent == spans


def test_neither_the_living_destination_nor_the_client_waited(ended: Ended) -> None:
    """All through the outage the living one had what was acked within the bound."""
    assert len(ended.healths) >= 5
    assert len(ended.lags) == (0 if ended.name == BOTH else len(ended.healths))
    assert max(ended.lags, default=0.0) < BOUND
    assert ended.slowest_ack < BOUND
    assert ended.refusals == 0


def test_it_stays_up_and_ready_and_names_what_is_dead(ended: Ended) -> None:
    assert len(ended.pids) == 1
    assert {health.status for health in ended.healths} == {200}
    assert ended.healths[-1].dead == DEAD[ended.name]
