"""From a span to the record of a model call. Pure: no clock, no I/O; no attribute makes it raise.

One reading of the span serves every dialect: the layout of its keys says where each meaning is,
and everything that depends on a few repeating names alone is worked out once.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.dialect import answer, arguments, cache, table
from costspan.dialect.context import context
from costspan.dialect.convention import Known, emitter
from costspan.dialect.cost import NAMESPACE, PRICE_REF, reported, reports_zero
from costspan.dialect.dimensions import Dimensions
from costspan.dialect.documents import attribute, cut, unfold
from costspan.dialect.identity import identity, provider, says_whose
from costspan.dialect.layout import (
    COUNTS,
    DIALECTS,
    DOCUMENTS,
    FAMILIAR,
    NAMESPACES,
    TEXTS,
    Layout,
    Meanings,
    layout,
    texts,
)
from costspan.dialect.operation import by_name, classify, is_inference
from costspan.dialect.usage import UNKNOWN, Usage, read, usage
from costspan.dialect.values import text, truth
from costspan.model import (
    AGGREGATE,
    ALREADY_METERED,
    LEAF,
    PENDING,
    TOKEN_COUNTER,
    WITNESS,
    Charge,
    Hit,
    Identity,
    LlmCall,
    Value,
    Wanted,
)

_ERROR = 2  # Status.code

# A span without usage that names its agent by an id alone, or by traceloop.entity.name outside of
# a workflow, holds none: it would bear witness, no more.
_MARKERS = tuple(marker for dialect in DIALECTS for marker in dialect.markers)
_SERVICE = "service.name"
_GATEWAY_KEYS = frozenset(key for keys in cache.GATEWAYS.values() for key in keys)

# Whether a span is billed when it arrives, and why; the ledger may find otherwise.
_BILLING = {
    LEAF: (True, "leaf"),
    AGGREGATE: (False, "not_inference"),
    TOKEN_COUNTER: (False, "token_counter"),
    ALREADY_METERED: (False, "already_metered"),
    WITNESS: (False, "no_usage"),
}

_TOOL = "execute_tool"
_WITHOUT_OUTPUT = frozenset({"embeddings", "rerank"})

# Nobody knows these of a call before it has ended, one way or the other. `finish_reasons` says no
# more than the model beside it, and reading a list takes longer than all the rest of a span.
_ENDED = frozenset({table.ERROR_TYPE, table.FINISHED, table.RESPONSE_MODEL, table.RESPONSE_ID})


def wanted(
    dimensions: Dimensions,
    own_keys: frozenset[str],
    resource_keys: frozenset[str] = frozenset(),
    *,
    tools: bool = False,
) -> Wanted:
    """What a scan has to look for so that `recognise` sees all that it can understand.

    `resource_keys`: attributes of resources that prices depend on. `tools`: open every span that
    says what a tool was called with, not those alone that are opened for what else they say.
    """
    named = dimensions.keys
    texts = frozenset(attribute(key) for keys in TEXTS.values() for key in keys) | named
    counts = frozenset(attribute(key) for keys in COUNTS.values() for key in keys)
    return Wanted(
        markers=_MARKERS + dimensions.markers + (arguments.MARKERS if tools else ()),
        keys=counts | texts | _GATEWAY_KEYS | arguments.KEYS,
        prefixes=(),
        # JSON, ARNs, URNs and deployment paths: names may be long
        long_keys=texts | _GATEWAY_KEYS | frozenset(DOCUMENTS) | arguments.KEYS,
        resource_keys=named | resource_keys | {_SERVICE},
        own_keys=own_keys | NAMESPACE,
        namespaces=NAMESPACES,
        familiar=FAMILIAR,
        conditional=arguments.CONDITIONAL,
    )


def recognise(hit: Hit, dimensions: Dimensions, *, remeter: bool = False) -> LlmCall | None:
    """The model call that this span is or repeats; None if it is of no concern.

    A span without usage that says whose the calls below it are is a WITNESS; what only tells that
    a span has begun is PENDING, whatever else it says. `remeter`: treat a span that another
    costspan metered like any other. Never raises.
    """
    found = layout(tuple(hit.values), tuple(hit.resource), dimensions)
    if found.documents:
        hit, found = _unfolded(hit, found, dimensions)
    said = texts(found.texts, hit.values)
    if table.BEGUN in said:
        return _begun(hit, found.dialect)
    if table.RESPONSE_BODY in said:
        said = answer.read(said[table.RESPONSE_BODY]) | said
    get = said.get
    operation, role = classify(
        get(table.OPERATION, ""),
        get(table.SPAN_KIND, ""),
        get(table.REQUEST_TYPE, ""),
        get(table.ENTITY_KIND, ""),
    )
    if not operation:
        operation, role = by_name(hit.scope[0], hit.name)
    who = identity(hit, found, said, operation, dimensions)
    cost = reported(said, hit.own) if hit.own or table.COST in said else ""
    if not found.counts and not cost and not _tells(hit, said, operation):
        if not (says_whose(who) or (found.arguments and operation == _TOOL)):
            return None
        role = WITNESS
    elif PRICE_REF in hit.own and not remeter:
        role = ALREADY_METERED
    return _call(hit, found, said, operation, role, who, cost)


def _begun(hit: Hit, dialect: str) -> LlmCall:
    """The announcement of a span: a copy of what was known of it at its start, so no call."""
    return LlmCall(
        *hit[:9],
        *hit.scope,
        service=text(hit.resource.get(_SERVICE)),
        dialect=dialect,
        convention="",
        decided_by="",
        operation="",
        provider="",
        request_model="",
        response_model="",
        response_id="",
        role=PENDING,
        usage=None,
        cache_status="",
        context={},
        identity=Identity(),
        billed=False,
        billed_reason=PENDING,
    )


def _unfolded(hit: Hit, found: Layout, dimensions: Dimensions) -> tuple[Hit, Layout]:
    """The span with what its JSON documents say beside its attributes, and where all that is."""
    values = unfold(hit.values, found.documents, DOCUMENTS)
    whole = layout(tuple(values), tuple(hit.resource), dimensions)
    return hit._replace(values=values), whole


def _tells(hit: Hit, said: Mapping[str, str], operation: str) -> bool:
    """Whether a span without usage is a model call all the same.

    Answered by a cache, failed, or finished without ever stating its usage. What has neither a
    result nor an error is none: frameworks prepare calls in spans that look like calls.
    """
    if truth(said.get(table.CACHED, "")):
        return True
    if not is_inference(operation):
        return False
    return hit.status == _ERROR or not _ENDED.isdisjoint(said)


def _call(
    hit: Hit,
    found: Layout,
    said: Mapping[str, str],
    operation: str,
    role: str,
    who: Identity,
    cost: str,
) -> LlmCall:
    get = said.get
    served_by = provider(get(table.PROVIDER, ""), get(table.SERVER, ""))
    asked, answered = get(table.REQUEST_MODEL, ""), get(table.RESPONSE_MODEL, "")
    known = emitter(hit.scope, served_by, answered or asked, hit.name, hit.values)
    if found.home:
        known = _at_home(hit, found.home, said, served_by) or known
    counts, (buckets, convention, decided_by), invalid = _count(found, hit.values, known, said)
    gateway = ""
    if found.gateways or table.CACHED in said:
        gateway = _gateway(hit, found, said, counts)
    billed, reason = _BILLING[role]
    if billed and buckets is None and not (invalid or cost or gateway):
        billed, reason = False, "no_usage"
    tools = operation == _TOOL and found.arguments
    called_with = arguments.digest(found.arguments, hit.values) if tools else b""
    # In the order of the fields: naming all of them would take an eighth of the time per span.
    return LlmCall(
        *hit[:9],  # ordinal, ids, name, kind, times, status
        *hit.scope,
        text(hit.resource.get(_SERVICE)),
        known[0] if known else found.dialect,
        convention,
        decided_by,
        operation,
        served_by,
        asked,
        answered,
        get(table.RESPONSE_ID, ""),
        role,
        buckets,
        cache.HIT if gateway else cache.status(said, counts),
        context(said, served_by),
        who,
        Charge(),
        cost,
        get(table.ERROR_TYPE, ""),
        _missing(found.missing, operation) if role == LEAF else (),
        invalid,
        billed,
        reason,
        gateway=gateway,
        unknown=found.unknown,
        cumulative=known is not None and known[1].cumulative == role,
        dropped=hit.dropped,
        cut=cut(hit.values, found.documents) if found.documents else (),
        arguments=called_with,
    )


def _at_home(hit: Hit, home: str, said: Mapping[str, str], served_by: str) -> Known | None:
    """Who made a span whose scope has a name of the application's choosing, or no version."""
    get = said.get
    model = get(table.RESPONSE_MODEL) or get(table.REQUEST_MODEL, "")
    scope = (home, hit.scope[1] or get(table.LIBRARY, ""))
    return emitter(scope, served_by, model, hit.name, hit.values)


