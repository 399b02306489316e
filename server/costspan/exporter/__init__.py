"""The room `exporter`."""
