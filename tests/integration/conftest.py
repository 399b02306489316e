"""What integration tests share: one embedded store for the whole session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.store.process import EmbeddedStore
from costspan.telemetry import Telemetry
from integration.running_store import RunningStore


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """A running embedded store, started once."""
    embedded = EmbeddedStore(tmp_path_factory.mktemp("store"))
    embedded.start()
    running = RunningStore(embedded)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """A database of the test's own."""
    return "".join(c if c.isalnum() else "_" for c in request.node.name)[:60]


@pytest.fixture
def destination(store: RunningStore, database: str) -> Iterator[ClickHouse]:
    made = ClickHouse("clickhouse", store.dsn_of(database), Telemetry(), writer="w1")
    yield made
    made.close()


@pytest.fixture
def client(store: RunningStore, database: str) -> Client:
    return store.client(database)


@pytest.fixture(scope="session")
def otelcol() -> Path:
    """The real Collector's binary, built once per manifest and machine (minutes the first time).

    Without Go the test is skipped, unless REQUIRE_COLLECTOR is set: then it fails.
    """
    if shutil.which("go") is None:
        if os.environ.get("REQUIRE_COLLECTOR"):
            pytest.fail("REQUIRE_COLLECTOR is set, and there is no Go to build it with")
        pytest.skip("the real Collector is built with Go, and there is no `go` on the PATH")
    script = Path(__file__).parents[2] / "tools" / "build_collector.py"
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603  ours
    return Path(done.stdout.strip())
