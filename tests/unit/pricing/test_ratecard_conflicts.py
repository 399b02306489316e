"""Entries that would set the same price twice: in one card, and in two."""

from __future__ import annotations

from pathlib import Path

import pytest

from costspan_pricing.ratecard.load import RateCardError, load_cards
from ratecards import HEAD, card, faults

IN_2026 = "effective: {from: 2026-01-01, to: 2027-01-01}\n"

# --- in one card ---------------------------------------------------------------------------------

GPT = "match: {provider: openai, model: [gpt-4o, gpt-4.1]}"
OTHER = "match: {provider: openai, model: [o3, gpt-4.1]}"


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("usd_per_mtok: {input: 2}", "usd_per_mtok: {input: 3}", " for input"),
        ("usd_per_mtok: {input: 2}", "usd_per_ktok: {output: 3, input: 1}", " for input"),
        ("usd_per_mtok: {input: 2}", "usd_per_mtok: {output: 3}", None),
        (
            "to: 2026-07-01, usd_per_mtok: {input: 2}",
            "from: 2026-07-01, usd_per_mtok: {input: 3}",
            None,
        ),
        (
            "to: 2026-07-02, usd_per_mtok: {input: 2}",
            "from: 2026-07-01, usd_per_mtok: {input: 3}",
            " for input",
        ),
        (
            "usd_per_mtok: {output: 2}, long_context: {over: 9, usd_per_mtok: {input: 3}}",
            "usd_per_mtok: {input: 3}",
            " for input",
        ),
    ],
)
def test_two_rates_do_not_set_one_price_at_one_time(
    first: str, second: str, what: str | None
) -> None:
    """One name in both lists is enough."""
    body = f"{IN_2026}rates:\n  - {{{GPT}, {first}}}\n  - {{{OTHER}, {second}}}\n"

    if what is None:
        assert len(card(body).rates) == 2
    else:
        assert faults(body) == [
            (
                f"6:5: rates[1]: the same names at the same time as rates[0] in line 5{what}:"
                " keep one of them"
            )
        ]


@pytest.mark.parametrize(
    ("body", "path", "what"),
    [
        (
            (
                "discounts:\n  - {match: {}, multiplier: 0.9}\n"
                "  - {match: {}, multiplier: 0.8, applies_to: [output, web_search]}\n"
            ),
            "discounts",
            " for output",
        ),
        (
            "aliases:\n  - {model: a, sku: x/y}\n  - {model: [b, A], sku: x/z}\n",
            "aliases",
            "",
        ),
        ("capacity:\n  - {match: {model: a}}\n  - {match: {model: a}}\n", "capacity", ""),
        (
            "showback:\n  - {match: {}, multiplier: 1}\n  - {match: {}, multiplier: 2}\n",
            "showback",
            "",
        ),
    ],
)
def test_nor_do_two_entries_of_another_kind(body: str, path: str, what: str) -> None:
    assert faults(body) == [
        (
            f"5:5: {path}[1]: the same names at the same time as {path}[0] in line 4{what}:"
            " keep one of them"
        )
    ]


@pytest.mark.parametrize(
    "body",
    [
        # one that stacks is meant to apply together with another
        (
            "discounts:\n  - {match: {}, multiplier: 0.9}\n"
            "  - {match: {}, multiplier: 0.8, stack: true}\n"
        ),
        (
            "discounts:\n  - {match: {}, multiplier: 0.9}\n"
            "  - {match: {}, multiplier: 0.8, applies_to: web_search}\n"
        ),
        (
            "showback:\n  - {match: {resource: {team: a}}, multiplier: 1}\n"
            "  - {match: {resource: {team: b}}, multiplier: 2}\n"
        ),
        "aliases:\n  - {model: a, sku: x/y}\n  - {provider: azure, model: a, sku: x/z}\n",
    ],
)
def test_entries_that_differ_in_what_they_are_for_are_no_conflict(body: str) -> None:
    assert card(body).id


# --- in two --------------------------------------------------------------------------------------

ONE = "rates: [{match: {provider: openai, model: gpt-4o}, usd_per_mtok: {input: '2'}}]\n"


@pytest.mark.parametrize(
    ("other", "conflict"),
    [
        (ONE, True),
        ("effective: {from: 2026-06-01}\n" + ONE, True),
        ("effective: {from: 2027-01-01}\n" + ONE, False),  # after the first one
        ("applies_to: {resource: {team: a}}\n" + ONE, False),  # another scope
        (ONE.replace("input", "output"), False),
        (ONE.replace("openai", "azure"), False),
        (ONE.replace("gpt-4o", "gpt-4*"), False),  # less specific
        ("discounts: [{match: {provider: openai, model: gpt-4o}, multiplier: 0.9}]\n", False),
    ],
)
def test_two_cards_do_not_set_one_price(tmp_path: Path, other: str, *, conflict: bool) -> None:
    """The same names, at the same time, in the same scope, for the same unit."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(HEAD + IN_2026 + ONE)
    second.write_text(HEAD.replace("acme", "other") + other)

    if not conflict:
        assert len(load_cards([first, second])) == 2
        return
    with pytest.raises(RateCardError) as caught:
        load_cards([first, second])
    (fault,) = caught.value.faults
    assert fault.startswith(str(second))
    assert f"as rates[0] in {first}:4:" in fault
    assert "for input" in fault
