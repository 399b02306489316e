"""Quotes against the shipped book: published prices, dates, tiers, contexts, and why not.

Expected amounts are worked out by hand from the rates in the comments (USD per million tokens).
"""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from costspan_pricing import (
    Context,
    Pricer,
    Quote,
    Reason,
    Unit,
    Usage,
    format_usd,
    load_book,
    parse_usd,
)

PRICER = Pricer(load_book())
AUTUMN = datetime(2026, 11, 1, 12, tzinfo=UTC)
SPRING = datetime(2026, 4, 1, 12, tzinfo=UTC)  # Sonnet 4.5 still has a long-context price
TALK = {"input": 1000, "output": 100}
CACHED = {"input": 1000, "cache_read": 4000, "output": 100}
WRITTEN = {"input": 1000, "cache_write_5m": 400, "cache_write_1h": 200, "output": 100}


def quote(provider: str, model: str, buckets: dict[str, int], **context: object) -> Quote:
    stated = {"at": AUTUMN, "tier": "default"} | context
    return PRICER.quote(Usage(buckets), Context(provider, model, **stated))  # type: ignore[arg-type]


def dollars(answer: Quote) -> str | None:
    return None if answer.total is None else format_usd(answer.total)


@pytest.mark.parametrize(
    ("provider", "model", "buckets", "usd"),
    [
        ("openai", "gpt-4o", TALK, "0.0035"),  # 2.5, 10
        ("openai", "gpt-4o-2024-11-20", CACHED, "0.0085"),  # + 1.25 read
        ("openai", "gpt-4o-2024-05-13", TALK, "0.0065"),  # 5, 15
        ("openai", "gpt-4o-mini", CACHED, "0.00051"),  # 0.15, 0.075, 0.6
        ("openai", "gpt-5.5", CACHED, "0.01"),  # 5, 0.5, 30
        ("openai", "text-embedding-3-small", {"input": 5000}, "0.0001"),  # 0.02
        ("openai", "whisper-1", {"audio_seconds": 90}, "0.009"),  # 0.36 an hour
        ("anthropic", "claude-opus-4-8", WRITTEN, "0.012"),  # 5, 6.25, 10, 25
        ("anthropic", "claude-sonnet-4-6-20260115", CACHED, "0.0057"),  # 3, 0.3, 15
        ("anthropic", "claude-haiku-4-5-20251001", CACHED, "0.0019"),  # 1, 0.1, 5
        ("anthropic", "claude-3-5-sonnet-20241022", WRITTEN, "0.0072"),  # 3, 3.75, 6, 15
        ("anthropic", "claude-opus-4-8", TALK | {"web_search": 3}, "0.0375"),  # 10 a thousand
        (
            "aws.bedrock",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            TALK,
            "0.00495",
        ),  # 3.3,16.5
        (
            "aws.bedrock",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            TALK,
            "0.0045",
        ),  # 3, 15
        ("aws.bedrock", "amazon.nova-pro-v1:0", CACHED, "0.00192"),  # 0.8, 0.2, 3.2
        ("gcp.gemini", "gemini-2.5-flash", CACHED, "0.00067"),  # 0.3, 0.03, 2.5
        ("gcp.gemini", "gemini-2.5-flash", TALK | {"audio_input": 1000}, "0.00155"),  # 1 audio
        ("gcp.vertex_ai", "gemini-2.5-pro", CACHED, "0.00275"),  # 1.25, 0.125, 10
        ("deepseek", "deepseek-v4-pro", CACHED, "0.000946"),  # 0.66, 0.022, 1.98
        ("perplexity", "sonar", TALK, "0.0061"),  # 1, 1, 5 a thousand requests: low search context
        ("perplexity", "sonar-deep-research", TALK | {"reasoning": 40}, "0.0026"),  # 2, 8, 3
        ("x_ai", "grok-4.5", CACHED, "0.0038"),  # 2, 0.3, 6
        ("openrouter", "anthropic/claude-sonnet-4.5", TALK, "0.0045"),  # 3, 15
    ],
)
def test_published_prices(provider: str, model: str, buckets: dict[str, int], usd: str) -> None:
    answer = quote(provider, model, buckets)

    assert (answer.status, dollars(answer)) == ("priced", usd)
    assert sum(line.usd for line in answer.lines) == answer.total == answer.list_total


