"""Writes docs/reference from the tables in the code; with --check only compares. No facts here."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from doctor_page import findings
from library_page import libraries
from markdown_page import page, table
from msgspec import inspect

from costspan.config import json_schema
from costspan.config.environment import variables
from costspan.config.section import Section
from costspan.config.shape import ALIASES, REQUIRED, Key, exporter_types, keys
from costspan.config.show import plain
from costspan.config.tree import Tree
from costspan.dialect.cache import EVIDENCE, REPORTED_ZERO
from costspan.doctor.report import json_schema as doctor_schema
from costspan.processor.enrich import ATTRIBUTES
from costspan.processor.trace_facts import (
    AGENT_ATTRIBUTES,
    EVENT_ATTRIBUTES,
    SIGNAL_ATTRIBUTES,
    SIGNAL_EVENT,
    TRACE_ATTRIBUTES,
    TRACE_EVENT,
)
from costspan.telemetry import Telemetry
from costspan_pricing.ratecard.schema import json_schema as rate_card_schema

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"


def main() -> int:
    """Write the pages; with --check, 1 if one of them is not what it would be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    stale = [name for name, text in pages() if not _same(REFERENCE / name, text)]
    if check:
        for name in stale:
            print(f"docs/reference/{name} is out of date: run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (REFERENCE / name).write_text(text)
    print(f"{len(stale)} pages changed")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def pages() -> Iterator[tuple[str, str]]:
    """File name and text of every page."""
    yield "metrics.md", metrics()
    yield "configuration.md", configuration()
    yield "config.schema.json", json.dumps(json_schema(), indent=2) + "\n"
    yield "attributes.md", attributes()
    yield "ratecard.schema.json", json.dumps(rate_card_schema(), indent=2) + "\n"
    yield "libraries.md", libraries()
    yield "doctor.md", findings()
    yield "doctor.schema.json", json.dumps(doctor_schema(), indent=2) + "\n"


# --- metrics and attributes ----------------------------------------------------------------------


def metrics() -> str:
    """Every family of the table in `telemetry.py`."""
    rows = [
        (f"`{each.name}`", each.kind, " ".join(f"`{label}`" for label in each.labels), each.help)
        for each in Telemetry().families()
    ]
    return page(
        "Metrics",
        "What `/metrics` shows. Money is summed as integers of 10⁻¹⁸ USD and divided once, when it"
        " is rendered.",
        table(("metric", "type", "labels", "meaning"), rows),
    )


def attributes() -> str:
    """Every attribute of the table in `processor/enrich.py`."""
    head = ("attribute", "type", "meaning")
    names = ATTRIBUTES, TRACE_ATTRIBUTES, AGENT_ATTRIBUTES, EVENT_ATTRIBUTES, SIGNAL_ATTRIBUTES
    rows, trace, agent, event, signal = (
        [(f"`{each.name}`", each.type, each.text) for each in attributes] for attributes in names
    )
    return page(
        "Attributes",
        "What is added to a span that carries LLM usage. A client's own attribute of the same name"
        " is never overwritten, and each can be switched off in `processors.cost.attributes`.",
        table(head, rows),
        "## Log events",
        "With `log_event` in `processors.trace_totals.emit` each version of a trace's total is a"
        f" log record named `{TRACE_EVENT}`, linked to the trace's root, and each limit that an"
        f" open trace passes one named `{SIGNAL_EVENT}`, linked to the call with which it did. They"
        " go to every otlp exporter. A destination that serves no logs is asked once.",
        table(head, [*trace, *event]),
        f"`{SIGNAL_EVENT}`:",
        table(head, signal),
        "## Roots and agents' runs",
        "With `root_span` in `processors.trace_totals.emit` root spans carry the attributes of a"
        " total, but for version and writer, and of the spans of an agent's runs (`invoke_agent`)"
        " the outermost these:",
        table(head, agent),
        "## Calls that are told of twice",
        "A library's SDK, the framework around it and the gateway behind it may each report the"
        " same call. Where one request shows that, the cost is on the span that is billed; the"
        " others leave with `window.financial.status` = `duplicate` (the same response id) or"
        " `covered` (their tokens are those of calls below them), with `finops.cache.status`, and"
        " without any cost. So costs of spans can be added up.",
        "A span that has left is never changed. Where the two spans come in different requests, or"
        " a request of more than 4 MB is cut between them, both carry a cost, and only `llm_calls`"
        " and the trace's total are corrected: sums over spans may then be too high, never too"
        " low. An agent's or workflow's own sum of usage gets no cost on its span either; where"
        " nothing below it was seen, the row and the total have it (`fallback`).",
        "## Answers from a gateway's cache",
        "No provider is called for them, so their cost is a known zero, `finops.cache.savings` is"
        " what the call would have cost without a cache, and `price_ref` and the modifier"
        " `gateway_cache:<who>` say why. It takes the gateway's own word on the span:",
        table(("who", "attributes", "evidence"), _evidence()),
        "`gen_ai.response.cached` alone makes `finops.cache.status` a `hit` and changes no rate:"
        " tokens read from a provider's cache are billed at their discounted rates, and a call"
        " without such a count is priced as counted, with the assumption"
        " `cached_response:priced as counted`.",
    )


def _evidence() -> Iterator[tuple[str, str, str]]:
    """Who may say so, by which attributes, and how."""
    for each in EVIDENCE:
        yield f"`{each.gateway}`", ", ".join(f"`{key}`" for key in each.keys), each.text
    yield (
        f"`{REPORTED_ZERO}`",
        "`gen_ai.response.cached` and a reported cost",
        "The flag is `true`, the reported cost is 0, and no cached tokens are counted.",
    )


# --- configuration -------------------------------------------------------------------------------


def configuration() -> str:
    """Every key of the tree, section by section."""
    parts = [
        part
        for name, key in keys(Tree).items()
        if key.section
        for part in _sections(key.section, name)
    ]
    for kind, section in exporter_types().items():
        names = [old for old, new in ALIASES.items() if new == kind] or [kind]
        parts += _sections(section, f"exporters.{names[0]}")
    parts += ["## Environment variables", _environment()]
    return page(
        "Configuration",
        "One YAML file, named by `--config FILE` or `--config=env:VAR`. Every key is optional."
        " `${env:X}`, `${env:X:-default}` and `${file:/path}` stand for a value, `$$` for a dollar."
        " `costspan config validate FILE` reports every fault with its line,"
        " `costspan config show FILE` the values in force; `config.schema.json` is for editors.",
        *parts,
    )


def _sections(section: type[Section], path: str) -> Iterator[str]:
    known = keys(section)
    rows = [_row(key) for key in known.values() if not key.section]
    yield f"## `{path}`\n\n{(section.__doc__ or '').partition(chr(10))[0]}"
    if rows:
        yield table(("key", "type", "default", "meaning"), rows)
    for name, key in known.items():
        if key.section:
            yield from _sections(key.section, f"{path}.{name}")


def _row(key: Key) -> tuple[str, str, str, str]:
    if not key.built:
        return f"`{key.name}`", "", "", f"*Not built in this version.* {key.text}"
    later = f" Not built yet: {', '.join(f'`{each}`' for each in key.later)}." if key.later else ""
    return f"`{key.name}`", _type(key), _default(key), key.text + later


def _type(key: Key) -> str:  # noqa: PLR0911  one for each kind
    if key.form:
        return key.form.name
    match key.kind:
        case inspect.LiteralType(values=values):
            return " or ".join(f"`{each}`" for each in values)
        case inspect.VarTupleType(item_type=item):
            return "list of " + _type(key._replace(kind=item))
        case inspect.DictType(value_type=value):
            return "name to " + _type(key._replace(kind=value))
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case _:
            return "text"


def _default(key: Key) -> str:
    if key.default is REQUIRED:
        return "required"
    shown = plain(key)
    return "" if shown in (None, {}, []) else f"`{json.dumps(shown).strip(chr(34))}`"


def _environment() -> str:
    """The rule and its result: nobody should have to guess how a path becomes a name."""
    listed = "\n".join(f"- `{name}`" for name in variables())
    return (
        "Each sets the key of the same path and wins over the file; those of exporters count only"
        " without a file. Lists are written `a,b`, mappings `a=b,c=d`. Without a file and without"
        " one that names an OTLP destination, `OTEL_EXPORTER_OTLP_ENDPOINT`, `_PROTOCOL`,"
        " `_HEADERS`, `_TIMEOUT`, `_COMPRESSION`, `_CERTIFICATE` and `_INSECURE` name it.\n\n"
        + listed
    )


if __name__ == "__main__":
    sys.exit(main())
