"""Where a dimension is found, what its value is worth, and which spans are opened for it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from costspan import wire
from costspan.dialect import DEFAULT_DIMENSIONS, Dimensions, configured, recognise, wanted
from costspan.dialect.dimensions import MOST_LIST, MOST_PARTS, MOST_TEXT, text
from costspan.dialect.layout import TEXTS
from costspan.dialect.table import USER
from costspan.model import WITNESS, Value
from costspan.processor.enrich import OWN_KEYS
from costspan.testing import request, span
from hits import call_of, hit

USAGE: dict[str, Value] = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


def dimensions_of(
    values: Mapping[str, Value],
    dimensions: Dimensions = DEFAULT_DIMENSIONS,
    resource: Mapping[str, Value] | None = None,
) -> Mapping[str, str]:
    return call_of(
        {**USAGE, **values}, dimensions=dimensions, resource=resource
    ).identity.dimensions


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("department", "legal", {"department": "legal"}),
        ("baggage.department", "legal", {"department": "legal"}),
        # traceloop-sdk 0.62.4: tracing.py, _set_association_properties_attributes
        ("traceloop.association.properties.department", "legal", {"department": "legal"}),
        # langfuse 5.0.4: _client/attributes.py, _flatten_and_serialize_metadata
        ("langfuse.trace.metadata.department", '"legal"', {"department": "legal"}),
        ("langfuse.trace.tags", ["b", "a"], {"tags": "a,b"}),
        # langsmith 0.15.0: _internal/otel/_otel_exporter.py 575-584
        ("langsmith.metadata.department", "legal", {"department": "legal"}),
        ("langsmith.span.tags", "b, a", {"tags": "a,b"}),
        ("langsmith.trace.session_name", "bot", {"project": "bot"}),
        # ai 5.0.277: dist/index.js 1604-1617; @ai-sdk/otel 1.0.173: dist/index.js 803
        ("ai.telemetry.metadata.businessUnit", "legal", {"business_unit": "legal"}),
        ("ai.settings.context.workflow_type", "review", {"workflow_type": "review"}),
        # litellm 1.109.1: integrations/opentelemetry.py 2463, otel/model/semconv.py 294-300
        ("metadata.user_api_key_alias", "bot-key", {"api_key_alias": "bot-key"}),
        ("metadata.user_api_key_team_alias", "legal", {"team": "legal"}),
        ("litellm.metadata.trace_id", "x-1", {"external_trace_id": "x-1"}),
        ("litellm.team.id", "t-1", {"team": "t-1", "team_id": "t-1"}),
        ("litellm.api_key.hash", "h", {"api_key": "h"}),
        # openinference-semantic-conventions 0.1.42
        ("metadata", '{"department": "legal", "hierarchy_level": 2}',
         {"department": "legal", "hierarchy_level": "2"}),
        ("tag.tags", ["b", "a", "b"], {"tags": "a,b"}),
        ("mcp.method.name", "tools/call", {"mcp_method": "tools/call"}),
        ("fastmcp.server.name", "weather", {"mcp_server": "weather"}),
    ],
)  # fmt: skip
def test_a_dimension_is_found_where_libraries_keep_it(
    key: str, value: Value, expected: Mapping[str, str]
) -> None:
    assert dimensions_of({key: value}) == expected


@pytest.mark.parametrize("key", TEXTS[USER])
def test_whoever_is_the_user_is_the_dimension_too(key: str) -> None:
    who = call_of({**USAGE, key: "ann"}).identity

    assert (who.user, who.dimensions["user"]) == ("ann", "ann")


def test_the_plain_key_goes_before_what_a_library_kept() -> None:
    said = {"traceloop.association.properties.team": "kept", "team": "plain"}

    assert dimensions_of(said)["team"] == "plain"


def test_a_configured_dimension_has_the_keys_of_libraries_too() -> None:
    """By its own name and by the keys that it was given."""
    dimensions = configured({"cost_center": ("acme.cc",)}, witnesses=False)

    for key in ("acme.cc", "baggage.acme.cc", "metadata.cost_center", "langsmith.metadata.acmeCc"):
        assert dimensions_of({key: "42"}, dimensions) == {"cost_center": "42"}
    assert dimensions_of({"metadata": '{"cost_center": "42"}'}, dimensions) == {"cost_center": "42"}
    assert dimensions_of({"cost_center": "42"}, dimensions) == {}


def test_the_configuration_adds_to_the_defaults_replaces_and_removes() -> None:
    dimensions = configured({"team": ("squad",), "task": ()}, witnesses=False)
    said: dict[str, Value] = {"squad": "s", "team": "t", "task": "x", "department": "d"}

    assert dimensions_of(said, dimensions) == {"team": "s", "department": "d"}


def test_what_only_the_resource_says_is_marked_as_such() -> None:
    who = call_of(
        {**USAGE, "team": "search"}, resource={"team": "platform", "department": "legal"}
    ).identity

    assert who.dimensions == {"team": "search", "department": "legal"}
    assert who.defaults == ("department",)


def test_a_task_of_traceloop_is_a_task() -> None:
    """traceloop-sdk 0.62.4: @task sets the kind and the name of the entity."""
    values: dict[str, Value] = {"traceloop.span.kind": "task", "traceloop.entity.name": "summarise"}

    assert call_of(values).identity.dimensions == {"task": "summarise"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" legal ", "legal"),
        (7, "7"),
        (True, "true"),
        (2.5, "2.5"),
        ("", ""),
        ("None", ""),  # str(None)
        ("null", ""),
        ("undefined", ""),
        (None, ""),
        ({"a": "b"}, ""),
        (b"\x00", ""),
        ("b, a", "b, a"),  # a department may have a comma in its name
        (["b", "a", " a", ""], "a,b"),
        ('["b", "a"]', "a,b"),
        ('"quoted"', "quoted"),
        ("[broken", "[broken"),
        ('["a", {"b": 1}, 2]', "2,a"),
        ("[" * 100_000, "[" * MOST_TEXT),
        ("x" * 10_000, "x" * MOST_TEXT),
    ],
)
def test_a_value_is_one_short_text(value: Value, expected: str) -> None:
    assert text(value) == expected


def test_a_list_is_bounded() -> None:
    many = text([f"tag-{number:05}" for number in range(10_000)])

    assert many.count(",") == MOST_PARTS - 1
    assert len(text([str(number) * MOST_TEXT for number in range(100)])) == MOST_LIST


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("agent.id", "a-7", "agent"),
        ("graph.node.id", "planner", "agent"),  # openinference-...-openai-agents 2.6.0, 310
        ("ai.telemetry.functionId", "planner", "agent"),
        ("agent_name", "planner", "agent"),
        ("traceloop.workflow.name", "review", "workflow"),
        ("ai.toolCall.name", "search", "tool"),
        ("mcp.tool.name", "search", "tool"),
        ("enduser.id", "ann", "user"),
        ("ai.telemetry.metadata.userId", "ann", "user"),
        ("traceloop.association.properties.user_id", "ann", "user"),
        ("litellm.end_user.id", "ann", "user"),
        ("metadata.user_api_key_user_id", "ann", "user"),
        ("langsmith.metadata.user_id", "ann", "user"),
        ("session.id", "s", "session"),
        ("langfuse.session.id", "s", "session"),
        ("gcp.vertex.agent.session_id", "s", "session"),
        ("ai.telemetry.metadata.sessionId", "s", "session"),
        ("traceloop.association.properties.session_id", "s", "session"),
        ("mcp.session.id", "s", "session"),
        ("gen_ai.conversation.id", "c", "conversation"),
        ("langsmith.metadata.thread_id", "c", "conversation"),
    ],
)
def test_a_name_is_known_under_every_key_that_libraries_use(
    key: str, value: str, field: str
) -> None:
    assert getattr(call_of({**USAGE, key: value}).identity, field) == value


def test_a_name_goes_before_an_id_whoever_writes_it() -> None:
    said: dict[str, Value] = {"gen_ai.agent.id": "a-1", "agent.id": "a-2", "agent.name": "planner"}

    assert call_of({**USAGE, **said}).identity.agent == "planner"


@pytest.mark.parametrize("key", ["tenant.id", "baggage.tenant.id"])
def test_a_span_that_calls_no_model_is_read_for_a_configured_key(key: str) -> None:
    """Whatever stands before the key; what it says is for the calls below."""
    dimensions = configured({"payer": ("tenant.id",)}, witnesses=True)
    found = wire.scan(request(span({key: "acme"})), wanted(dimensions, OWN_KEYS))
    calls = [recognise(one, dimensions) for one in found]

    assert [(call.role, call.identity.dimensions) for call in calls if call] == [
        (WITNESS, {"payer": "acme", "tenant": "acme"})
    ]


@pytest.mark.parametrize(
    "dimensions",
    [DEFAULT_DIMENSIONS, configured({"payer": ("tenant.id",)}, witnesses=False)],
    ids=["default", "off"],
)
def test_no_other_span_is_opened_for_a_dimension(dimensions: Dimensions) -> None:
    """Every span would pay for it."""
    body = request(span({"tenant.id": "acme", "department": "legal"}))

    assert not wire.scan(body, wanted(dimensions, OWN_KEYS))


def test_a_prompt_that_mentions_a_key_opens_nothing() -> None:
    dimensions = configured({"payer": ("team",)}, witnesses=True)
    body = request(span({"note": "the team, team, and the team"}))

    assert not wire.scan(body, wanted(dimensions, OWN_KEYS))


def test_a_resource_alone_bears_no_witness() -> None:
    """Else every span of a process with OTEL_RESOURCE_ATTRIBUTES would be a record."""
    opened = hit({"team": ""}, resource={"service.name": "app", "team": "platform"})

    assert recognise(opened, DEFAULT_DIMENSIONS) is None
