"""What the keys must be together: rules over more than one key, and the defaults that depend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from costspan.config.exporters import (
    ClickHouseExporter,
    Exporter,
    OtlpGrpcExporter,
    OtlpHttpExporter,
)
from costspan.config.forms import Address
from costspan.config.loops import leads_home
from costspan.config.redact import redact
from costspan.config.tree import Journal, Note, Protocols, Tree
from costspan.processor.enrich import OWN_KEYS
from costspan_pricing.faults import Faults, Mark, suggestion

_ON_DISK = ("segment_size", "fsync", "fsync_interval", "max_age", "forget")
_IN_MEMORY = Journal()
_MOST_DIMENSIONS = 32
_MOST_KEYS = 16  # of one dimension
_MOST_HEADERS = 16  # of include_metadata
_HEADER = re.compile(r"[a-z0-9_.-]+")  # what both HTTP and gRPC carry
# They speak of one connection or of one encoding of the body; ours has its own.
_NOT_PASSED_ON = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "costspan-via", "expect"}
    | {"host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
)


class Rules:
    """Checks one tree. `exporters` holds afterwards those that may be used, complete."""

    def __init__(self, tree: Tree, marks: Mapping[str, Mark], faults: Faults) -> None:
        self.exporters: dict[str, Exporter] = {}
        self.notes: list[Note] = []
        self._tree = tree
        self._marks = marks
        self._faults = faults
        self._listeners = dict(listeners(tree))

    def check(self, *, embedded: bool) -> None:
        """Check everything. `embedded`: the embedded store is installed."""
        self._check_receivers()
        self._check_include_metadata()
        self._check_attributes()
        self._check_dimensions()
        self._check_price_files()
        self._check_journal()
        for name, exporter in self._tree.exporters.items():
            path = f"exporters.{name}"
            self._check_waits(exporter, path)
            self._check_tls_files(exporter, path)
            if not isinstance(exporter, ClickHouseExporter):
                self._check_headers(exporter.headers, path)
            if isinstance(exporter, ClickHouseExporter):
                self._check_store(exporter, path, embedded=embedded)
            if self._leads_elsewhere(name, exporter):
                self.exporters[name] = exporter
        self._check_one_store()
        self.exporters = dict(_when_full(self.exporters))
        self._say_destinations()
        self._say_roots()

    # --- receivers and processors ----------------------------------------------------------------

    def _check_receivers(self) -> None:
        protocols = self._tree.receivers.otlp.protocols
        path = "receivers.otlp.protocols"
        if protocols == Protocols() and not self._faults.below(path):
            self._fault(path, "expected grpc, http or both, saw neither")
        seen: dict[Address, str] = {}
        for path, address in self._listeners.items():
            if address.port and address in seen:
                self._fault(path, f"{address} is taken by {seen[address]}")
            seen.setdefault(address, path)

    def _check_include_metadata(self) -> None:
        protocols = self._tree.receivers.otlp.protocols
        for transport, server in (("grpc", protocols.grpc), ("http", protocols.http)):
            names = server.include_metadata if server else ()
            path = f"receivers.otlp.protocols.{transport}.include_metadata"
            if len(names) > _MOST_HEADERS:
                self._fault(path, f"expected at most {_MOST_HEADERS} headers, saw {len(names)}")
            for name in names:
                if fault := _header_fault(name.lower()):
                    self._fault(path, f"{name!r} {fault}")

    def _check_attributes(self) -> None:
        for name in self._tree.processors.cost.attributes:
            if name not in OWN_KEYS:
                path = f"processors.cost.attributes.{name}"
                sentence = f"not an attribute that we write; {suggestion(name, OWN_KEYS)}"
                self._fault(path, sentence)

    def _check_dimensions(self) -> None:
        """Every call carries them, and each key is looked for on every span."""
        dimensions = self._tree.processors.cost.dimensions
        path = "processors.cost.dimensions"
        if len(dimensions) > _MOST_DIMENSIONS:
            self._fault(path, f"expected at most {_MOST_DIMENSIONS}, saw {len(dimensions)}")
        for name, keys in dimensions.items():
            if len(keys) > _MOST_KEYS:
                self._fault(
                    f"{path}.{name}", f"expected at most {_MOST_KEYS} keys, saw {len(keys)}"
                )
            elif "" in (name, *keys):
                self._fault(f"{path}.{name}", "expected a name and keys that are not empty")

    def _check_price_files(self) -> None:
        """Only that they are there: what they say has faults with lines of their own."""
        cost = self._tree.processors.cost
        named = [("rate_cards", path) for path in cost.rate_cards]
        if cost.price_book is not None:
            named.append(("price_book", cost.price_book))
        for key, path in named if cost.enabled else ():
            if not Path(path).is_file():
                self._fault(f"processors.cost.{key}", f"expected a file, saw none at {path}")

    # --- the journal -----------------------------------------------------------------------------

    def _check_journal(self) -> None:
        """What is asked of the disk needs one; who is forgotten must be gone."""
        journal = self._tree.journal
        for key in _ON_DISK if journal.directory is None else ():
            if getattr(journal, key) != getattr(_IN_MEMORY, key):
                sentence = "needs journal.directory: without it the journal is in memory"
                self._fault(f"journal.{key}", sentence)
        for name in journal.forget:
            if name in self._tree.exporters:
                text = f"journal.forget: {name} is ignored, because it is configured"
                self.notes.append(Note("warning", text))

    # --- exporters -------------------------------------------------------------------------------

    def _check_waits(self, exporter: Exporter, path: str) -> None:
        retry = exporter.retry_on_failure
        if retry.max_interval < retry.initial_interval:
            sentence = "expected max_interval to be at least initial_interval"
            self._fault(f"{path}.retry_on_failure", sentence)

    def _check_tls_files(self, exporter: Exporter, path: str) -> None:
        tls = exporter.tls
        files = {"ca_file": tls.ca_file, "cert_file": tls.cert_file, "key_file": tls.key_file}
        for key, file in files.items():
            if file and not Path(file).is_file():
                self._fault(f"{path}.tls.{key}", f"expected a file, saw none at {file}")
        if bool(tls.cert_file) != bool(tls.key_file):
            self._fault(f"{path}.tls", "expected cert_file and key_file together, saw one of them")

    def _check_headers(self, headers: Mapping[str, str], path: str) -> None:
        """Here, because the transports show the value when they refuse it; a fault never does."""
        for name, value in headers.items():
            if not _HEADER.fullmatch(name.lower()):
                sentence = f"{name!r} is not a header name: letters, digits, - _ ."
                self._fault(f"{path}.headers", sentence)
            if not (value.isascii() and value.isprintable()):
                sentence = f"the value of {name!r} holds a character that is not printable ASCII"
                self._fault(f"{path}.headers", sentence)

    def _check_store(self, store: ClickHouseExporter, path: str, *, embedded: bool) -> None:
        if (store.endpoint is None) == (store.directory is None) and not self._faults.below(path):
            seen = "neither" if store.endpoint is None else "both"
            self._fault(path, f"expected endpoint (a server) or directory, saw {seen}")
        if store.directory is None:
            return
        if not embedded:
            sentence = "the embedded store is not installed: pip install 'costspan[embedded]'"
            self._fault(f"{path}.directory", sentence)
        for key in ("username", "password", "database"):
            if getattr(store, key) is not None:
                self._fault(f"{path}.{key}", "only a server has one, this is a directory")

    def _check_one_store(self) -> None:
        stores = [
            name
            for name, each in self.exporters.items()
            if isinstance(each, ClickHouseExporter) and each.directory and not each.endpoint
        ]
        for name in stores[1:]:
            sentence = f"one embedded store at most, {stores[0]} is one"
            self._fault(f"exporters.{name}.directory", sentence)

    def _leads_elsewhere(self, name: str, exporter: Exporter) -> bool:
        address = destination(exporter)
        home = leads_home(address, self._listeners.values()) if address else None
        if home is None:
            return True
        path = f"exporters.{name}.endpoint"
        mark = self._mark(path)
        if mark.line:
            self._fault(path, f"{address} is our own listener: spans would go round in circles")
        else:
            text = f"{mark} is ignored: {address} is our own listener"
            self.notes.append(Note("warning", text))
        return False

    def _say_destinations(self) -> None:
        for name, exporter in self.exporters.items():
            mark = self._mark(f"exporters.{name}.endpoint", f"exporters.{name}.directory")
            origin = f" ({mark})" if not mark.line else ""
            self.notes.append(Note("info", f"sending to {name} at {place(exporter)}{origin}"))
        if not self.exporters:
            text = "no destination: spans are priced and counted, and go nowhere"
            self.notes.append(Note("warning", text))

    def _say_roots(self) -> None:
        processors = self._tree.processors
        if "root_span" not in processors.trace_totals.emit:
            return
        leads = any(not isinstance(one, ClickHouseExporter) for one in self.exporters.values())
        if not (leads and processors.cost.enabled):
            why = "no otlp exporter" if processors.cost.enabled else "cost.enabled is false"
            text = f"processors.trace_totals.emit: root_span changes nothing: {why}"
            self.notes.append(Note("warning", text))

    # --- faults ----------------------------------------------------------------------------------

    def _fault(self, path: str, sentence: str) -> None:
        self._faults.add(self._mark(path), path, sentence)

    def _mark(self, *paths: str) -> Mark:
        """Where one of the keys stands, else the nearest key above that stands somewhere."""
        for path in paths:
            if path in self._marks:
                return self._marks[path]
        path = paths[0]
        while "." in path:
            path = path.rpartition(".")[0]
            if path in self._marks:
                return self._marks[path]
        return Mark("configuration")


def _header_fault(name: str) -> str:
    """Why a header can't be passed on; "" if it can."""
    if not _HEADER.fullmatch(name):
        return "is not a header name that HTTP and gRPC both carry: letters, digits, - _ ."
    if name in _NOT_PASSED_ON or name.startswith("grpc-"):
        return "speaks of one connection: it is not passed on"
    return "holds bytes: only text is passed on" if name.endswith("-bin") else ""