def test_a_quote_shows_its_lines_and_names_its_price() -> None:
    answer = quote("openai", "gpt-4o", CACHED)

    assert [(line.unit, line.quantity) for line in answer.lines] == [
        (Unit.INPUT, 1000), (Unit.CACHE_READ, 4000), (Unit.OUTPUT, 100)
    ]  # fmt: skip
    assert [format_usd(line.usd_per_unit) for line in answer.lines] == [
        "0.0000025", "0.00000125", "0.00001"
    ]  # fmt: skip
    assert answer.price_ref == f"{PRICER.book.ref};openai/gpt-4o;2025-10-01T00:00:00Z;list@0"
    assert answer.model == "gpt-4o"
    assert answer.assumed == ("batch=no",)  # it has batch rates, and nobody said


# --- time ----------------------------------------------------------------------------------------

CHANGE = datetime(2027, 1, 1, tzinfo=UTC)  # gemini-3.6-flash doubles


@pytest.mark.parametrize(
    ("at", "usd", "since"),
    [
        (CHANGE - timedelta(microseconds=1), "0.001125", "2026-08-13T00:00:00Z"),  # 0.75, 3.75
        (CHANGE, "0.00225", "2027-01-01T00:00:00Z"),  # 1.5, 7.5
        (CHANGE.astimezone(timezone(timedelta(hours=9))), "0.00225", "2027-01-01T00:00:00Z"),
    ],
)
def test_a_price_begins_at_its_instant_and_ends_at_the_next(
    at: datetime, usd: str, since: str
) -> None:
    answer = quote("gcp.gemini", "gemini-3.6-flash", TALK, at=at)

    assert dollars(answer) == usd
    assert answer.price_ref.split(";")[2] == since


def test_a_remembered_price_is_not_used_beyond_its_interval() -> None:
    pricer = Pricer(load_book())
    usage = Usage(TALK)
    instants = [CHANGE, CHANGE - timedelta(days=1), CHANGE + timedelta(days=1), CHANGE]

    quotes = [pricer.quote(usage, Context("google", "gemini-3.6-flash", at)) for at in instants]

    assert [dollars(each) for each in quotes] == ["0.00225", "0.001125", "0.00225", "0.00225"]


@pytest.mark.parametrize(
    ("at", "usd"),
    [
        ("2025-09-05T12:00:00+00:00", "0.00038"),  # by day: 0.27, 1.1
        ("2025-09-05T00:29:59+00:00", "0.00019"),  # by night: half
        ("2025-09-05T00:30:00+00:00", "0.00038"),
        ("2025-09-05T15:59:59+00:00", "0.00038"),
        ("2025-09-05T16:00:00+00:00", "0.000728"),  # 0.56, 1.68, no night discount
        ("2025-09-29T00:00:00+00:00", "0.000322"),  # 0.28, 0.42
    ],
)
def test_deepseek_changes_at_an_instant_of_the_day(at: str, usd: str) -> None:
    assert dollars(quote("deepseek", "deepseek-chat", TALK, at=datetime.fromisoformat(at))) == usd


@pytest.mark.parametrize(
    ("at", "usd", "modifiers"),
    [
        ("2026-10-23T00:59:59+00:00", "0.000858", ()),  # 0.66, 1.98
        ("2026-10-23T01:00:00+00:00", "0.001716", ("hours:01:00-04:00",)),  # Friday: 1.32, 3.96
        ("2026-10-23T03:59:59+00:00", "0.001716", ("hours:01:00-04:00",)),
        ("2026-10-23T04:00:00+00:00", "0.000858", ()),
        ("2026-10-24T01:00:00+00:00", "0.000858", ()),  # Saturday
        ("2026-10-01T01:00:00+00:00", "0.000858", ()),  # Thursday, China's National Day
    ],
)
def test_peak_hours_are_those_of_working_days(
    at: str, usd: str, modifiers: tuple[str, ...]
) -> None:
    answer = quote("deepseek", "deepseek-v4-pro", TALK, at=datetime.fromisoformat(at))

    assert (dollars(answer), answer.modifiers) == (usd, modifiers)
    assert answer.assumed == ()


def test_a_remembered_price_does_not_outlast_its_part_of_the_day() -> None:
    pricer = Pricer(load_book())
    instants = [datetime(2026, 10, 23, hour, tzinfo=UTC) for hour in (0, 1, 4, 3, 6, 10)]

    quotes = [
        pricer.quote(Usage(TALK), Context("deepseek", "deepseek-v4-pro", at)) for at in instants
    ]

    assert ["hours" in str(each.modifiers) for each in quotes] == [
        False, True, False, True, True, False
    ]  # fmt: skip


