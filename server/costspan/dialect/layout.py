"""Which keys of a span mean what: worked out once per set of keys. No values are read here.

Spans of one instrumentation carry the same keys in the same order, so the answer is kept: reading
a span is then a dozen dict look-ups, however many spellings the tables hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from costspan.dialect import documents
from costspan.dialect.ag2 import AG2
from costspan.dialect.agentops import AGENTOPS
from costspan.dialect.cache import GATEWAYS
from costspan.dialect.coding_agents import CODING_AGENTS
from costspan.dialect.dimensions import Dimensions
from costspan.dialect.exporters import EXPORTERS
from costspan.dialect.genai import GENAI
from costspan.dialect.google_adk import GOOGLE_ADK
from costspan.dialect.langfuse import LANGFUSE
from costspan.dialect.langsmith import LANGSMITH
from costspan.dialect.litellm import LITELLM
from costspan.dialect.microsoft import MICROSOFT
from costspan.dialect.mlflow import MLFLOW
from costspan.dialect.names import NAMES
from costspan.dialect.openinference import OPENINFERENCE
from costspan.dialect.openlit import OPENLIT
from costspan.dialect.openllmetry import OPENLLMETRY
from costspan.dialect.pydantic_ai import PYDANTIC_AI
from costspan.dialect.strands import STRANDS
from costspan.dialect.table import (
    APART_INPUT,
    APART_OUTPUT,
    BEGUN,
    ENTITY_KIND,
    INPUT,
    OPERATION,
    OUTPUT,
    PARAMETERS,
    PROVIDER,
    REQUEST_MODEL,
    REQUEST_TYPE,
    RESPONSE_BODY,
    RESPONSE_MODEL,
    SPAN_KIND,
    Dialect,
)
from costspan.dialect.values import MOST_TEXT, text, whole
from costspan.dialect.vercel import VERCEL
from costspan.model import OTHER, Value

DIALECTS: tuple[Dialect, ...] = (
    LANGSMITH,  # what it writes under GenAI's names for operation and provider is a guess
    GENAI,
    AG2,
    MICROSOFT,
    *EXPORTERS,
    PYDANTIC_AI,
    LITELLM,
    OPENLIT,
    GOOGLE_ADK,
    STRANDS,
    AGENTOPS,
    OPENLLMETRY,
    OPENINFERENCE,
    VERCEL,
    LANGFUSE,
    MLFLOW,
    *CODING_AGENTS,  # words that applications use as well
)
"""In order of precedence: the first that says something about a meaning is believed."""

# They write GenAI's counts; an OpenInference span that has those was converted.
_WRITERS = tuple(dialect for dialect in DIALECTS if dialect is not OPENINFERENCE)

_KEPT = 4096  # sets of keys; far above the number of instrumentations in one fleet

_WHOLE = frozenset({PARAMETERS, RESPONSE_BODY})  # JSON: worth nothing if it is cut

Keys = tuple[str, ...]
Meanings = tuple[tuple[str, Keys], ...]


def _merged(tables: Iterable[Mapping[str, Keys]]) -> dict[str, Keys]:
    """All spellings of every meaning, the first table's first."""
    merged: dict[str, Keys] = {}
    for table in tables:
        for meaning, keys in table.items():
            merged[meaning] = merged.get(meaning, ()) + keys
    return merged


COUNTS: Mapping[str, Keys] = _merged(dialect.counts for dialect in DIALECTS)
TEXTS: Mapping[str, Keys] = _merged([*(dialect.texts for dialect in DIALECTS), NAMES])
ANNOUNCES = TEXTS[BEGUN]  # attributes that no span has but one that only announces another
DOCUMENTS = documents.places(
    key for table in (COUNTS, TEXTS) for keys in table.values() for key in keys
)

NAMESPACES = ("gen_ai.",)
"""Where a key that is in no table is news: a convention has moved on."""

FAMILIAR = tuple(start for dialect in DIALECTS for start in dialect.familiar)

ARGUMENTS = tuple(each for dialect in DIALECTS for each in dialect.arguments)

