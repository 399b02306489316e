"""The embedded store as a process, through clickhouse-connect and through bare HTTP."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import lz4.frame  # type: ignore[import-untyped]  # ships no types
import pytest
import urllib3

from costspan.errors import StartError
from costspan.store.endpoint import FILE, read_endpoint
from costspan.store.process import EmbeddedStore
from integration.running_store import RunningStore


def ask(
    store: RunningStore, query: str = "", body: bytes = b"", method: str = "POST", **headers: str
) -> urllib3.BaseHTTPResponse:
    """One bare request with the store's credentials, as curl would send it."""
    endpoint = store.embedded.endpoint
    login = {"X-ClickHouse-User": endpoint.user, "X-ClickHouse-Key": endpoint.password}
    with urllib3.PoolManager() as http:
        return http.request(
            method,
            f"{endpoint.url}/?{query}",
            body=body or None,
            headers={**login, **headers},
        )


def test_a_client_inserts_and_reads_every_way_that_it_knows(store: RunningStore) -> None:
    """insert, raw_insert, command and query of clickhouse-connect work, parameters included."""
    client = store.client()
    client.command("CREATE DATABASE IF NOT EXISTS ways")
    client.database = "ways"
    client.command("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")

    written = client.insert("t", [[1, "x"], [2, "it's;\n\n"]], column_names=["a", "b"])
    client.raw_insert("t", ["a", "b"], b"3\tz\n", fmt="TabSeparated")
    client.command("INSERT INTO t VALUES (4, 'v')")

    rows = client.query("SELECT * FROM t WHERE a > {low:UInt64} ORDER BY a", {"low": 1}).result_rows
    assert written.written_rows == 2
    assert rows == [(2, "it's;\n\n"), (3, "z"), (4, "v")]
    assert client.query("SELECT * FROM t LIMIT 0").column_names == ("a", "b")
    assert client.command("SELECT count() FROM t") == 4
    assert client.ping()


@pytest.mark.parametrize(
    ("query", "body", "headers", "status", "text"),
    [
        ("query=SELECT+1", b"", {}, 200, "1\n"),
        ("", b"SELECT 1", {}, 200, "1\n"),
        ("query=SELECT+1", b"FORMAT JSONEachRow", {}, 200, '{"1":1}\n'),
        ("default_format=CSV", b"SELECT 'a', 2", {}, 200, '"a",2\n'),
        ("param_n=7", b"SELECT {n:UInt8}", {}, 200, "7\n"),
        ("max_threads=3", b"SELECT getSetting('max_threads')", {}, 200, "3\n"),
        ("", gzip.compress(b"SELECT 1", mtime=0), {"Content-Encoding": "gzip"}, 200, "1\n"),
        ("", lz4.frame.compress(b"SELECT 1"), {"Content-Encoding": "lz4"}, 200, "1\n"),
        ("", b"SELECT 1", {"Content-Encoding": "br"}, 415, "Code: 89."),
        ("", b"no gzip", {"Content-Encoding": "gzip"}, 400, "Code: 271."),
        ("", b"SELECT FROM WHERE", {}, 400, "Code: 62. DB::Exception"),
        ("", b"SELECT * FROM nope", {}, 404, "Code: 60. DB::Exception"),
        ("database=nope", b"SELECT 1", {}, 404, "Code: 81. DB::Exception"),
        ("no_such_setting=1", b"SELECT 1", {}, 404, "Code: 115. DB::Exception"),
        ("1%3B=1", b"SELECT 1", {}, 400, "Code: 36. DB::Exception"),
        ("", b"x=1", {"Content-Type": "multipart/form-data; boundary=x"}, 501, "Code: 48."),
    ],
)
def test_bare_http_is_answered_as_clickhouse_does(
    store: RunningStore, query: str, body: bytes, headers: dict[str, str], status: int, text: str
) -> None:
    """Query in URL, body or both; settings; compression; errors with code, status and text."""
    answer = ask(store, query, body, **headers)

    assert (answer.status, answer.data.decode()[: len(text)]) == (status, text)
    code = text.removeprefix("Code: ").partition(".")[0] if status != 200 else None
    assert answer.headers.get("X-ClickHouse-Exception-Code") == code
    assert answer.headers["X-ClickHouse-Query-Id"]


def test_rows_that_a_table_refuses_are_an_error(store: RunningStore) -> None:
    """The engine meets the fault when it writes, behind the last byte of the data."""
    client = store.client()
    client.command("CREATE TABLE refusing (n UInt64) ENGINE = MergeTree PARTITION BY n ORDER BY n")
    insert = b"INSERT INTO refusing SETTINGS max_partitions_per_insert_block = 3 FORMAT TSV\n"
    refused = ask(store, body=insert + b"1\n2\n3\n4\n")
    taken = ask(store, body=insert + b"1\n2\n3\n")
    empty = ask(store, body=insert)

    assert (refused.status, refused.headers["X-ClickHouse-Exception-Code"]) == (500, "252")
    assert (taken.status, empty.status) == (200, 200)
    assert client.query("SELECT count() FROM refusing").first_row == (3,)


def test_the_answer_carries_the_headers_that_clients_read(store: RunningStore) -> None:
    """Summary, format, time zone and the query id that was given."""
    answer = ask(store, "query_id=mine", b"SELECT number FROM numbers(3) FORMAT JSONEachRow")

    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["X-ClickHouse-Timezone"]
    assert '"read_rows": "3"' in answer.headers["X-ClickHouse-Summary"]


