"""Where the spans go: the OTLP sink and the ClickHouse stand-in, started together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

from sinks import Sink, serve_clickhouse, serve_otlp

from costspan.store.process import EmbeddedStore


class Ends(NamedTuple):
    """The far ends, and a folder for what a run leaves behind."""

    folder: Path
    spans: Sink
    inserts: Sink  # the stand-in
    dsn: str  # of the stand-in


@contextmanager
def far_ends() -> Iterator[Ends]:
    """Start them, with the embedded store behind the stand-in for what is no insert."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="costspan-bench-")))
        spans = stack.enter_context(Sink(serve_otlp))
        store = EmbeddedStore(folder / "answers")
        store.start()
        stack.callback(store.stop)
        real = urlsplit(store.dsn)
        inserts = stack.enter_context(Sink(serve_clickhouse, real.port or 0))
        user, _, _ = real.netloc.rpartition("@")
        dsn = real._replace(netloc=f"{user}@127.0.0.1:{inserts.port}").geturl()
        yield Ends(folder, spans, inserts, dsn)