_READ = frozenset(
    key for table in (COUNTS, TEXTS, GATEWAYS) for keys in table.values() for key in keys
) | frozenset((*DOCUMENTS, *(each.key for each in ARGUMENTS)))

_RECOMMENDED: Mapping[str, Keys] = {
    "gen_ai.operation.name": (
        *TEXTS[OPERATION],
        *TEXTS[SPAN_KIND],
        *TEXTS[REQUEST_TYPE],
        *TEXTS[ENTITY_KIND],
    ),
    "gen_ai.provider.name": TEXTS[PROVIDER],
    "gen_ai.request.model": TEXTS[REQUEST_MODEL],
    "gen_ai.response.model": TEXTS[RESPONSE_MODEL],
    "gen_ai.usage.input_tokens": COUNTS[INPUT] + COUNTS[APART_INPUT],
    "gen_ai.usage.output_tokens": COUNTS[OUTPUT] + COUNTS[APART_OUTPUT],
}


class Layout(NamedTuple):
    """What one set of keys holds: (meaning or name, the keys that are there, best first)."""

    counts: Meanings
    texts: Meanings
    span_dimensions: Meanings
    dimension_documents: bool  # whether JSON on the span may state dimensions
    resource_dimensions: Meanings
    gateways: Meanings  # keys by which a gateway may say that it answered from its own cache
    documents: Keys  # attributes that hold JSON in which more may be said
    arguments: Keys  # what a tool was called with, if it is a tool's span
    home: str  # the scope of those who write such keys, if an application may give it its own name
    dialect: str  # by the keys alone; an emitter that is known by name goes before it
    missing: Keys  # recommended attributes that are there in no spelling, by canonical name
    unknown: Keys  # keys of a known namespace that are in no table; a scan keeps them few


@lru_cache(maxsize=_KEPT)
def layout(span: Keys, resource: Keys, dimensions: Dimensions) -> Layout:
    """The layout of a span with these keys; their order is of no consequence."""
    there = frozenset(span)
    return Layout(
        _present(COUNTS, there),
        _present(TEXTS, there),
        dimensions.present(there),
        not there.isdisjoint(dimensions.documents),
        dimensions.present(frozenset(resource)),
        _present(GATEWAYS, there),
        tuple(key for key in DOCUMENTS if key in there),
        tuple(each.key for each in ARGUMENTS if each.key in there),
        next((d.home for d in DIALECTS if d.home and not there.isdisjoint(d.signs)), ""),
        _dialect(there),
        tuple(name for name, keys in _RECOMMENDED.items() if there.isdisjoint(keys)),
        tuple(sorted(_unknown(there) - dimensions.keys)),
    )


def _unknown(there: frozenset[str]) -> frozenset[str]:
    return frozenset(key for key in there - _READ if key == OTHER or key.startswith(NAMESPACES))


def _present(table: Mapping[str, Keys], there: frozenset[str]) -> Meanings:
    found = ((meaning, tuple(k for k in keys if k in there)) for meaning, keys in table.items())
    return tuple((meaning, keys) for meaning, keys in found if keys)


def _dialect(there: frozenset[str]) -> str:
    """The convention whose totals are there; GenAI keys with another's sign are that other's."""
    spoken = next((each for each in DIALECTS if not there.isdisjoint(_totals(each))), None)
    if spoken is not None and spoken is not GENAI:
        return spoken.name
    among = DIALECTS if spoken is None else _WRITERS
    return next((each.name for each in among if not there.isdisjoint(each.signs)), GENAI.name)


def _totals(dialect: Dialect) -> Keys:
    return dialect.counts.get(INPUT, ()) + dialect.counts.get(OUTPUT, ())


def texts(found: Meanings, values: Mapping[str, Value]) -> dict[str, str]:
    """The first value that says something, for each meaning that has one."""
    said: dict[str, str] = {}
    for meaning, keys in found:
        value = values[keys[0]]
        if type(value) is str and 0 < len(value) <= MOST_TEXT:  # nearly always
            said[meaning] = value
            continue
        as_text = whole if meaning in _WHOLE else text
        stated = next(filter(None, (as_text(values[key]) for key in keys)), "")
        if stated:
            said[meaning] = stated
    return said
