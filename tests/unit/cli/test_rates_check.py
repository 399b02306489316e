"""`costspan rates check`: every fault at once, and vectors against the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
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
effective: {from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}
discounts:
  - {match: {provider: openai}, multiplier: "0.8", applies_to: tokens}
"""
# gpt-4o: 2.50 dollars per million tokens, https://developers.openai.com/api/docs/pricing
VECTOR = {
    "provider": "openai",
    "model": "gpt-4o",
    "at": "2026-11-01T12:00:00Z",
    "usage": {"input": 1000},
}
Check = Callable[..., tuple[int, Any]]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run `rates check` on a card and vectors; returns the code and stdout, or the document."""

    def run(card: str, *vectors: Any, options: tuple[str, ...] = ("--json",)) -> tuple[int, Any]:
        file, lines = tmp_path / "rates.yaml", tmp_path / "vectors.jsonl"
        file.write_text(card)
        lines.write_text("\n".join(map(json.dumps, vectors)))
        more = ["--vectors", str(lines)] if vectors else []
        code = commands.main(["rates", "check", str(file), *more, *options])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if "--json" in options else printed

    return run


def test_a_good_card_is_valid(check: Check, tmp_path: Path) -> None:
    code, printed = check(CARD, options=())
    assert (code, printed.err) == (Exit.OK, "")
    assert printed.out == f"{tmp_path / 'rates.yaml'}: valid, 0 warnings\n"


def test_every_fault_of_every_file_is_said_at_once(check: Check, tmp_path: Path) -> None:
    """A typo in the card, and a book that is not there."""
    bad = CARD.replace("multiplier", "multipler").replace("currency: USD", "currency: EUR")
    code, found = check(bad, options=("--json", str(tmp_path / "none.json")))
    assert (code, found["valid"]) == (Exit.CONFIG_INVALID, False)
    said = "\n".join(found["faults"])
    assert "rates.yaml:8" in said
    assert "the nearest is 'multiplier'" in said
    assert "rates.yaml:5" in said
    assert "none.json: the price book can't be read: No such file" in said


def test_a_card_that_does_not_fit_the_book_fails(check: Check) -> None:
    """The card can be read, but its alias leads to a model that nobody sells."""
    alias = "aliases:\n  - {provider: azure, model: prod, sku: openai/gpt-4oo}\n"
    code, found = check(CARD + alias)
    assert (code, found["faults"]) == (Exit.CHECK_FAILED, [])
    (finding,) = found["findings"]
    assert "rates.yaml:10: sku: expected a model of the price book, saw openai/gpt-4oo" in finding


def test_what_is_probably_not_meant_is_a_warning_and_passes(check: Check) -> None:
    code, found = check(CARD.replace("provider: openai", "provider: openai, model: gpt-4oo"))
    assert (code, found["valid"]) == (Exit.OK, True)
    assert "'gpt-4oo' is no model of the price book" in found["warnings"][0]


# --- vectors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expected",
    [
        {"expect_usd": "0.002"},
        {"expect_usd": "0.00200"},
        {"expect": {"usd": "0.002", "status": "priced"}},
        {"expect": {"list_cost_usd": "0.0025", "reason": None}},
        {"model": "nobody-7", "expect": {"reason": "unknown_model", "usd": None}},
        {"usage": {"input": -1}, "expect": {"status": "invalid_usage"}},
    ],
)
def test_a_vector_as_expected_passes(check: Check, expected: Any) -> None:
    """1000 x 2.50 / 1e6 x 0.8 = 0.002."""
    code, found = check(CARD, {**VECTOR, **expected})
    assert (code, found["findings"], found["vectors"]) == (Exit.OK, [], 1)


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        ({"expect_usd": "0.0025"}, "vectors.jsonl:1: cost_usd: expected 0.0025, got 0.002"),
        ({"id": "x", "expect_usd": "1"}, "vectors.jsonl:1: x: cost_usd: expected 1, got 0.002"),
        ({"expect": {"reason": "policy"}}, "reason: expected policy, got null"),
        ({"expect_usd": None}, "cost_usd: expected null, got 0.002"),
        ({"model": "nobody-7", "expect_usd": "0"}, "cost_usd: expected 0, got null"),
        ({"expect_usd": 0.002}, "usd: expected money as text"),
        ({"expect_usd": "cheap"}, "expected a decimal number of US dollars, got 'cheap'"),
        ({"expect": {"resaon": "policy"}}, "expect.resaon: unknown field; the nearest is 'reason'"),
        ({"expect": "0.002"}, "expect: expected an object"),
        ({}, "a vector without either checks nothing"),
        ({"at": "soon", "expect_usd": "1"}, "at: expected an ISO 8601 instant, got 'soon'"),
    ],
)
def test_a_vector_that_differs_fails_and_says_both(
    check: Check, vector: dict[str, Any], said: str
) -> None:
    code, found = check(CARD, {**VECTOR, **vector}, {**VECTOR, "expect_usd": "0.002"})
    assert (code, found["vectors"]) == (Exit.CHECK_FAILED, 2)
    (finding,) = found["findings"]
    assert said in finding


def test_a_faulty_card_is_not_tried(check: Check) -> None:
    """Its prices would be those of nobody."""
    code, found = check(CARD.replace("0.8", "x"), {**VECTOR, "expect_usd": "0.002"})
    assert (code, found["vectors"], found["findings"]) == (Exit.CONFIG_INVALID, 0, [])


# --- books ---------------------------------------------------------------------------------------


def test_a_book_among_the_files_is_checked_and_used(check: Check, tmp_path: Path) -> None:
    """Its rate for the model is half of ours."""
    book = tmp_path / "book.json"
    book.write_text(_book("1.25"))
    vector = {**VECTOR, "expect_usd": "0.001"}
    assert check(CARD, vector, options=("--json", str(book)))[0] == Exit.OK


def test_a_faulty_book_is_exit_3(check: Check, tmp_path: Path) -> None:
    book = tmp_path / "book.json"
    book.write_text(_book("free"))
    code, found = check(CARD, options=("--json", str(book)))
    assert code == Exit.CONFIG_INVALID
    assert (
        "openai/gpt-4o: expected a decimal number of US dollars, got 'free'" in found["faults"][0]
    )


def _book(rate: str) -> str:
    return json.dumps(
        {
            "format": FORMAT,
            "notice": "",
            "source": {},
            "per": {"input": 1_000_000},
            "owners": {},
            "providers": {
                "openai": {"models": [{"id": "gpt-4o", "prices": [{"rates": {"input": rate}}]}]}
            },
        }
    )
