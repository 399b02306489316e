"""From YAML and environment to one checked tree. The only room that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from msgspec.structs import replace

from costspan.config import environment
from costspan.config.decode import Decoder
from costspan.config.exporters import (
    ClickHouseExporter,
    Exporter,
    OtlpGrpcExporter,
    OtlpHttpExporter,
)
from costspan.config.forms import Address
from costspan.config.processors import Cost, Processors, TraceTotals
from costspan.config.redact import redact
from costspan.config.rules import Rules
from costspan.config.schema import json_schema
from costspan.config.show import show
from costspan.config.tree import Config, Note, Tree
from costspan.errors import ConfigError
from costspan.prices.files import load as load_prices
from costspan_pricing.document import Table, decode, read
from costspan_pricing.faults import Faults, Mark

__all__ = [
    "Address",
    "ClickHouseExporter",
    "Config",
    "Exporter",
    "Note",
    "OtlpGrpcExporter",
    "OtlpHttpExporter",
    "json_schema",
    "load",
    "passthrough",
    "process_environment",
    "redact",
    "show",
]


def process_environment() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ


def _chdb_installed() -> bool:
    return find_spec("chdb") is not None  # never imported: it takes 250 MiB


def load(
    source: str | None, env: Mapping[str, str], *, embedded: Callable[[], bool] = _chdb_installed
) -> Config:
    """The configuration of `source`: a file, `env:VAR`, or None for environment and defaults.

    Raises ConfigError with every fault. `embedded` tells whether the embedded store is installed.
    """
    config, faults = _resolve(source, env, embedded)
    if faults:
        raise ConfigError(faults)
    return config


def passthrough(
    source: str | None, env: Mapping[str, str], *, embedded: Callable[[], bool] = _chdb_installed
) -> Config:
    """What to run on when `source` can't be used: receive and forward, price nothing.

    It keeps what can be read of the source (listeners, OTLP destinations) and fills the rest with
    defaults. If the source names no usable destination, the environment's is taken.
    """
    config, _ = _resolve(source, env, embedded)
    exporters, notes = _forwarding(config), config.notes
    if not exporters:
        fallback, _ = _resolve(None, env, lambda: False)
        exporters, notes = _forwarding(fallback), fallback.notes
    return replace(
        config,
        processors=Processors(cost=Cost(enabled=False), trace_totals=TraceTotals(emit=())),
        exporters=exporters,
        notes=notes,
    )


def _forwarding(config: Config) -> dict[str, Exporter]:
    return {
        name: each
        for name, each in config.exporters.items()
        if not isinstance(each, ClickHouseExporter)
    }


def _resolve(
    source: str | None, env: Mapping[str, str], embedded: Callable[[], bool]
) -> tuple[Config, list[str]]:
    """The best tree that can be had, and everything that is wrong with it."""
    faults = Faults()
    document = (
        Table({}, Mark("configuration")) if source is None else _document(source, env, faults)
    )
    document = document or Table({}, Mark("configuration"))
    if source is None:
        environment.destinations(document, env, embedded=embedded())
    used = (source or "").removeprefix("env:")
    notes = environment.apply(document, env, used, destinations=source is None)
    decoder = Decoder(env, faults)
    tree = decoder.tree(document)
    rules = Rules(tree, decoder.marks, faults)
    rules.check(embedded=embedded())
    values = {name: getattr(tree, name) for name in Tree.__struct_fields__}
    values["exporters"] = rules.exporters
    values["processors"] = _in_force(tree.processors)
    price_faults, price_notes = _price_files(tree.processors.cost, faults)
    config = Config(**values, notes=(*notes, *rules.notes, *price_notes))
    return config, [*faults.sentences(), *price_faults]


def _in_force(processors: Processors) -> Processors:
    """With the waits that apply: their defaults depend on where totals go."""
    grace, quiet = processors.trace_totals.waits
    totals = replace(processors.trace_totals, root_grace=grace, quiet=quiet)
    return replace(processors, trace_totals=totals)


def _price_files(cost: Cost, faults: Faults) -> tuple[list[str], list[Note]]:
    """The faults and the doubts about the files that the configuration names, with their lines."""
    named = cost.rate_cards or cost.price_book
    if not (cost.enabled and named) or faults.below("processors.cost"):
        return [], []
    try:
        prices = load_prices(cost.price_files)
    except ConfigError as error:
        return error.faults, []
    return [], [Note("warning", warning) for warning in prices.warnings]


def _document(source: str, env: Mapping[str, str], faults: Faults) -> Table | None:
    start = Mark(source)
    if source.startswith("env:"):
        text = env.get(source.removeprefix("env:"))
        if text is None:
            faults.add(start, "", "the environment variable is not set")
            return None
    else:
        try:
            data = Path(source.removeprefix("file:")).read_bytes()
        except OSError as error:
            faults.add(start, "", f"the file can't be read: {error.strerror}")
            return None
        text = decode(data, source, faults)
    return None if text is None else read(text, source, faults, redact)
