"""Traces: when they are complete (`ledger`), what they come to (`rollup`), the thread."""
