"""The room `exporter/clickhouse`."""