def test_an_instant_without_zone_is_read_as_utc_and_marked() -> None:
    naive = quote("gcp.gemini", "gemini-3.6-flash", TALK, at=CHANGE.replace(tzinfo=None))

    assert dollars(naive) == "0.00225"
    assert "at:UTC" in naive.assumed


# --- tiers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model", "prompt", "usd"),
    [
        ("anthropic", "claude-sonnet-4-5", 199_999, "0.599997"),  # 3, over 200 000: 6
        ("anthropic", "claude-sonnet-4-5", 200_000, "0.6"),
        ("anthropic", "claude-sonnet-4-5", 200_001, "1.200006"),
        ("x_ai", "grok-4", 127_999, "0.383997"),  # 3, from 128 000 on: 6
        ("x_ai", "grok-4", 128_000, "0.768"),
    ],
)
def test_the_whole_prompt_is_rated_by_its_length(
    provider: str, model: str, prompt: int, usd: str
) -> None:
    assert dollars(quote(provider, model, {"input": prompt}, at=SPRING)) == usd


def test_cached_tokens_count_for_the_tier_and_all_is_rated_anew() -> None:
    answer = quote(
        "anthropic",
        "claude-sonnet-4-5",
        {"input": 1, "cache_read": 200_000, "output": 1000},
        at=SPRING,
    )

    assert dollars(answer) == "0.142506"  # 6, 0.6, 22.5
    assert answer.modifiers == ("long_context:>200000",)


# --- context -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model", "context", "usd", "modifiers"),
    [
        ("openai", "gpt-4o", {"tier": "priority"}, "0.00595", ("tier:priority",)),  # 4.25, 17
        ("openai", "gpt-4o", {"batch": True}, "0.00175", ("batch",)),  # 1.25, 5
        ("openai", "gpt-5.5", {"tier": "flex"}, "0.004", ("tier:flex",)),  # 2.5, 15
        ("anthropic", "claude-opus-4-8", {"tier": "batch"}, "0.00375", ("batch",)),  # 2.5, 12.5
        ("anthropic", "claude-opus-4-8", {"speed": "fast"}, "0.015", ("speed:fast",)),  # 10, 50
        ("anthropic", "claude-opus-4-8", {"tier": "standard"}, "0.0075", ()),
        ("openai", "gpt-4o", {"batch": "false"}, "0.0035", ()),
    ],
)
def test_a_stated_context_has_its_own_rates(
    provider: str, model: str, context: dict[str, object], usd: str, modifiers: tuple[str, ...]
) -> None:
    answer = quote(provider, model, TALK, **context)

    assert (dollars(answer), answer.modifiers) == (usd, modifiers)
    assert answer.price_ref.split(";")[1] == "+".join((f"{provider}/{model}", *modifiers))


def test_what_a_variant_does_not_list_keeps_the_standard_rate() -> None:
    answer = quote("openai", "gpt-4o", CACHED, batch=True)

    assert dollars(answer) == "0.00675"  # 1.25, standard 1.25 read, 5


@pytest.mark.parametrize(
    ("provider", "model", "context"),
    [
        ("openai", "gpt-4o", {"tier": "flex"}),
        ("openai", "gpt-4o", {"tier": "ultrafast"}),
        ("openai", "gpt-4o", {"tier": "priority", "batch": True}),
        ("openai", "gpt-4o", {"batch": "perhaps"}),
        ("openai", "gpt-4o", {"speed": "fast"}),
        ("anthropic", "claude-opus-4-8", {"tier": "priority"}),
        ("anthropic", "claude-opus-4-8", {"batch": True, "speed": "fast"}),
        ("anthropic", "claude-opus-4-8", {"geo": "atlantis"}),
        ("azure.ai.openai", "gpt-4o", {"tier": "flex"}),
        ("azure.ai.openai", "gpt-4o", {"deployment": "regional", "region": "atlantis"}),
        ("azure.ai.openai", "gpt-4o", {"deployment": "provisioned-managed"}),
    ],
)
def test_a_context_without_rates_is_never_silently_standard(
    provider: str, model: str, context: dict[str, object]
) -> None:
    answer = quote(provider, model, TALK, **context)

    assert (answer.status, answer.reason, answer.total) == (
        "unpriced", Reason.UNKNOWN_CONTEXT, None
    )  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "model", "context", "mark"),
    [
        ("openai", "gpt-4o", {"tier": ""}, "tier=standard"),
        ("openai", "gpt-4o", {"tier": "auto"}, "tier=auto:standard"),
        ("", "gpt-4o", {}, "provider=openai"),
        ("langchain", "claude-opus-4-8", {}, "provider=anthropic"),
        ("", "deepseek-v4-pro", {}, "provider=deepseek"),
        ("litellm", "anthropic/claude-opus-4-8", {}, "provider=anthropic"),
        ("azure.ai.openai", "chatgpt-4o-latest", {}, "provider=azure.ai.openai:price of openai"),
        ("azure.ai.openai", "gpt-4o", {}, "deployment=standard"),
        ("azure.ai.openai", "gpt-4o", {"region": "northeurope"},
         "region=northeurope:global list price"),
        ("azure.ai.openai", "gpt-4o", {"deployment": "data-zone"}, "region=standard"),
        ("anthropic", "claude-opus-4-8", {}, "geo=standard"),
        ("anthropic", "claude-haiku-4-5", {"geo": "us"}, "geo=us:global list price"),
        ("gcp.gemini", "gemini-2.5-flash-001", {},
         "model=gemini-2.5-flash-001:price of gemini-2.5-flash"),
    ],
)  # fmt: skip
def test_what_nobody_stated_leaves_a_mark(
    provider: str, model: str, context: dict[str, object], mark: str
) -> None:
    answer = quote(provider, model, TALK, **context)

    assert answer.status == "priced"
    assert mark in answer.assumed


