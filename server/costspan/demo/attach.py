"""A client of the line's own store, as any reader would attach to it."""

from __future__ import annotations

import threading
import time

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from costspan.demo.answers import settled


def attach(dsn: str, timeout: float = 30.0) -> Client:
    """Wait for the tables, which the exporter makes at its first delivery. Raises Error."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            client = clickhouse_connect.get_client(dsn=dsn, autogenerate_session_id=False)
            settled(client, ["0"])
        except Error:
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(0.1)
        else:
            return client