def listeners(tree: Tree) -> Iterator[tuple[str, Address]]:
    """Every address that we bind, by its key."""
    protocols = tree.receivers.otlp.protocols
    if protocols.grpc:
        yield "receivers.otlp.protocols.grpc.endpoint", protocols.grpc.endpoint
    if protocols.http:
        yield "receivers.otlp.protocols.http.endpoint", protocols.http.endpoint
    yield "extensions.health_check.endpoint", tree.extensions.health_check.endpoint
    yield "service.telemetry.metrics.address", tree.service.telemetry.metrics.address


def destination(exporter: Exporter) -> Address | None:
    """Where an OTLP exporter connects to."""
    if isinstance(exporter, ClickHouseExporter):
        return None
    url = exporter.endpoint if "://" in exporter.endpoint else f"//{exporter.endpoint}"
    parts = urlsplit(url)
    return Address(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


def place(exporter: Exporter) -> str:
    """The destination as a person may read it."""
    if isinstance(exporter, ClickHouseExporter):
        return exporter.directory or redact(exporter.endpoint or "")
    return redact(exporter.endpoint)


def _when_full(exporters: Mapping[str, Exporter]) -> Iterator[tuple[str, Exporter]]:
    """One destination holds the client back: the first otlp one, or without any, ClickHouse."""
    otlp = [n for n, e in exporters.items() if isinstance(e, OtlpGrpcExporter | OtlpHttpExporter)]
    first = (otlp or [*exporters, ""])[0]
    for name, exporter in exporters.items():
        policy = "backpressure" if name == first else "drop_oldest"
        yield name, exporter if exporter.when_full else replace(exporter, when_full=policy)