def test_a_get_may_only_read(store: RunningStore) -> None:
    """A GET that writes is refused, as ClickHouse refuses it."""
    read = ask(store, "query=SELECT+1", method="GET")
    wrote = ask(store, "query=CREATE+DATABASE+by_get", method="GET")

    assert (read.status, wrote.status) == (200, 403)
    assert b"READONLY" in wrote.data


def test_nobody_enters_without_the_password(store: RunningStore) -> None:
    """Header, Basic and URL credentials open the door; wrong or missing ones are a 403."""
    endpoint = store.embedded.endpoint
    basic = urllib3.make_headers(basic_auth=f"{endpoint.user}:{endpoint.password}")
    wrong = urllib3.make_headers(basic_auth=f"{endpoint.user}:guess")
    url = f"{endpoint.url}/?query=SELECT+1"
    with urllib3.PoolManager() as http:
        statuses = [
            http.request("GET", url, headers=basic).status,
            http.request("GET", f"{url}&user=default&password={endpoint.password}").status,
            http.request("GET", url, headers=wrong).status,
            http.request("GET", url, headers={"Authorization": "Basic ???"}).status,
            http.request("GET", url).status,
        ]
        ping = http.request("GET", f"{endpoint.url}/ping")

    assert statuses == [200, 200, 403, 403, 403]
    assert (ping.status, ping.data) == (200, b"Ok.\n")


def test_only_the_owner_can_read_where_the_store_is(store: RunningStore) -> None:
    """The directory is 0700, store.json is 0600 and names the running endpoint."""
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((store.directory / FILE).stat().st_mode) == 0o600
    assert read_endpoint(store.directory) == store.embedded.endpoint
    assert store.dsn == store.embedded.endpoint.dsn("otel")


def test_the_engine_stays_out_of_this_process(store: RunningStore) -> None:
    """The child alone has chDB loaded."""
    assert store.embedded.pid != os.getpid()
    assert not [name for name in sys.modules if name == "chdb" or name.startswith("chdb.")]


def test_a_second_store_on_a_directory_is_refused_with_a_sentence(store: RunningStore) -> None:
    """The lock names the process that holds it; the exit code of the process is 1."""
    second = EmbeddedStore(store.directory)
    with pytest.raises(StartError, match=f"another store .process {store.embedded.pid}. runs on"):
        second.start()

    done = subprocess.run(  # noqa: S603  our own module
        [sys.executable, "-m", "costspan.store", "--directory", str(store.directory)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"costspan.store: another store")


def test_statements_run_beside_each_other(store: RunningStore) -> None:
    """A statement that waits does not hold up another one."""
    slow_done = threading.Event()

    def slow() -> None:
        ask(store, "", b"SELECT sleep(1)")
        slow_done.set()

    thread = threading.Thread(target=slow)
    thread.start()
    quick = ask(store, "", b"SELECT 1")
    overtaken = not slow_done.is_set()
    thread.join()

    assert quick.status == 200
    assert overtaken


@pytest.mark.slow
def test_a_store_that_dies_comes_back_with_its_data(tmp_path: Path) -> None:
    """A killed child is started again with the same password, and what was written is there."""
    embedded = EmbeddedStore(tmp_path / "data", first_backoff=0.05)
    embedded.start()
    try:
        first = embedded.endpoint
        _post(embedded, b"CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
        _post(embedded, b"INSERT INTO t VALUES (42)")
        os.kill(first.pid, signal.SIGKILL)
        came_back = threading.Event()
        for _ in range(200):
            if embedded.restarts:
                break
            came_back.wait(0.1)
        kept = _post(embedded, b"SELECT a FROM t")
        second = embedded.endpoint
    finally:
        embedded.stop()

    assert kept == b"42\n"
    assert (second.password, second.pid != first.pid) == (first.password, True)
    assert not (tmp_path / "data" / FILE).exists()


@pytest.mark.slow
def test_the_store_ends_with_its_parent(tmp_path: Path) -> None:
    """When the parent is gone without a word, the child sees its stdin close and stops."""
    command = [sys.executable, "-m", "costspan.store", "--directory", str(tmp_path / "d")]
    with subprocess.Popen(  # noqa: S603  our own module
        [*command, "--with-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert b"endpoint" in child.stdout.readline()
        child.stdin.close()
        assert child.wait(20) == 0


@pytest.mark.slow
def test_a_client_that_dies_while_it_sends_is_no_fault_of_the_store(tmp_path: Path) -> None:
    """Nothing is run, and nothing is printed."""
    directory = tmp_path / "d"
    command = [sys.executable, "-m", "costspan.store", "--directory", str(directory)]
    with subprocess.Popen(  # noqa: S603  our own module
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert b"endpoint" in child.stdout.readline()
        endpoint = read_endpoint(directory)
        with socket.create_connection((endpoint.host, endpoint.port)) as client:
            login = f"X-ClickHouse-User: {endpoint.user}\r\nX-ClickHouse-Key: {endpoint.password}"
            head = f"POST / HTTP/1.1\r\nHost: us\r\n{login}\r\nContent-Length: 99\r\n\r\nSELECT"
            client.sendall(head.encode())
        with urllib3.PoolManager() as http:
            assert http.request("GET", f"{endpoint.url}/ping").data == b"Ok.\n"
        child.terminate()
        _, said = child.communicate(timeout=20)

    assert b"Traceback" not in said


def _post(embedded: EmbeddedStore, statement: bytes) -> bytes:
    endpoint = embedded.endpoint
    headers = {"X-ClickHouse-User": endpoint.user, "X-ClickHouse-Key": endpoint.password}
    with urllib3.PoolManager() as http:
        return http.request("POST", endpoint.url, body=statement, headers=headers).data