def _without(key: str, found: Meanings) -> Meanings:
    rest = ((meaning, tuple(each for each in keys if each != key)) for meaning, keys in found)
    return tuple((meaning, keys) for meaning, keys in rest if keys)


def _gateway(hit: Hit, found: Layout, said: Mapping[str, str], counts: Mapping[str, int]) -> str:
    """Who answered from a cache of its own, "" if nobody proves to have.

    A reported cost of 0 proves it beside the flag alone: with cached tokens the flag may be about
    those, and a library that does not know the model reports 0 as well.
    """
    named = cache.gateway(found.gateways, hit.values) if found.gateways else ""
    if named or not truth(said.get(table.CACHED, "")) or cache.reads(counts):
        return named
    return cache.REPORTED_ZERO if reports_zero(said, hit.own) else ""


def _count(
    found: Layout, values: Mapping[str, Value], known: Known | None, said: Mapping[str, str]
) -> tuple[Mapping[str, int], Usage, str]:
    """(what the span states, what that means, why it is nonsense).

    Of the tokens written to a cache, the answer itself may say how many stay for an hour; and what
    its API calls the input.
    """
    try:
        told = found.counts
        if known and known[1].misused in values:
            told = _without(known[1].misused, told)
        counts = read(told, values)
        if table.RESPONSE_BODY in said:
            answered = [meaning for meaning in answer.COUNTS if meaning in said]
            counts = {**{meaning: int(said[meaning]) for meaning in answered}, **counts}
        if table.CACHE_WRITE_1H in said:
            hour = int(said[table.CACHE_WRITE_1H])
            if hour <= counts.get(table.CACHE_WRITE, 0):
                counts.setdefault(table.CACHE_WRITE_1H, hour)
        return counts, usage(counts, known[1] if known else None), ""
    except ValueError as error:
        return {}, UNKNOWN, str(error)


def _missing(missing: tuple[str, ...], operation: str) -> tuple[str, ...]:
    """Without the count of output where a call has none."""
    if missing and operation in _WITHOUT_OUTPUT:
        return tuple(name for name in missing if name != "gen_ai.usage.output_tokens")
    return missing
