"""Laws of money, usage and quotes.

Additivity holds only below the first long-context threshold (a longer prompt is rated anew) and
for rates that do not repeat (whose lines are rounded once each), without bounds (Gemini 2.x bills
one grounding a call, however many searches it took).
"""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from costspan_pricing import (
    Context,
    InvalidUsage,
    Pricer,
    Unit,
    Usage,
    format_usd,
    load_book,
    parse_usd,
)
from costspan_pricing.ratecard.load import read_card
from costspan_pricing.usage import PROMPT

PRICER = Pricer(load_book())
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.5"),
    ("anthropic", "claude-opus-4-8"),
    ("anthropic", "claude-sonnet-4-5"),
    ("aws.bedrock", "us.anthropic.claude-opus-4-8-v1:0"),
    ("gcp.gemini", "gemini-3.5-flash"),
    ("deepseek", "deepseek-v4-pro"),
    ("x_ai", "grok-4.5"),
    ("perplexity", "sonar-deep-research"),
]
models = st.sampled_from(MODELS)
amounts = st.integers(min_value=-(10**40), max_value=10**40)
counts = st.integers(min_value=0, max_value=10_000)  # nine buckets stay below every threshold
buckets = st.dictionaries(st.sampled_from([*PROMPT, Unit.OUTPUT, Unit.WEB_SEARCH]), counts)


@given(amounts)
@example(-1)
def test_text_is_the_amount(attos: int) -> None:
    """What is written is read back, and is written the same again."""
    text = format_usd(attos)

    assert parse_usd(text) == attos
    assert "e" not in text.lower()
    assert text == "0" or not (text.endswith(".") or ("." in text and text.endswith("0")))


@given(st.decimals(min_value=-1000, max_value=1000, places=18, allow_nan=False))
def test_text_of_a_decimal_is_its_value(amount: object) -> None:
    """Any decimal with 18 places is read exactly."""
    assert parse_usd(format_usd(parse_usd(f"{amount:f}"))) == parse_usd(f"{amount:f}")


@given(models, buckets, st.integers(min_value=0, max_value=500_000))
def test_lines_add_up(model: tuple[str, str], usage: dict[Unit, int], more: int) -> None:
    """The lines are the total, in every tier, and each is its product."""
    quote = PRICER.quote(Usage({**usage, Unit.INPUT: more}), Context(*model, AT))

    if quote.total is None:
        assert quote.lines == ()
        return
    assert sum(line.usd for line in quote.lines) == quote.total
    assert all(line.quantity * line.usd_per_unit == line.usd for line in quote.lines)


@given(models, buckets, buckets)
def test_a_quote_is_additive(
    model: tuple[str, str], one: dict[Unit, int], other: dict[Unit, int]
) -> None:
    """Two usages together cost what they cost apart, and save what they save apart."""
    context = Context(*model, AT)
    apart = [PRICER.quote(usage, context) for usage in (Usage(one), Usage(other))]
    together = PRICER.quote(Usage(one) + Usage(other), context)

    if any(quote.total is None for quote in apart):
        assert together.total is None
        return
    assert together.total == sum(quote.total or 0 for quote in apart)
    assert together.savings == sum(quote.savings or 0 for quote in apart)


@given(models, buckets, st.sampled_from([*PROMPT, Unit.OUTPUT]), st.integers(0, 400_000))
def test_more_tokens_never_cost_less(
    model: tuple[str, str], usage: dict[Unit, int], unit: Unit, more: int
) -> None:
    """One bucket grows, over any threshold: the cost does not fall, nor does the list price."""
    context = Context(*model, AT)
    fewer = PRICER.quote(Usage(usage), context)
    larger = PRICER.quote(Usage({**usage, unit: usage.get(unit, 0) + more}), context)

    if fewer.total is not None and larger.total is not None:
        assert larger.total >= fewer.total
        assert (larger.list_total or 0) >= (fewer.list_total or 0)


CARD = """
apiVersion: ratecard/v1
id: law
revision: 1
owner: finance@acme.example
approved: {{by: j.doe, on: 2026-10-02, ticket: FIN-1}}
currency: USD
effective: {{from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}}
aliases: [{{provider: anthropic, model: ours, sku: anthropic/claude-opus-4-8}}]
discounts:
{discounts}
"""
factors = st.integers(min_value=1, max_value=99_999).map(lambda n: f"0.{n:05d}")


