"""`costspan rates list`: what is charged at an instant, as the engine itself resolves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costspan.cli import commands
from costspan.cli.exits import Exit
from costspan_pricing.book import FORMAT

CARD = """\
apiVersion: ratecard/v1
id: acme
revision: 3
owner: finance@acme.example
currency: USD
effective: {from: 2026-06-01T00:00:00Z, to: 2027-01-01T00:00:00Z}
discounts:
  - {match: {provider: openai, model: big-1}, multiplier: "0.8", applies_to: tokens}
"""
BOOK = {
    "format": FORMAT,
    "date": "2026-11-20",
    "notice": "",
    "source": {"name": "ours", "version": "1"},
    "per": {"input": 1_000_000, "output": 1_000_000, "web_search": 1000},
    "owners": {},
    "providers": {
        "openai": {
            "models": [
                {
                    "id": "big-1",
                    "prices": [
                        {
                            "from": "2026-01-01T00:00:00Z",
                            "rates": {"input": "5", "output": "25", "web_search": "10"},
                            "bands": [{"over": 9, "rates": {"input": "10"}}],
                        },
                        {"from": "2026-12-01T00:00:00Z", "rates": {"input": "4"}},
                    ],
                    "variants": [
                        {"when": {"processing": "batch"}, "rates": {"input": "2.5"}},
                        {
                            "when": {"service_tier": "flex"},
                            "to": "2026-02-01T00:00:00Z",
                            "rates": {"input": "2"},
                        },
                    ],
                },
                {"id": "small-1", "prices": [{"rates": {"input": "1"}}]},
            ],
            "uplifts": [
                {
                    "when": {"geo": ["us", "eu"]},
                    "models": ["big-1"],
                    "multiplier": "1.1",
                    "units": ["input"],
                }
            ],
        },
        "groq": {"models": [{"id": "big-1", "prices": [{"rates": {"input": "3"}}]}]},
    },
}


@pytest.fixture
def listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `rates list` on our own small book; returns the code and stdout, or the document."""
    book, card = tmp_path / "book.json", tmp_path / "rates.yaml"
    book.write_text(json.dumps(BOOK))
    card.write_text(CARD)

    def run(*arguments: str, cards: bool = False) -> tuple[int, Any]:
        files = ["--book", str(book), *(["--rates", str(card)] if cards else [])]
        code = commands.main(["rates", "list", *files, *arguments])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if "--json" in arguments else printed

    return run


def test_a_model_has_its_rates_bands_variants_and_dates(listed: Any) -> None:
    _, found = listed("--provider", "openai", "--model", "big*", "--at", "2026-05-01", "--json")
    (model,) = found["models"]
    assert (model["provider"], model["model"]) == ("openai", "big-1")
    assert model["rates"] == {"input": "5", "output": "25", "web_search": "10"}
    assert model["long_context"] == [{"over": 9, "rates": {"input": "10"}}]
    assert model["variants"] == ["batch", "geo:us|eu x 1.1"]
    assert (model["from"], model["next_change"]) == (
        "2026-01-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
    )


def test_a_rate_card_moves_its_models_alone(listed: Any) -> None:
    """A fifth off tokens, in June and not in May; searches are no tokens."""
    for month, rates in (
        ("05", {"input": "5", "output": "25", "web_search": "10"}),
        ("06", {"input": "4", "output": "20", "web_search": "10"}),
    ):
        at = f"2026-{month}-15T00:00:00Z"
        _, found = listed("--provider", "openai", "--at", at, "--json", cards=True)
        big, small = found["models"]
        assert (big["rates"], small["rates"]) == (rates, {"input": "1"})
        assert ("acme@3" in big["price_ref"]) == (month == "06")


def test_a_model_without_a_price_at_that_instant_is_listed_without_rates(listed: Any) -> None:
    _, found = listed("--provider", "openai", "--model", "big-1", "--at", "2025-01-01", "--json")
    (model,) = found["models"]
    assert (model["rates"], model["price_ref"]) == ({}, None)
    assert model["next_change"] == "2026-01-01T00:00:00Z"


def test_a_glob_alone_looks_at_every_provider(listed: Any) -> None:
    _, found = listed("--model", "BIG*", "--at", "2026-05-01", "--json")
    assert [model["provider"] for model in found["models"]] == ["groq", "openai"]


def test_without_a_filter_the_book_and_the_cards_are_named(listed: Any) -> None:
    code, found = listed("--json", cards=True)
    assert (code, found["schema"]) == (Exit.OK, "costspan.rates.list/v1")
    book, (card,) = found["book"], found["cards"]
    assert (book["name"], book["date"], book["models"]) == ("book", "2026-11-20", 3)
    assert book["providers"] == {"groq": 1, "openai": 2}
    assert card["ref"].startswith("acme@3+")
    assert (card["from"], card["to"]) == ("2026-06-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert "models" not in found


def test_people_get_the_same_in_a_few_lines(listed: Any) -> None:
    code, printed = listed("--provider", "openai", "--model", "big-1", "--at", "2026-05-01")
    assert (code, printed.err) == (Exit.OK, "")
    assert printed.out.splitlines() == [
        "US dollars per 1000000, where no other number of units is written",
        "openai/big-1",
        "    input 5  output 25  web_search 10 per 1000",
        "    over 9 tokens: input 10",
        "    other rates for batch, geo:us|eu x 1.1",
        "    since 2026-01-01T00:00:00Z; next change 2026-12-01T00:00:00Z",
    ]
    summary = listed(cards=True)[1].out
    assert "3 of 2 providers" in summary
    assert "rate card  acme@3+" in summary


def test_nothing_that_fits_is_said_on_stderr(listed: Any) -> None:
    code, printed = listed("--model", "nobody*")
    assert (code, printed.out) == (Exit.OK, "")
    assert printed.err == "costspan: no model of the book fits\n"


def test_an_unknown_provider_is_exit_2_with_the_nearest(listed: Any) -> None:
    code, printed = listed("--provider", "opnai")
    assert code == Exit.USAGE
    assert "'opnai' is not in the book; the nearest is 'openai'" in printed.err


def test_the_book_that_ships_lists_a_provider_in_any_spelling(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = []
    for spelling in ("gcp.gemini", "google"):
        arguments = ["--provider", spelling, "--model", "gemini-2.5-pro", "--at", "2026-11-01"]
        assert commands.main(["rates", "list", *arguments, "--json"]) == Exit.OK
        found.append(json.loads(capsys.readouterr().out)["models"])
    assert found[0] == found[1] != []
