"""The keys of a rate card, ratecard/v1: the only place where they are listed.

What is read, the JSON Schema and the names that are suggested for a typo all follow from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from costspan_pricing.context import PROCESSING, facts
from costspan_pricing.dating import EVER
from costspan_pricing.faults import nearest, suggestion
from costspan_pricing.quote import Context
from costspan_pricing.ratecard.forms import (
    BOOLEAN,
    COUNT,
    DATE,
    DECIMAL,
    ID,
    INSTANT,
    MULTIPLIER,
    PATTERN,
    PROVIDER,
    REVISION,
    SKU,
    TEXT,
    Form,
    one_of,
)
from costspan_pricing.ratecard.kinds import Key, ListOf, MapOf, OneOrMore, Section
from costspan_pricing.ratecard.shape import Policy
from costspan_pricing.usage import TOKENS, Unit

API_VERSION = "ratecard/v1"
BUNDLED = "bundled"

# --- units and how they are priced ---------------------------------------------------------------

_TOKENS = tuple(unit for unit in Unit if unit in TOKENS)
_COUNTED = (Unit.REQUESTS, Unit.WEB_SEARCH, Unit.SEARCH_UNIT, Unit.CHARACTERS, Unit.IMAGES)
_UNIT_TEXTS: Mapping[Unit, str] = {
    Unit.INPUT: "Prompt tokens that are in no other bucket.",
    Unit.CACHE_READ: "Prompt tokens read from a cache.",
    Unit.CACHE_WRITE_5M: "Prompt tokens written to a cache for 5 minutes, or for a time not said.",
    Unit.CACHE_WRITE_1H: "Prompt tokens written to a cache for an hour.",
    Unit.CACHE_WRITE_12H: "Prompt tokens written to a cache for 12 hours.",
    Unit.OUTPUT: "Tokens of the answer, reasoning included.",
    Unit.REASONING: "Reasoning tokens, where they cost another price than the answer.",
    Unit.AUDIO_INPUT: "Audio tokens of the prompt.",
    Unit.AUDIO_OUTPUT: "Audio tokens of the answer.",
    Unit.IMAGE_INPUT: "Image tokens of the prompt.",
    Unit.IMAGE_OUTPUT: "Image tokens of the answer.",
    Unit.CACHE_READ_AUDIO: "Audio tokens read from a cache.",
    Unit.REQUESTS: "Calls.",
    Unit.WEB_SEARCH: "Web searches.",
    Unit.SEARCH_UNIT: "Search units of a reranker.",
    Unit.CHARACTERS: "Characters, of speech for example.",
    Unit.AUDIO_SECONDS: "Audio by its length.",
    Unit.IMAGES: "Images.",
}


class Per(NamedTuple):
    """What a price is for: so many of these units."""

    size: int
    units: tuple[Unit, ...]
    text: str


PRICES: Mapping[str, Per] = {
    "usd_per_mtok": Per(1_000_000, _TOKENS, "US dollars per million tokens."),
    "usd_per_ktok": Per(1_000, _TOKENS, "US dollars per thousand tokens."),
    "usd_per_token": Per(1, _TOKENS, "US dollars per token."),
    "usd_per_1000": Per(1_000, _COUNTED, "US dollars per thousand searches, calls and the like."),
    "usd_per_unit": Per(
        1, (*_COUNTED, Unit.AUDIO_SECONDS), "US dollars for one search, call, second and the like."
    ),
    "usd_per_hour": Per(3_600, (Unit.AUDIO_SECONDS,), "US dollars per hour of audio."),
}
TOKEN_PRICES = tuple(name for name, per in PRICES.items() if Unit.INPUT in per.units)


def _prices(per: Per) -> Section:
    elsewhere = {
        unit.value: f"{unit} is priced by {' or '.join(_priced_by(unit))}"
        for unit in Unit
        if unit not in per.units
    }
    return Section({u.value: Key(DECIMAL, _UNIT_TEXTS[u]) for u in per.units}, elsewhere)


def _priced_by(unit: Unit) -> list[str]:
    return [name for name, per in PRICES.items() if unit in per.units]


_PRICE_KEYS = {name: Key(_prices(per), per.text) for name, per in PRICES.items()}

# --- what an entry applies to --------------------------------------------------------------------

_NAMES = OneOrMore(PATTERN)
_RESOURCE = Key(
    MapOf(TEXT, _NAMES), "Attributes of the OpenTelemetry resource and the values that they have."
)
_MATCH = Key(
    Section(
        {
            "provider": Key(OneOrMore(PROVIDER), "Who runs the model, and sends the invoice."),
            "model": Key(_NAMES, "Names of models."),
            "resource": _RESOURCE,
        }
    ),
    "The calls that it is for. {} is every call.",
    required=True,
)
_DATES = {
    "from": Key(INSTANT, "The first instant; the contract's if it is left out."),
    "to": Key(INSTANT, "The first instant at which it no longer holds."),
}

# --- the context of a call -----------------------------------------------------------------------

_CONTEXT_TEXTS = {
    "tier": "Service tier: flex, priority, ...",
    "speed": "Speed: fast.",
    "geo": "Where inference may run: us, eu, ...",
    "region": "The cloud's region: eastus2.",
    "deployment": "Azure's deployment type: global, data-zone, regional, provisioned.",
    "search": "Size of the search context: low, medium, high.",
}


def _factor(text: str) -> tuple[str, str]:
    """`geo:us` as a key of the context and its value, as a call's is read; "" = the standard one.

    `batch` alone is `batch:true`.
    """
    key, colon, value = text.strip().lower().partition(":")
    if key == "batch" and value in ("", "true"):
        return "batch", "true"
    if key not in _CONTEXT_TEXTS:
        raise ValueError(suggestion(key, ("batch", *_CONTEXT_TEXTS)))
    if not colon or not value or set(value) & set("*?[]~, "):
        raise ValueError(f"write {key}: and one value, without a space")
    stated: dict[str, Any] = {key: value}
    read = facts(Context("", "", EVER[0], **stated)).all
    if PROCESSING in read:
        raise ValueError("write batch")
    return key, next(iter(read.values()), "")


_FACTOR = Form(
    "batch, or a key and its value such as tier:flex, speed:fast or geo:us",
    _factor,
    {"type": "string", "pattern": rf"^(batch(:true)?|({'|'.join(_CONTEXT_TEXTS)}):[^*?\[\]~, ]+)$"},
)
_LOWER_TEXT = TEXT._replace(parse=lambda text: str(TEXT.parse(text)).lower())
_STATED = _LOWER_TEXT._replace(schema={"type": "string"})
_STATED_BATCH = BOOLEAN._replace(parse=lambda text: str(BOOLEAN.parse(text)).lower())


# --- the units that a discount moves -------------------------------------------------------------

_WORDS: Mapping[str, frozenset[Unit]] = {
    "tokens": TOKENS,
    "all": frozenset(Unit),
    **{unit.value: frozenset({unit}) for unit in Unit},
}


def _units(text: str) -> frozenset[Unit]:
    if text not in _WORDS:
        close = nearest(text, _WORDS)
        raise ValueError(f"the nearest is {close}" if close else "")
    return _WORDS[text]


_UNITS = Form("tokens, all or a unit such as web_search", _units, {"enum": list(_WORDS)})

# --- the file ------------------------------------------------------------------------------------

_ALIAS = Section(
    {
        "provider": Key(PROVIDER, "The provider that the trace names; any if it is left out."),
        "model": Key(_NAMES, "The name that traces carry: a deployment, an ARN.", required=True),
        "sku": Key(SKU, "What it stands for in the price book: provider/model.", required=True),
        "context": Key(
            Section(
                {name: Key(_STATED, text) for name, text in _CONTEXT_TEXTS.items()}
                | {"batch": Key(_STATED_BATCH, "Whether these calls are batch jobs.")}
            ),
            "What else is known of these calls.",
        ),
    }
)
_LONG_CONTEXT = Section(
    {
        "over": Key(COUNT, "Prompts of more tokens than this.", required=True),
        **{name: _PRICE_KEYS[name] for name in TOKEN_PRICES},
    },
    {name: "only tokens cost more in a long prompt" for name in PRICES if name not in TOKEN_PRICES},
)
_RATE = Section(
    {
        "match": _MATCH,
        **_DATES,
        **_PRICE_KEYS,
        "long_context": Key(_LONG_CONTEXT, "Prices for the whole call when its prompt is long."),
        "context": Key(
            MapOf(_FACTOR, MULTIPLIER), "Factors on its token prices for calls of this kind."
        ),
    }
)
_DISCOUNT = Section(
    {
        "match": _MATCH,
        **_DATES,
        "multiplier": Key(MULTIPLIER, "What remains of the list price.", required=True),
        "applies_to": Key(OneOrMore(_UNITS), "tokens (if left out), all, or units."),
        "stack": Key(BOOLEAN, "Whether it multiplies with another discount; false if left out."),
    }
)
_AMORTISE = Section(
    {
        "usd_per_hour": Key(DECIMAL, "US dollars that the capacity costs an hour.", required=True),
        "method": Key(one_of("by_tokens"), "How the hour is spread: over its tokens."),
        "tokens_per_hour": Key(COUNT, "Tokens in an hour; without it no cost per call is shown."),
    }
)
_CAPACITY = Section(
    {
        "match": _MATCH,
        **_DATES,
        "marginal_usd": Key(DECIMAL, "US dollars that one more call adds; 0 if left out."),
        "shadow_sku": Key(SKU, "Whose list price the calls would have had: provider/model."),
        "amortise": Key(_AMORTISE, "What the capacity costs."),
    }
)
_METER = Section(
    {
        "name": Key(ID, "Its name in the metric.", required=True),
        "unit": Key(ID, "What is counted: mtok_hour, hour, ...", required=True),
        "usd": Key(DECIMAL, "US dollars per unit.", required=True),
    }
)
_SHOWBACK = Section(
    {
        "match": _MATCH,
        **_DATES,
        "multiplier": Key(MULTIPLIER, "Factor on the contracted cost.", required=True),
    }
)
CARD = Section(
    {
        "apiVersion": Key(one_of(API_VERSION), "The version of this format.", required=True),
        "id": Key(ID, "The contract's name: it stands on every call it prices.", required=True),
        "revision": Key(REVISION, "Counts up with every change; 1 if left out."),
        "owner": Key(TEXT, "Whom to ask."),
        "approved": Key(
            Section(
                {
                    "by": Key(TEXT, "Who approved it."),
                    "on": Key(DATE, "When."),
                    "ticket": Key(TEXT, "Where that is written."),
                }
            ),
            "Who approved this revision. Kept for readers, not used.",
        ),
        "currency": Key(one_of("USD"), "The currency of every amount."),
        "effective": Key(
            Section(
                {
                    "from": Key(INSTANT, "The first instant of the contract."),
                    "to": Key(INSTANT, "The first instant after it; open if left out."),
                }
            ),
            "When the contract holds; always if left out.",
        ),
        "applies_to": Key(
            Section({"resource": _RESOURCE}), "Which calls it is for; all if left out."
        ),
        "list": Key(
            Section(
                {
                    "book": Key(TEXT, f"Name of the price book, or {BUNDLED}: the one in use."),
                    "min_date": Key(DATE, "The book has to be of this date or a later one."),
                }
            ),
            "The list prices that discounts refer to.",
        ),
        "aliases": Key(ListOf(_ALIAS), "Names of yours, and the models that they stand for."),
        "rates": Key(ListOf(_RATE), "Negotiated prices. What they do not name stays at list."),
        "discounts": Key(ListOf(_DISCOUNT), "Factors on list prices."),
        "capacity": Key(ListOf(_CAPACITY), "Provisioned capacity: paid by the hour."),
        "meters": Key(ListOf(_METER), "Costs that are on no call; exported as metrics."),
        "showback": Key(ListOf(_SHOWBACK), "What is charged on internally. Changes no cost."),
        "unpriced": Key(
            Section(
                {"policy": Key(one_of(*Policy), "flag, list_of_family or fail.", required=True)}
            ),
            "What becomes of a call that nothing prices; flag if left out.",
        ),
    }
)