@given(st.lists(factors, min_size=1, max_size=5), st.randoms(), buckets, st.booleans())
def test_factors_multiply_in_any_order(
    multipliers: list[str],
    random: Random,
    usage: dict[Unit, int],
    batch: bool,  # noqa: FBT001
) -> None:
    """Discounts that stack make the same exact price in whatever order they are written."""

    def total(order: list[str]) -> int | None:
        rows = (
            f'  - {{match: {{provider: anthropic}}, multiplier: "{each}", stack: true,'
            " applies_to: all}"
            for each in order
        )
        pricer = Pricer(PRICER.book, [read_card(CARD.format(discounts="\n".join(rows)), "law")])
        context = Context("anthropic", "claude-opus-4-8", AT, batch=batch, geo="us")
        return pricer.quote(Usage(usage), context).total

    shuffled = random.sample(multipliers, len(multipliers))

    assert total(shuffled) == total(multipliers)


@given(buckets, st.booleans())
def test_an_alias_is_what_it_stands_for(usage: dict[Unit, int], batch: bool) -> None:  # noqa: FBT001
    """An alias, and the name that it stands for, have one price under the same card."""
    rows = '  - {match: {provider: anthropic}, multiplier: "0.9"}'
    pricer = Pricer(PRICER.book, [read_card(CARD.format(discounts=rows), "law")])
    alias, name = (
        pricer.quote(Usage(usage), Context("anthropic", model, AT, batch=batch))
        for model in ("ours", "claude-opus-4-8")
    )

    assert (alias.total, alias.list_total, alias.lines) == (name.total, name.list_total, name.lines)


@given(models, st.permutations(sorted(Unit)), buckets)
def test_order_does_not_matter(
    model: tuple[str, str], order: list[Unit], usage: dict[Unit, int]
) -> None:
    """Buckets in any order make the same quote, line by line."""
    shuffled = {unit: usage[unit] for unit in order if unit in usage}
    context = Context(*model, AT)

    assert PRICER.quote(Usage(shuffled), context) == PRICER.quote(Usage(usage), context)


@given(buckets, counts)
def test_inclusive_and_exclusive_counts_agree(usage: dict[Unit, int], reasoning: int) -> None:
    """The same call told in both conventions is the same usage."""
    parts = {str(unit): count for unit, count in usage.items()}
    parts.pop("input", None)
    parts.pop("output", None)
    plain, output = usage.get(Unit.INPUT, 0), usage.get(Unit.OUTPUT, 0) + reasoning
    prompt = plain + sum(count for unit, count in usage.items() if unit in PROMPT[1:])

    inclusive = Usage.from_inclusive(input=prompt, output=output, reasoning=reasoning, **parts)

    assert inclusive == Usage.from_exclusive(
        input=plain, output=output, reasoning=reasoning, **parts
    )
    assert inclusive.prompt == prompt


@given(buckets, st.integers(min_value=1))
def test_an_impossible_set_is_refused(usage: dict[Unit, int], missing: int) -> None:
    """Parts that exceed their total are never clamped."""
    parts = {str(unit): count for unit, count in usage.items() if unit in PROMPT[1:]}
    parts["cache_read"] = parts.get("cache_read", 0) + missing

    with pytest.raises(InvalidUsage):
        Usage.from_inclusive(input=sum(parts.values()) - missing, **parts)
    with pytest.raises(InvalidUsage):
        Usage({Unit.OUTPUT: missing - 1, Unit.REASONING: missing})


@given(st.text(max_size=40), st.text(max_size=60), st.text(max_size=12), st.text(max_size=12))
@example("", "openai/", "", "")
@example("aws", "arn:", "", "true")
@example("google", "models/", "", "")
def test_no_name_breaks_the_pricer(provider: str, model: str, tier: str, batch: str) -> None:
    """Whatever a span says, there is an answer: a price or a reason."""
    quote = PRICER.quote(Usage({"input": 1}), Context(provider, model, AT, tier, batch))

    assert (quote.total is None) == bool(quote.reason) == (quote.status == "unpriced")