def test_a_stated_geography_selects_the_bedrock_profile() -> None:
    bare = "anthropic.claude-opus-5"

    assert dollars(quote("aws.bedrock", bare, TALK)) == "0.00825"  # in-region: 5.5, 27.5
    assert dollars(quote("aws.bedrock", bare, TALK, geo="global")) == "0.0075"  # 5, 25
    assert dollars(quote("aws.bedrock", bare, TALK, geo="eu")) == "0.00825"


# --- no price ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "model", "buckets", "reason"),
    [
        ("openai", "", TALK, Reason.NO_MODEL),
        ("", "some-model", TALK, Reason.NO_PROVIDER),
        ("", "deepseek-r1-distill-llama-70b", TALK, Reason.NO_PROVIDER),
        ("ollama", "gpt-4o", TALK, Reason.NO_PROVIDER),
        ("openai", "gpt-99", TALK, Reason.UNKNOWN_MODEL),
        ("openai", "claude-opus-4-8", TALK, Reason.UNKNOWN_MODEL),
        ("openai", "ft:gpt-99-2025-04-14:org::id", TALK, Reason.ALIAS_MISSING),
        ("azure.ai.openai", "our-deployment", TALK, Reason.ALIAS_MISSING),
        ("aws.bedrock", "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc", TALK,
         Reason.ALIAS_MISSING),
        ("openai", "text-embedding-3-small", TALK, Reason.NO_RATE_FOR_UNIT),
        ("openai", "gpt-4", CACHED, Reason.NO_RATE_FOR_UNIT),
        ("anthropic", "claude-opus-4-8", {"cache_write_12h": 1}, Reason.NO_RATE_FOR_UNIT),
    ],
)  # fmt: skip
def test_no_price_has_a_reason(
    provider: str, model: str, buckets: dict[str, int], reason: Reason
) -> None:
    answer = quote(provider, model, buckets)

    assert (answer.status, answer.reason) == ("unpriced", reason)
    assert (answer.total, answer.list_total, answer.savings, answer.lines) == (None, None, None, ())


def test_unknown_usage_has_no_price_but_no_tokens_cost_nothing() -> None:
    context = Context("openai", "gpt-4o", AUTUMN)

    assert PRICER.quote(None, context).reason == Reason.NO_USAGE
    assert PRICER.quote(Usage({"input": 0}), context).total == 0
    assert quote("perplexity", "sonar", {}).total == 0


def test_what_the_memory_forgets_is_found_again() -> None:
    pricer = Pricer(load_book())
    usage = Usage(TALK)
    for number in range(3000):
        pricer.quote(usage, Context("openai", f"no-such-{number}", AUTUMN))

    assert len(pricer._tariffs) <= 2048
    assert dollars(pricer.quote(usage, Context("openai", "gpt-4o", AUTUMN))) == "0.0035"


