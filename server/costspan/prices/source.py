"""The prices in force, and the thread that renews them when their files change. Prices nothing.

Everything is read and checked away from the line, then one reference is replaced. Files with a
fault change nothing: the last good prices stay, and a metric, the log and the health page say so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import NamedTuple

from costspan.clock import Clock
from costspan.errors import ConfigError
from costspan.prices.files import Fingerprint, PriceFiles, Prices, load
from costspan.telemetry import Gauge, Labels, Telemetry

# A change is read once the files have looked the same for this long: one that is being written in
# place may be valid and half of what it will be.
_SETTLED = 1.0
_SECOND = 1_000_000_000
_STOP_TIMEOUT = 5.0
_log = logging.getLogger(__name__)


class State(NamedTuple):
    """What the health page shows."""

    faults: tuple[str, ...]  # of the files as they are; the prices in force have none
    facts: Mapping[str, str]


class PriceSource:
    """Holds the prices in force. Raises ConfigError if the files have a fault to begin with."""

    def __init__(
        self, files: PriceFiles, interval: float, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._files = files
        self._interval = interval  # seconds; 0: only when asked
        self._telemetry = telemetry
        self._clock = clock
        self._seen: Fingerprint = files.fingerprint()
        self._changed: Fingerprint | None = None  # seen once, to be read when it is seen again
        self._faults: tuple[str, ...] = ()
        self._install: Callable[[Prices], None] = lambda _prices: None
        # of its kind the only one that a signal handler may use while its thread does
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._stopping = False
        self._thread: threading.Thread | None = None
        for result in ("success", "failure"):
            telemetry.price_reloads.add(0, result)
        telemetry.watch(self._age)
        self._accept(load(files))

    def start(self, install: Callable[[Prices], None]) -> None:
        """Renew from now on; `install` puts new prices in force. Without files there is nothing."""
        self._install = install
        if self._seen:
            self._thread = threading.Thread(target=self._run, name="prices", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._asked.put(None)
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT)

    def ask(self) -> None:
        """Read the files again now, changed or not. Returns at once; fit for a signal handler."""
        self._asked.put(None)

    def state(self) -> State:
        facts = {
            "price_book": self.prices.book.ref,
            "rate_cards": ", ".join(card.ref for card in self.prices.cards),
            "read_at": datetime.fromtimestamp(self._read_ns / _SECOND, UTC).isoformat(),
        }
        return State(self._faults, facts)

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            pause = self._interval if self._changed is None else min(_SETTLED, self._interval)
            try:
                self._asked.get(timeout=pause or None)
                asked = True
            except Empty:
                asked = False
            if not self._stopping:
                self._look(asked=asked)

    def _look(self, *, asked: bool) -> None:
        now = self._files.fingerprint()
        if not asked and now == self._seen:
            self._changed = None
        elif asked or now == self._changed:
            self._changed, self._seen = None, now
            self._renew()
        else:
            self._changed = now

    def _renew(self) -> None:
        try:
            prices = load(self._files)
            self._install(prices)
        except ConfigError as error:
            self._refuse(error.faults)
        except Exception as fault:  # noqa: BLE001  no file may end the thread
            _log.exception("the prices could not be read")
            self._refuse([f"{type(fault).__name__}: {fault}"])
        else:
            self._accept(prices)
            for warning in prices.warnings:  # those of the start are notes of the configuration
                _log.warning("prices: %s", warning)
            self._telemetry.price_reloads.add(1, "success")

    # --- what it says of itself ---------------------------------------------------------------

    def _accept(self, prices: Prices) -> None:
        self.prices, self._faults = prices, ()
        self._read_ns = self._clock.now()
        _log.info("prices in force: %s", prices)
        table, book = self._telemetry, prices.book
        table.prices_successful.set(1)
        table.prices_last_success.set(self._read_ns / _SECOND)
        table.price_book_info.replace({(book.name, book.sha256): 1})
        table.rate_card_info.replace({(c.id, c.revision, c.sha256): 1 for c in prices.cards})
        table.rate_card_meter.replace(
            {(c.id, m.name, m.unit): float(m.usd) for c in prices.cards for m in c.meters}
        )

    def _refuse(self, faults: list[str]) -> None:
        self._faults = tuple(faults)
        for fault in faults:
            _log.error("prices: %s", fault)
        _log.error("the prices read before stay in force: %s", self.prices)
        self._telemetry.prices_successful.set(0)
        self._telemetry.price_reloads.add(1, "failure")  # last: who waits for it finds the rest

    def _age(self) -> Mapping[Gauge, Mapping[Labels, float]]:
        """The age of the book, if it says of when it is."""
        day = self.prices.book.date
        if day is None:
            return {}
        since = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        return {self._telemetry.price_book_age: {(): self._clock.now() / _SECOND - since}}
