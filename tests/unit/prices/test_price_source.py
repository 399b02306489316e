"""Prices are renewed when their files change; files with faults change nothing and are told of."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from costspan.errors import ConfigError
from costspan.prices.files import PriceFiles, Prices
from costspan.prices.source import PriceSource
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock
from hits import BOOK
from rate_cards import HEADER, Mounted, discount

METER = 'meters: [{name: cache-storage, unit: mtok_hour, usd: "4.50"}]\n'


class Bench:
    """A source over one mounted card, and what it put in force."""

    def __init__(self, folder: Path, card: str, interval: float = 0.0) -> None:
        self.mounted = Mounted(folder / "rates")
        self.mounted.update(acme=card)
        self.telemetry, self.clock = Telemetry(), ManualClock()
        self.files = PriceFiles(str(BOOK), (self.mounted.path("acme"),))
        self.source = PriceSource(self.files, interval, self.telemetry, self.clock)
        self.installed: list[Prices] = []
        self.source._install = self.installed.append

    def poll(self, times: int = 1) -> None:
        for _ in range(times):
            self.source._look(asked=False)

    def revisions(self) -> list[str]:
        return [prices.cards[0].revision for prices in self.installed]

    def reloads(self, result: str) -> int:
        return self.telemetry.price_reloads.exact(result)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, discount("0.5"))


def test_files_with_faults_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"acme\.yaml:7"):
        Bench(tmp_path, discount("-1"))


def test_what_has_not_changed_is_not_read(bench: Bench) -> None:
    bench.poll(5)

    assert ([], 0, 0) == (bench.installed, bench.reloads("success"), bench.reloads("failure"))


def test_a_change_is_read_once_it_has_settled(bench: Bench) -> None:
    """Seen once it may still be in the writing; seen twice it is read, and then not again."""
    bench.mounted.update(acme=discount("0.5", revision=2))
    bench.poll()
    assert [] == bench.revisions()
    bench.poll(4)

    assert (["2"], 1) == (bench.revisions(), bench.reloads("success"))
    assert "2" == bench.source.prices.cards[0].revision


def test_a_file_that_is_still_being_written_is_not_read(bench: Bench) -> None:
    """Half a file may be a valid card: without the discount that the other half holds."""
    header = HEADER.format(id="acme", revision=2)
    bench.mounted.update(acme=header)
    bench.poll()
    bench.mounted.update(acme=discount("0.25", revision=2))
    bench.poll()
    assert [] == bench.installed
    bench.poll()

    assert [1] == [len(prices.cards[0].discounts) for prices in bench.installed]


def test_a_change_that_is_taken_back_is_none(bench: Bench) -> None:
    bench.mounted.update(acme=discount("0.5", revision=2))
    bench.poll()
    bench.mounted.update(acme=discount("0.5"))
    bench.poll(3)

    assert [] == bench.installed


def test_faulty_files_leave_the_last_good_prices_in_force(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.mounted.update(acme=discount("12", revision=2).replace("provider: openai", "povider: x"))
    with caplog.at_level(logging.ERROR):
        bench.poll(5)

    assert [] == bench.installed
    assert "1" == bench.source.prices.cards[0].revision
    assert 1 == bench.reloads("failure")  # told once, not at every look
    assert 0 == bench.telemetry.prices_successful.value()
    faults = bench.source.state().faults
    assert len(faults) == 2
    assert all(f"prices: {fault}" in caplog.messages for fault in faults)
    assert any("acme@1" in each and "stay in force" in each for each in caplog.messages)


def test_repaired_files_are_in_force_again(bench: Bench) -> None:
    bench.mounted.update(acme="{")
    bench.poll(2)
    bench.mounted.update(acme=discount("0.5", revision=3))
    bench.poll(2)

    assert (["3"], ()) == (bench.revisions(), bench.source.state().faults)
    assert 1 == bench.telemetry.prices_successful.value()
    assert (1, 1) == (bench.reloads("success"), bench.reloads("failure"))


def test_the_old_content_after_a_fault_is_good_again(bench: Bench) -> None:
    bench.mounted.update(acme="{")
    bench.poll(2)
    bench.mounted.update(acme=discount("0.5"))
    bench.poll(2)

    assert () == bench.source.state().faults


def test_a_file_that_vanishes_changes_nothing(bench: Bench) -> None:
    Path(bench.mounted.path("acme")).unlink()
    bench.poll(2)

    assert ("1", 1) == (bench.source.prices.cards[0].revision, bench.reloads("failure"))


def test_who_asks_is_served_at_once_changed_or_not(bench: Bench) -> None:
    bench.source._look(asked=True)
    bench.mounted.update(acme=discount("0.5", revision=2))
    bench.source._look(asked=True)

    assert ["1", "2"] == bench.revisions()


def test_prices_that_cannot_be_put_in_force_are_as_if_they_were_not_there(bench: Bench) -> None:
    def refuse(_prices: Prices) -> None:
        raise RuntimeError("no room")

    bench.source._install = refuse
    bench.mounted.update(acme=discount("0.5", revision=2))
    bench.poll(2)

    assert "1" == bench.source.prices.cards[0].revision
    assert ("RuntimeError: no room",) == bench.source.state().faults


def test_the_metrics_say_what_is_in_force(bench: Bench) -> None:
    """The series of an earlier revision are gone: a join on the info metric has one partner."""
    bench.clock.advance(60)
    bench.mounted.update(acme=discount("0.5", revision=2) + METER)
    bench.poll(2)
    samples = {
        sample.name: [s for s in family.samples if s.name == sample.name]
        for family in bench.telemetry.collect()
        for sample in family.samples
    }

    (card,) = samples["costspan_rate_card_info"]
    assert ("acme", "2", 1) == (card.labels["id"], card.labels["revision"], card.value)
    (meter,) = samples["costspan_rate_card_meter_usd"]
    assert {"id": "acme", "meter": "cache-storage", "unit": "mtok_hour"} == meter.labels
    assert 4.5 == meter.value
    (last,) = samples["costspan_rate_card_last_success_timestamp_seconds"]
    assert bench.clock.now() / 1e9 == last.value
    (book,) = samples["costspan_price_book_info"]
    assert bench.source.prices.book.sha256 == book.labels["sha256"]


def test_a_book_says_its_age_if_it_knows_its_date() -> None:
    telemetry, clock = Telemetry(), ManualClock()
    source = PriceSource(PriceFiles(), 0, telemetry, clock)
    day = source.prices.book.date
    assert day is not None
    (age,) = next(f for f in telemetry.collect() if f.name.endswith("book_age_seconds")).samples

    midnight = clock.now() / 1e9 - age.value
    assert 0 == midnight % 86400
    assert day.toordinal() == midnight // 86400 + 719_163  # 1970-01-01


# --- the thread ----------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[tuple[Bench, threading.Event]]:
    """A running source that looks every 10 ms, and an event for prices put in force."""
    bench, installed = Bench(tmp_path, discount("0.5"), interval=0.01), threading.Event()

    def install(prices: Prices) -> None:
        bench.installed.append(prices)
        installed.set()

    bench.source.start(install)
    yield bench, installed
    bench.source.stop()


def test_the_thread_finds_a_change_by_itself(fresh: tuple[Bench, threading.Event]) -> None:
    bench, installed = fresh
    bench.mounted.update(acme=discount("0.5", revision=2))

    assert installed.wait(10)
    assert ["2"] == bench.revisions()


def test_the_thread_survives_whatever_the_files_hold(
    fresh: tuple[Bench, threading.Event],
) -> None:
    bench, installed = fresh
    for text in ("", "\0", "- - -", "a: &a [*a]", "[" * 5000, "\ud7ff" * 10, "!!python/object:x"):
        bench.mounted.update(acme=text)
        bench.source.ask()
    bench.mounted.update(acme=discount("0.5", revision=9))

    assert installed.wait(10)
    assert {"9"} == set(bench.revisions())  # read again for every question that was asked


def test_an_interval_of_0_looks_only_when_asked(tmp_path: Path) -> None:
    bench, installed = Bench(tmp_path, discount("0.5"), interval=0), threading.Event()
    bench.source.start(lambda _prices: installed.set())
    bench.mounted.update(acme=discount("0.5", revision=2))

    assert not installed.wait(0.3)
    bench.source.ask()
    assert installed.wait(10)
    bench.source.stop()


def test_without_files_there_is_no_thread() -> None:
    source = PriceSource(PriceFiles(), 10, Telemetry(), ManualClock())
    source.start(lambda _prices: None)
    source.ask()

    assert source._thread is None
    source.stop()
