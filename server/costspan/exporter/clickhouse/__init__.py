"""The ClickHouse destination: frames in, rows out. `exporter.ClickHouse` is what the app wires."""

from costspan.exporter.clickhouse.exporter import ClickHouse
from costspan.exporter.clickhouse.schema import Ttl

__all__ = ["ClickHouse", "Ttl"]
