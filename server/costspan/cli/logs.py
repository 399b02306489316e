"""How the log looks: one line for each event on stderr, JSON or text. Not what is logged."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from costspan.config import redact
from costspan.config.tree import Logs

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_NAMES = {"WARNING": "warn", "CRITICAL": "error"}
# What every record has; whatever else it carries came in as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def setup(logs: Logs, stream: TextIO | None = None) -> None:
    """Send every logger of the process to `stream` (stderr)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if logs.encoding == "json" else ConsoleFormatter())
    logging.basicConfig(level=_LEVELS[logs.level], handlers=[handler], force=True)


class JsonFormatter(logging.Formatter):
    """One JSON object: ts, level, logger, msg, error if there is one, then what `extra` brought."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "ts": _timestamp(record),
            "level": _level(record),
            "logger": record.name,
            "msg": redact(record.getMessage()),
        }
        if record.exc_info:
            event["error"] = redact(self.formatException(record.exc_info))
        event |= {key: _shown(value) for key, value in _extra(record).items()}
        return msgspec.json.encode(event, enc_hook=str).decode()


class ConsoleFormatter(logging.Formatter):
    """Text for people; line breaks are written as such, so that an event stays one line."""

    def format(self, record: logging.LogRecord) -> str:
        parts = [_timestamp(record), _level(record).ljust(5), record.name, record.getMessage()]
        parts += [f"{key}={value}" for key, value in _extra(record).items()]
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        return redact(" ".join(parts)).replace("\n", "\\n")


def _timestamp(record: logging.LogRecord) -> str:
    instant = datetime.fromtimestamp(record.created, UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _level(record: logging.LogRecord) -> str:
    return _NAMES.get(record.levelname, record.levelname.lower())


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _shown(value: Any) -> Any:
    return redact(value) if isinstance(value, str) else value
