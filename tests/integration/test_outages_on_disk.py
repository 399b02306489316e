"""The lines of test_outages.py with journals on disk: costspan too is killed during the outage.

The Collector and the store of a line are dead, its journal holds what they missed, and then its
process is gone too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.mortal_store import MortalStore
from integration.outage import LINES, Ended, Place, play
from integration.running_store import RunningStore
from integration.steady_load import SPANS

pytestmark = [pytest.mark.slow, pytest.mark.collector]

OUTAGE = 6.0  # seconds


@pytest.fixture(scope="module")
def all_ended(
    otelcol: Path, tmp_path_factory: pytest.TempPathFactory, store: RunningStore
) -> dict[str, Ended]:
    directory = tmp_path_factory.mktemp("outages-on-disk")
    with MortalStore(directory / "mortal-store") as mortal:
        place = Place(otelcol, directory, store, mortal, on_disk=True)
        with place.rigs() as rigs:
            return play(place, rigs, OUTAGE, crash=True)


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


def test_the_totals_of_the_traces_are_the_same_money(ended: Ended) -> None:
    books = ended.books
    traces = len(books.spans) // SPANS

    assert ended.totals == (books.cost, len(books.costs), len(books.spans), traces)


def test_the_account_of_the_second_life_adds_up(ended: Ended) -> None:
    """What the first life had left over is accepted by the second."""
    assert {exporter for exporter, _ in ended.accounts} >= {"otlp", "clickhouse"}
    for account in ended.accounts.values():
        assert account.accepted == account.sent == account.settled, ended.accounts
