"""The composition root: a Config becomes a running service, started and stopped in order. No logic.

    start  sockets (a busy port ends it here) ▶ store ▶ ledger ▶ exporters ▶ receivers ▶ ready
    stop   not ready ▶ accept a moment longer ▶ receivers ▶ ledger ▶ exporters ▶ health ▶ store

Receivers stop first so that nothing is acked that is not delivered; the ledger before the
exporters, because what it closes leaves through them.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import platform
import signal
import socket
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from costspan import __version__
from costspan.clock import Clock, SystemClock
from costspan.config import ClickHouseExporter, Config
from costspan.config.processors import Signals
from costspan.config.tree import Protocols
from costspan.destinations import Origin, destination
from costspan.dialect import configured
from costspan.doctor.snapshot import encode
from costspan.doctor.survey import Survey
from costspan.exporter.dead_letters import DeadLetters
from costspan.exporter.destination import Destination
from costspan.exporter.otlp import MAX_REQUEST_BYTES
from costspan.exporter.retry import RetryPolicy
from costspan.exporter.runner import Runner, join_all
from costspan.journal.disk import DiskJournal, DiskSettings
from costspan.journal.memory import BACKPRESSURE, DROP_OLDEST, MemoryJournal
from costspan.ledger.alarms import Limits
from costspan.ledger.checkpoint import Checkpoints
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.outbox import Events
from costspan.ledger.reader import READER, LedgerReader
from costspan.ledger.waiting import WAITING_READER, Waiting
from costspan.ledger.waiting_sender import WaitingSender
from costspan.model import (
    HELD,
    LOGS,
    RELEASED,
    TRACE_TOTALS,
    TRACES,
    AgentTotals,
    Journal,
    ReaderSpec,
    TraceTotals,
    in_words,
)
from costspan.pipeline import Meter, Pipeline
from costspan.prices.files import Prices
from costspan.prices.source import PriceSource, State
from costspan.receiver.admission import Admission
from costspan.receiver.grpc import GrpcReceiver
from costspan.receiver.http import http_app
from costspan.store.process import EmbeddedStore
from costspan.telemetry import Telemetry
from costspan.web.debug import SURVEY, TRACE, Page, debug_app
from costspan.web.health import Component, Health, Phase, exporter_component, health_app
from costspan.web.metrics import metrics_app
from costspan.web.server import WebServer, listen
from costspan_pricing import Pricer, parse_usd

_log = logging.getLogger(__name__)

# Requests between arrival and ack. Above it clients are asked to come back; one alone always fits.
_IN_FLIGHT_BYTES = 128 * 1024 * 1024
_RECEIVER_GRACE = 2.0  # seconds for calls in flight once the listeners close
_WAITING_SHARE = 4  # a quarter of the ledger's memory holds spans, if any wait for totals
_SECOND = 1_000_000_000
# Python runs signal handlers in the main thread only. A signal that the kernel hands to another
# one does not interrupt this one's wait, so it looks by itself (docs.python.org, module signal).
_SIGNALS_SEEN = 1.0
# malloc.h: M_ARENA_MAX, M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
_MALLOC = {-8: 2, -1: 64 * 1024 * 1024, -3: 32 * 1024 * 1024}


class Service:
    """The running line. `start` once, then `stop` once, also after a start that failed."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._durable = bool(config.journal.directory)
        cost = config.processors.cost
        self._dimensions = configured(cost.dimensions, witnesses=cost.inherit_dimensions)
        self._clock = clock or SystemClock()
        self._instance = uuid.uuid4().hex
        self.telemetry = Telemetry()
        self.health = Health(self._clock)
        self._admission = Admission(_IN_FLIGHT_BYTES)
        self._store = _store(config)
        self._destinations = self._make_destinations()
        self._holds_spans = self._may_hold_spans()
        self.journal = self._journal([*self._reader_specs(), *self._ledger_specs()])
        self._survey = Survey()
        self._ledger = self._ledger_reader()
        self._runners = [self._runner(n, d) for n, d in self._destinations.items()]
        self._prices = self._price_source()
        meter = self._meter(self._prices.prices) if self._prices is not None else None
        self.pipeline = Pipeline(
            *(self.journal, meter, self.telemetry, self._clock, self._survey.note),
            hold_spans=self._holds_spans,
        )
        self._grpc: GrpcReceiver | None = None
        self._http: WebServer | None = None  # OTLP/HTTP
        self._web: WebServer | None = None  # health and metrics: they outlive the drain

    def start(self) -> None:
        """Return when spans are accepted. Raises StartError with the sentence to print."""
        if self._prices is not None:
            self._prices.start(lambda prices: self.pipeline.swap(self._meter(prices)))
        protocols = self._config.receivers.otlp.protocols
        self._grpc = self._grpc_receiver(protocols)
        self._http = self._http_receiver(protocols)
        self._web = self._web_server()
        if self._store is not None:
            self._store.start()
        self._ledger.start()
        for runner in self._runners:
            runner.start()
        self._watch_health()
        self._web.start()
        if self._http is not None:
            self._http.start()
        if self._grpc is not None:
            self._grpc.start()
        self.health.phase = Phase.SERVING
        self._say_what_runs(protocols)

    def stop(self, hurry: threading.Event | None = None) -> int:
        """Drain and end. Return how many items were left undelivered.

        Once `hurry` is set nothing is waited for any more: neither for clients nor for deliveries.
        """
        drain = self._config.service.drain
        hurry = hurry or threading.Event()
        if self._prices is not None:
            self._prices.stop()
        if self.health.phase is Phase.SERVING:
            self.health.phase = Phase.DRAINING
            hurry.wait(drain.accept_grace)
        if self._grpc is not None:
            self._grpc.stop(_RECEIVER_GRACE)
        if self._http is not None:
            self._http.stop(_RECEIVER_GRACE)
        # only now: a client that sends slowly must not eat the time to deliver
        deadline = self._clock.monotonic() + round(drain.timeout * _SECOND)
        self._ledger.stop(deadline)
        self.journal.close()
        for runner in self._runners:
            runner.drain(deadline)
        left = join_all(self._runners, hurry)
        self.journal.end()
        if self._web is not None:
            self._web.stop()
        if self._store is not None:
            self._store.stop()
        where = "in the journal" if self._durable else "undelivered"
        _log.info("stopped; %d items were left %s", left, where)
        return left

    def reload(self) -> None:
        """Read the price book and the rate cards again, soon and elsewhere. Fit for a signal."""
        if self._prices is not None:
            self._prices.ask()

    # --- the parts, from the outside in -------------------------------------------------------

    def _grpc_receiver(self, protocols: Protocols) -> GrpcReceiver | None:
        if protocols.grpc is None:
            return None
        return GrpcReceiver(
            self.pipeline.accept,
            endpoint=str(protocols.grpc.endpoint),
            admission=self._admission,
            telemetry=self.telemetry,
            instance=self._instance,
            max_recv_bytes=protocols.grpc.max_recv_msg_size_mib << 20,
            include_metadata=protocols.grpc.include_metadata,
        )

    def _http_receiver(self, protocols: Protocols) -> WebServer | None:
        if protocols.http is None:
            return None
        app = http_app(
            self.pipeline.accept,
            admission=self._admission,
            telemetry=self.telemetry,
            instance=self._instance,
            max_recv_bytes=protocols.http.max_request_body_size,
            include_metadata=protocols.http.include_metadata,
        )
        return WebServer([(listen(str(protocols.http.endpoint), "OTLP/HTTP"), app)])

    def _web_server(self) -> WebServer:
        config = self._config
        health = config.extensions.health_check.endpoint
        metrics = config.service.telemetry.metrics.address
        pages: dict[str, Page] = {
            SURVEY: lambda _rest: encode(self._survey.snapshot()),
            TRACE: self._ledger.look,
        }
        sites = [
            (
                listen(str(health), "the health endpoint"),
                debug_app(pages, health_app(self.health)),
            ),
            (listen(str(metrics), "/metrics"), metrics_app(self.telemetry)),
        ]
        return WebServer(sites)

    def _price_source(self) -> PriceSource | None:
        """Raises ConfigError if the files of prices have changed for the worse since the check."""
        cost = self._config.processors.cost
        if not cost.enabled:
            return None
        return PriceSource(cost.price_files, cost.reload_interval, self.telemetry, self._clock)

    def _meter(self, prices: Prices) -> Meter:
        processors = self._config.processors
        cost, tools = processors.cost, processors.trace_totals.tool_loops
        pricer = Pricer(prices.book, prices.cards)
        return Meter.by(pricer, self._dimensions, cost.off, remeter=cost.remeter, tools=tools)

    def _journal(self, readers: list[ReaderSpec]) -> Journal:
        """Raises StartError if its directory can't be had."""
        journal = self._config.journal
        if journal.directory is None:
            return MemoryJournal(readers, journal.limit, self.telemetry, self._clock)
        settings = DiskSettings(
            Path(journal.directory),
            max_size=journal.limit,
            segment_size=journal.segment_size,
            fsync=journal.fsync,
            fsync_interval=journal.fsync_interval,
            max_age=journal.max_age,
            forget=journal.forget,
        )
        return DiskJournal(readers, settings, self.telemetry, self._clock)

    def _may_hold_spans(self) -> bool:
        """Whether spans wait for totals: where there are any, and somebody gets them so."""
        processors = self._config.processors
        wanted = "root_span" in processors.trace_totals.emit and processors.cost.enabled
        return wanted and any(RELEASED in each.takes for each in self._destinations.values())

    def _ledger_specs(self) -> list[ReaderSpec]:
        """What the ledger never reads would never leave if spans wait for it: so no frame is lost.

        A journal on disk may hold spans from a time when they waited.
        """
        takes = frozenset({TRACES, HELD})
        full = BACKPRESSURE if self._holds_spans else DROP_OLDEST
        specs = [ReaderSpec(READER, takes, full, counted=False, releases=self._durable)]
        if self._durable:
            held = frozenset({HELD})
            awaits = frozenset({RELEASED})
            specs.append(
                ReaderSpec(WAITING_READER, held, BACKPRESSURE, counted=False, awaits=awaits)
            )
        return specs

    def _waiting(self) -> tuple[Waiting, WaitingSender] | None:
        if not (self._holds_spans or self._durable):
            return None
        limits = self._config.processors.trace_totals.limits
        waiting = Waiting(limits.bytes // _WAITING_SHARE, _with_totals, self.telemetry)
        room = self._config.journal.limit
        sender = WaitingSender(self.journal, waiting, self.telemetry, room, durable=self._durable)
        return waiting, sender

    def _ledger_reader(self) -> LedgerReader:
        totals = self._config.processors.trace_totals
        grace, quiet = totals.waits
        room = totals.limits.bytes
        settings = LedgerSettings(
            root_grace=grace,
            quiet=quiet,
            orphan_wait=totals.orphan_wait,
            local_roots=totals.root_policy == "local",
            checkpoint=totals.checkpoint,
            idle=totals.idle,
            max_age=totals.max_age,
            late_window=totals.late_window,
            max_traces=totals.limits.traces,
            max_bytes=room - room // _WAITING_SHARE if self._holds_spans else room,
            max_spans=totals.limits.spans_per_trace,
        )
        held = self._waiting()
        # Rows are named by the journal: one on disk goes on with them under any host's name, and
        # one in memory is a new epoch, so that old rows stay as they are.
        identity = self.journal.identity[:16]
        writer = identity if self._durable else f"{socket.gethostname()}/{identity[:8]}"
        taken = any(TRACE_TOTALS in each.takes for each in self._destinations.values())
        events = _events(self._hurry_logs) if "log_event" in totals.emit else None
        # what was told is told by rows in the journal, also if no table takes them
        rows = (taken and "clickhouse" in totals.emit) or events is not None
        ledger = TraceLedger(
            settings,
            writer,
            self.telemetry,
            rows=rows,
            observe=self._survey.take,
            limits=_limits(totals.signals) if totals.emit else None,
            ended=held[0].close if held and self._holds_spans else None,
        )
        return LedgerReader(
            *(self.journal, ledger, self._clock, self.telemetry, self._checkpoints(), events),
            waiting=held[1] if held else None,
        )

    def _hurry_logs(self) -> None:
        """What is told of an open trace is for stopping it: no log waits for a fuller batch."""
        for runner in self._runners:
            if LOGS in self._destinations[runner.name].takes:
                runner.hurry()

    def _checkpoints(self) -> Checkpoints | None:
        directory = self._config.journal.directory
        if directory is None:
            return None
        return Checkpoints(Path(directory) / "ledger", self.journal.identity, self.telemetry)

    def _make_destinations(self) -> dict[str, Destination]:
        store = self._store
        origin = Origin(
            self._instance,
            lambda: self.journal.identity,  # the journal is made after its readers
            lambda: store.dsn if store is not None else "",
            self.telemetry,
        )
        return {n: destination(n, e, origin) for n, e in self._config.exporters.items()}

    def _reader_specs(self) -> list[ReaderSpec]:
        """The first otlp exporter holds clients back; the others lose their own oldest.

        Without an otlp exporter ClickHouse holds back: it is then the only copy.
        """
        exporters = self._config.exporters
        otlp = [n for n, e in exporters.items() if not isinstance(e, ClickHouseExporter)]
        patient = (otlp or list(exporters))[:1]
        return [
            ReaderSpec(
                name,
                self._destinations[name].takes,
                exporter.when_full or (BACKPRESSURE if name in patient else DROP_OLDEST),
            )
            for name, exporter in exporters.items()
        ]

    def _runner(self, name: str, destination: Destination) -> Runner:
        exporter = self._config.exporters[name]
        retry, batch = exporter.retry_on_failure, exporter.sending_queue.batch
        most, consumers = batch.max_size, 1
        if not isinstance(exporter, ClickHouseExporter):
            most = min(most, MAX_REQUEST_BYTES)  # more would leave as one request and a sliver
            consumers = exporter.sending_queue.num_consumers
        return Runner(
            destination,
            self.journal,
            self.telemetry,
            self._clock,
            retry=RetryPolicy(retry.initial_interval, retry.max_interval, retry.multiplier),
            max_batch_bytes=most,
            linger=batch.flush_timeout,
            consumers=consumers,
            durable=self._durable,
            dead_letters=self._dead_letters(name),
        )

    def _dead_letters(self, name: str) -> DeadLetters | None:
        journal = self._config.journal
        if journal.dead_letter_directory is None:
            return None
        place = Path(journal.dead_letter_directory)
        return DeadLetters(place, name, journal.dead_letters.max_size, self.telemetry)

    # --- what it says of itself ---------------------------------------------------------------

    def _watch_health(self) -> None:
        for runner in self._runners:
            self.health.watch(f"exporter/{runner.name}", lambda r=runner: self._state(r))  # type: ignore[misc]  # bound early
        self.health.watch("journal", lambda: _journal_component(self.journal))
        if self._prices is not None:
            prices = self._prices
            self.health.watch("prices", lambda: _prices_component(prices.state()))
        if self._store is not None:
            store = self._store
            self.health.watch("store", lambda: Component(ok=True, facts={"pid": store.pid}))

    def _state(self, runner: Runner) -> Component:
        return exporter_component(
            self.journal.backlog(runner.name), runner.last_error, self._clock.now()
        )

    def _say_what_runs(self, protocols: Protocols) -> None:
        self.telemetry.build_info.set(1, __version__, platform.python_version())
        for transport, server in (("grpc", protocols.grpc), ("http", protocols.http)):
            if server is not None:
                _log.info("accepting OTLP/%s on %s", transport, server.endpoint)
        for name, each in self._destinations.items():
            _log.info(
                "exporting to %s (%s)", name, ", ".join(sorted(set(map(in_words, each.takes))))
            )
        if not self._destinations:
            _log.warning("no exporter is configured: spans end here, only the metrics remain")


def _journal_component(journal: Journal) -> Component:
    trouble = journal.trouble()
    return Component(not trouble, trouble)


def _events(hurry: Callable[[], None]) -> Events:
    from costspan.processor.trace_facts import (  # noqa: PLC0415  log messages, only if sent
        signal_events,
        trace_events,
    )

    return Events(trace_events, signal_events, hurry)


def _with_totals(request: bytes, total: TraceTotals | None, agent: AgentTotals | None) -> bytes:
    from costspan.processor.trace_facts import with_totals  # noqa: PLC0415  as above

    return with_totals(request, total, agent)


def _limits(signals: Signals) -> Limits:
    return Limits(
        cost=parse_usd(repr(signals.cost_usd)),
        calls=signals.llm_calls,
        repeats=signals.repeats,
        growth_calls=signals.growth_calls,
        growth_factor=signals.growth_factor,
        tool_repeats=signals.tool_repeats,
    )


def _prices_component(state: State) -> Component:
    """Not ok while the files hold faults: the prices in force are those read before."""
    return Component(not state.faults, "; ".join(state.faults), state.facts)


def _store(config: Config) -> EmbeddedStore | None:
    """The embedded store of the first clickhouse exporter that has a directory."""
    for exporter in config.exporters.values():
        if isinstance(exporter, ClickHouseExporter) and exporter.directory:
            return EmbeddedStore(Path(exporter.directory))
    return None


def _settle_malloc() -> None:
    """Tell glibc that megabytes come and go: fewer arenas, later trims, no mmap per request.

    Mixed traffic in requests of 512 spans took 9 to 20 % less CPU and 4 to 8 % less memory in three
    pairs of runs; prompts alone took the same. A C library without mallopt is left as it is.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option, value in _MALLOC.items():
            libc.mallopt(option, value)


def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT, then drain; a second signal cuts the drain short.

    SIGHUP reads the prices again. Raises StartError if a socket or the store can't be had,
    ConfigError if the prices can't.
    """
    stopping, hurry = threading.Event(), threading.Event()

    def on_signal(_number: int, _frame: object) -> None:
        (hurry if stopping.is_set() else stopping).set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    _settle_malloc()
    service = Service(config)
    signal.signal(signal.SIGHUP, lambda _number, _frame: service.reload())
    try:
        service.start()
        # What was imported and built stays: the collector need not look at it again.
        gc.freeze()
        while not stopping.wait(_SIGNALS_SEEN):
            pass
    finally:
        service.stop(hurry)
