"""Which entry of a rate card is the more specific one, and where a card applies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from costspan_pricing.ratecard.match import Names, applies, rank
from costspan_pricing.ratecard.patterns import literal, matches, pattern
from costspan_pricing.ratecard.shape import Match
from ratecards import card

# a deployment of Azure: its name as emitted, its name in the book, its sku
CALL = Names(
    "azure.ai.openai",
    "azure",
    ("gpt4o-prod-eu", "gpt-4o", "azure/gpt-4o"),
    {"service.name": "Team-A", "deployment.environment": "prod"},
)


def match(body: str) -> Match:
    return card(f"discounts: [{{match: {{{body}}}, multiplier: 1}}]").discounts[0].match


# --- patterns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("GPT-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o*", "gpt-4o", True),
        ("gpt-4o*", "gpt-4o-mini", True),
        ("gpt-4o*", "my-gpt-4o", False),
        ("gpt-?o", "gpt-4o", True),
        ("gpt-?o", "gpt-4.1o", False),
        ("gpt-[45]*", "gpt-5.4", True),
        ("gpt-[45]*", "gpt-3.5", False),
        ("gpt-[!3]*", "gpt-3.5", False),
        ("*", "anything/at:all", True),
        ("gpt-4.1", "gpt-4x1", False),
        ("~^gpt-4", "gpt-4o", True),
        ("~^gpt-4", "my-gpt-4o", False),
        ("~gpt-4", "my-gpt-4o", True),
        ("~^GPT-\\D", "gpt-o", True),
        ("~^GPT-\\D", "gpt-4", False),  # \D stays \D
        ("~^gpt-4\\.1$", "gpt-4.1", True),
        ("~a", "a" * 256, True),
        ("~a", "a" * 257, False),  # too long for a search
        ("a*", "a" * 2048, True),
        ("a*", "a" * 2049, False),
        (
            "arn:aws:bedrock:*:123456789012:application-inference-profile/abcd*",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234efgh",
            True,
        ),
    ],
)
def test_what_a_pattern_means(text: str, name: str, *, expected: bool) -> None:
    assert matches(pattern(text), name) is expected


def test_the_literal_text_of_a_glob_is_what_is_not_wild() -> None:
    assert [len("gpt-"), len("gpt-o"), 0] == [
        literal(pattern(text)) for text in ("gpt-*", "gpt-[45]?o", "*")
    ]


# --- rank ----------------------------------------------------------------------------------------


def test_the_more_specific_wins_step_by_step() -> None:
    """From the name that the trace carries down to no condition at all."""
    steps = [
        "provider: azure, model: gpt4o-prod-eu",  # exact, as emitted
        "model: gpt4o-prod-eu",  # the same, of any provider
        "provider: azure, model: gpt-4o",  # exact, what it stands for
        "provider: azure, model: azure/gpt-4o",  # exact, farther away
        "provider: azure, model: gpt4o-prod-*",  # glob, 11 literal characters
        "provider: azure, model: '*prod*'",  # glob, 4
        "provider: azure, model: '*'",  # glob, 0
        "provider: azure, model: ~prod",  # regex
        "provider: azure.ai.openai",  # its own API
        "provider: azure",
        "resource: {service.name: team-a}",
        "",
    ]
    ranks = [rank(match(body), CALL) for body in steps]

    assert all(a is not None and b is not None and a > b for a, b in pairwise(ranks)), ranks


def test_of_a_list_of_names_the_best_counts() -> None:
    assert rank(match("model: ['*', gpt4o-prod-eu]"), CALL) == rank(
        match("model: gpt4o-prod-eu"), CALL
    )


def test_more_attributes_are_more_specific() -> None:
    one = rank(match("resource: {service.name: team-a}"), CALL)
    two = rank(match("resource: {service.name: team-a, deployment.environment: prod}"), CALL)

    assert one is not None
    assert two is not None
    assert two > one


@pytest.mark.parametrize(
    "body",
    [
        "provider: openai",
        "provider: azure.ai.inference",
        "model: gpt-4",
        "model: [gpt-5*, ~^claude]",
        "provider: azure, model: gpt-4.1",
        "provider: openai, model: gpt-4o",
        "resource: {service.name: team-b}",
        "resource: {team: a}",  # the call has no such attribute
        "model: gpt-4o, resource: {service.name: team-a, deployment.environment: dev}",
    ],
)
def test_what_does_not_fit_has_no_rank(body: str) -> None:
    assert rank(match(body), CALL) is None


@pytest.mark.parametrize(
    ("canonical", "written", "fits"),
    [
        ("gcp.gemini", "google", True),
        ("gcp.vertex_ai", "google", True),
        ("gcp.vertex_ai", "gcp.vertex_ai", True),
        ("gcp.vertex_ai", "vertexai", True),
        ("gcp.gemini", "gcp.vertex_ai", False),
        ("gcp.gemini", "[openai, google]", True),
    ],
)
def test_a_book_id_covers_every_api_of_a_provider(
    canonical: str, written: str, *, fits: bool
) -> None:
    call = Names(canonical, "google", ("gemini-2.5-pro",))

    assert (rank(match(f"provider: {written}"), call) is not None) is fits


def test_a_provider_with_one_name_is_no_less_specific() -> None:
    """Openai is both the canonical name and the book's: it ranks like azure, not like its API."""
    openai = Names("openai", "openai", ("gpt-4o",))
    azure = Names("azure.ai.openai", "azure", ("gpt-4o",))

    assert rank(match("provider: openai"), openai) == rank(match("provider: azure"), azure)


def test_names_that_are_empty_match_nothing() -> None:
    assert rank(match("model: '*'"), Names("openai", "openai", ("", ""))) is None


# --- scope ---------------------------------------------------------------------------------------

SCOPED = card(
    "effective: {from: 2026-01-01, to: 2027-01-01}\n"
    "applies_to: {resource: {deployment.environment: [prod, stag*], team: a}}\n"
)
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (START - timedelta(microseconds=1), False),
        (START, True),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), True),
        (datetime(2027, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_card_applies_from_its_first_instant_to_before_its_last(
    at: datetime, *, expected: bool
) -> None:
    assert applies(SCOPED, at, {"deployment.environment": "prod", "team": "a"}) is expected


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"deployment.environment": "PROD", "team": "a", "more": "x"}, True),
        ({"deployment.environment": "staging", "team": "a"}, True),
        ({"deployment.environment": "dev", "team": "a"}, False),
        ({"deployment.environment": "prod"}, False),
        ({}, False),
    ],
)
def test_a_card_applies_where_every_attribute_fits(
    resource: dict[str, str], *, expected: bool
) -> None:
    assert applies(SCOPED, START, resource) is expected
    assert applies(card(), START, resource)
