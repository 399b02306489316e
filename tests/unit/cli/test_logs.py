"""The log: one line for each event, in either encoding, and never a password."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from costspan.cli import logs
from costspan.config.tree import Logs

log = logging.getLogger("costspan.test")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def stream(settings: Logs) -> io.StringIO:
    text = io.StringIO()
    logs.setup(settings, text)
    return text


def test_an_event_is_one_json_object() -> None:
    out = stream(Logs(encoding="json"))
    log.warning("queue of %s is %d %% full", "otlp", 90, extra={"exporter": "otlp"})
    event = json.loads(out.getvalue())

    assert event.pop("ts").endswith("Z")
    assert event == {
        "level": "warn",
        "logger": "costspan.test",
        "msg": "queue of otlp is 90 % full",
        "exporter": "otlp",
    }


@pytest.mark.parametrize("settings", [Logs(encoding="json"), Logs(encoding="console")])
def test_an_exception_stays_on_its_line(settings: Logs) -> None:
    out = stream(settings)
    try:
        int("first\nsecond")
    except ValueError:
        log.exception("it failed")

    assert out.getvalue().count("\n") == 1
    assert "ValueError: invalid literal" in out.getvalue()


@pytest.mark.parametrize("settings", [Logs(encoding="json"), Logs(encoding="console")])
def test_a_password_is_never_written(settings: Logs) -> None:
    out = stream(settings)
    log.error(
        "can't reach %s", "clickhouse://u:hunter2@h:8123/otel", extra={"to": "http://u:hunter2@h"}
    )

    assert "hunter2" not in out.getvalue()
    assert "clickhouse://u:****@h:8123/otel" in out.getvalue()


def test_what_is_below_the_level_is_not_written() -> None:
    out = stream(Logs(level="warn"))
    log.info("nothing new")

    assert out.getvalue() == ""
