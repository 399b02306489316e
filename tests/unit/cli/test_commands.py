"""The commands as a shell sees them: what goes to stdout, what to stderr, and the exit code."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from costspan import __version__
from costspan.cli import commands, health, run
from costspan.cli.exits import Exit

BAD = "journal: {max_sise: 1MiB}\nexporters: {kafka: {}}\n"
GOOD = "exporters: {otlp: {endpoint: 'http://a:4317'}}\n"


def file(folder: Path, text: str) -> str:
    path = folder / "costspan.yaml"
    path.write_text(text)
    return str(path)


def test_validate_reports_every_fault_and_exits_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, BAD)

    assert commands.main(["config", "validate", path]) == Exit.CONFIG_INVALID
    out, err = capsys.readouterr()
    assert out == f"{path}: 2 faults\n"
    first, second = err.splitlines()
    assert first == f"{path}:1:11: journal.max_sise: unknown key; the nearest is 'max_size'"
    assert second.startswith(f"{path}:2:13: exporters.kafka: unknown exporter; known are")


def test_validate_says_where_spans_would_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, GOOD)

    assert commands.main(["config", "validate", path]) == Exit.OK
    out, err = capsys.readouterr()
    assert (out, err) == (f"{path}: valid\n", "info: sending to otlp at http://a:4317\n")


def test_validate_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["config", "validate", file(tmp_path, BAD), "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "costspan.config.validate/v1"
    assert (answer["valid"], len(answer["faults"])) == (False, 2)


def test_show_prints_the_values_in_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["config", "show", file(tmp_path, GOOD), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["config"]
    assert shown["exporters"]["otlp"]["when_full"] == "backpressure"
    assert shown["processors"]["trace_totals"]["root_grace"] == "6s"


def test_show_of_a_bad_file_exits_3(tmp_path: Path) -> None:
    assert commands.main(["config", "show", file(tmp_path, BAD)]) == Exit.CONFIG_INVALID


def test_schema_prints_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["config", "schema"]) == 0
    assert "processors" in json.loads(capsys.readouterr().out)["properties"]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["version"]) == 0
    assert capsys.readouterr().out == f"costspan {__version__}\n"
    assert commands.main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == __version__


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("run", "demo", "price", "rates", "health", "config"))


def test_an_unknown_command_is_a_usage_error() -> None:
    assert commands.main(["rnu"]) == Exit.USAGE


# --- run -----------------------------------------------------------------------------------------


def test_run_with_a_bad_configuration_says_all_and_exits_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["--config", file(tmp_path, BAD)]) == Exit.CONFIG_INVALID
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 2


def test_run_refuses_an_abbreviated_option() -> None:
    """An option added later must not change what a manifest of today means."""
    with pytest.raises(SystemExit) as caught:
        run.main(["--conf", "x"])
    assert caught.value.code == Exit.USAGE


def test_neither_run_nor_health_imports_what_people_look_at() -> None:
    """For typer and rich cost 30 MiB that a sidecar would carry for nothing; chdb 250."""
    code = """
import sys
from costspan.cli import main
sys.argv = ["costspan", *sys.argv[1:]]
try:
    main()
except SystemExit as exit_:
    print(exit_.code, *sorted({"typer", "rich", "click", "chdb", "pandas"} & sys.modules.keys()))
"""
    for arguments, answer in (
        (["run", "--config", "nowhere.yaml"], "3\n"),
        (["--config=env:NOWHERE"], "3\n"),
        (["health", "--endpoint", "http://127.0.0.1:9"], "4\n"),
    ):
        done = subprocess.run(  # noqa: S603  our own interpreter and code
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        assert done.stdout == answer


# --- health --------------------------------------------------------------------------------------


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """An endpoint that always answers the same; yields its URL and the paths it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/healthz/ready", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, Exit.OK), (503, Exit.UNREACHABLE)])
def test_health_is_the_verbose_answer_and_0_or_4(
    status: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(status, b"journal ok\n") as (url, asked):
        assert health.main(["--endpoint", url]) == code
    assert asked == ["/healthz/ready?verbose"]
    assert capsys.readouterr().out == "journal ok\n"


def test_health_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(503, b"draining") as (url, _):
        assert health.main(["--endpoint", url, "--json"]) == Exit.UNREACHABLE
    assert json.loads(capsys.readouterr().out) == {
        "schema": "costspan.health/v1",
        "ready": False,
        "status": 503,
        "body": "draining",
    }


@pytest.mark.parametrize("host", ["0.0.0.0", "[${env:POD_IP}]"])
def test_health_asks_where_the_configuration_listens(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every address is asked by loopback, a pod's by its own, and other faults don't matter."""
    monkeypatch.setenv("POD_IP", "127.0.0.1")
    with answering(200, b"ok") as (url, asked):
        endpoint = f"{host}:{urlsplit(url).port}"
        text = f"nonsense: 1\nextensions: {{health_check: {{endpoint: '{endpoint}'}}}}\n"

        assert health.main(["--config", file(tmp_path, text)]) == Exit.OK
    assert asked == ["/healthz/ready?verbose"]


def test_health_of_nobody_is_4_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, b"") as (url, _):
        pass

    assert health.main(["--endpoint", url]) == Exit.UNREACHABLE
    assert f"{url} does not answer" in capsys.readouterr().err