# --- cache ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("buckets", "saved"),
    [
        (TALK, "0"),
        ({"input": 1000, "cache_read": 4000}, "0.018"),  # 4000 x (5 - 0.5)
        ({"input": 1000, "cache_write_5m": 400}, "-0.0005"),  # 400 x (5 - 6.25)
        ({"cache_write_1h": 400}, "-0.002"),  # 400 x (5 - 10)
        ({"cache_read": 100, "cache_write_5m": 400}, "-0.00005"),
    ],
)
def test_savings_are_the_same_call_without_cache_minus_what_was_paid(
    buckets: dict[str, int], saved: str
) -> None:
    assert quote("anthropic", "claude-opus-4-8", buckets).savings == parse_usd(saved)


def test_a_write_that_the_provider_bills_as_input_is_marked() -> None:
    answer = quote("openai", "gpt-4o", TALK | {"cache_write_5m": 400})

    assert dollars(answer) == "0.0045"
    assert answer.savings == 0
    assert "cache_write_5m:input rate" in answer.assumed


def test_a_rate_that_repeats_is_rounded_once_per_line() -> None:
    answer = quote("groq", "whisper-large-v3-turbo", {"audio_seconds": 100})  # 0.04 an hour

    assert answer.total == 1_111_111_111_111_111  # 0.04 x 100 / 3600, to the atto
    assert answer.lines[0].usd_per_unit == 11_111_111_111_111


def test_a_search_size_matters_only_where_it_has_a_price() -> None:
    assert dollars(quote("openai", "gpt-5", TALK, search="medium")) == "0.00225"  # 1.25, 10
    assert dollars(quote("perplexity", "sonar", TALK, search="high")) == "0.0131"  # 12 a thousand
    assert quote("perplexity", "sonar", TALK, search="vast").reason == Reason.UNKNOWN_CONTEXT


def test_a_region_may_be_written_as_azures_portal_writes_it() -> None:
    spoken = quote("azure", "gpt-4.1", TALK, deployment="Standard", region="North Europe")

    assert dollars(spoken) == "0.003696"  # 2.64, 10.56


def test_a_longer_write_is_not_given_away_at_the_price_of_a_miss() -> None:
    """GPT-4o caches by itself; nobody sold it a write for twelve hours."""
    assert quote("openai", "gpt-4o", TALK | {"cache_write_12h": 9}).reason == "no_rate_for_unit"
    assert quote("azure", "gpt-6-astra", {"cache_write_12h": 9}).reason == "no_rate_for_unit"


@pytest.mark.parametrize(
    ("provider", "model", "buckets", "usd"),
    [
        (
            "aws",
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0",
            {"input": 1000},
            "0.00105",  # 1.05 in Europe
        ),
        (
            "gcp.vertex_ai",
            "projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-4-8",
            {"input": 1000},
            "0.0055",  # 5 x 1.1
        ),
        (
            "gcp.vertex_ai",
            "projects/p/locations/global/publishers/anthropic/models/claude-opus-4-8",
            {"input": 1000},
            "0.005",
        ),
        ("openai", "azure/gpt-4.1", {"input": 1000}, "0.002"),
    ],
)
def test_a_place_in_the_name_counts(
    provider: str, model: str, buckets: dict[str, int], usd: str
) -> None:
    assert dollars(quote(provider, model, buckets)) == usd


def test_a_region_is_a_geography_where_only_those_have_prices() -> None:
    by_geo = quote("openai", "gpt-5.5", TALK, geo="eu")
    by_region = quote("openai", "gpt-5.5", TALK, region="eu")

    assert dollars(by_geo) == dollars(by_region) == "0.0088"  # (5, 30) x 1.1
    assert dollars(quote("openai", "gpt-5.5", TALK, region="eu-west-1")) == "0.008"


@pytest.mark.parametrize(
    ("platform", "context", "usd"),
    [
        ("gcp.vertex_ai", {"geo": "us"}, "0.00165"),  # 1.5 x 1.1: a multi-region endpoint
        ("gcp.vertex_ai", {"region": "us-central1"}, "0.00165"),
        ("gcp.vertex_ai", {"region": "global"}, "0.0015"),
        ("gcp.gemini", {"geo": "us"}, "0.0015"),  # AI Studio has no places
        ("gcp.vertex_ai", {"tier": "ON_DEMAND_FLEX"}, "0.00075"),
    ],
)
def test_vertex_has_places_and_names_of_tiers(
    platform: str, context: dict[str, str], usd: str
) -> None:
    assert dollars(quote(platform, "gemini-3.5-flash", {"input": 1000}, **context)) == usd


def test_a_tier_with_one_price_for_every_length_shows_no_long_context() -> None:
    answer = quote("openai", "gpt-5.5", {"input": 300_000}, tier="priority")

    assert answer.modifiers == ("tier:priority",)
