"""Loading a book: what is accepted, what is refused and with which words."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from costspan_pricing import Context, Pricer, Reason, Usage, load_book
from costspan_pricing.book import check_book, matches

BOOK: dict[str, Any] = {
    "format": "costspan.prices/v2",
    "notice": "",
    "source": {"name": "test"},
    "per": {"input": 1000000, "output": 1000000},
    "owners": {"a": ["^m-"], "b": ["*special"]},
    "providers": {"a": {"models": [
        {"id": "m-1", "prices": [{"rates": {"input": "1"}}]},
        {"id": "any", "match": ["^m"], "prices": [{"rates": {"input": "2"}}]},
        {"id": "m-2", "prices": [{"rates": {"input": "3"}}]},
    ]}},
}  # fmt: skip


def test_the_bundled_book_is_pinned_by_its_name() -> None:
    book = load_book()

    assert book.ref == f"prices-genai-0.2.3@{book.sha256[:8]}"
    models = [book.catalogue(provider) for provider in book.providers]
    assert sum(len(each.models) for each in models if each is not None) >= 500
    assert "MIT License" in book.notice
    assert book.source["version"] == "0.2.3"


def test_a_pinned_file_with_other_content_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices-x-0123abcd.json"
    file.write_text(json.dumps(BOOK))

    with pytest.raises(ValueError, match=r"prices-x-0123abcd\.json: expected content with SHA-256"):
        load_book(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "expected a price book"),
        ("{}", "missing required field"),
        (json.dumps(BOOK | {"format": "other/v9"}), "expected format costspan.prices/v2, got 'oth"),
        (json.dumps(BOOK | {"per": {"input": "1"}}), "per"),
    ],
)
def test_what_is_no_book_is_refused_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)

    with pytest.raises(ValueError, match=r"prices\.json: .*" + words):
        load_book(file)


def test_an_exact_name_comes_before_a_pattern_and_patterns_in_order(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(BOOK))
    catalogue = load_book(file).catalogue("a")

    assert catalogue is not None
    found = [catalogue.find(name) for name in ("m-1", "m-2", "m-3", "x")]
    assert [model and model.id for model in found] == ["m-1", "m-2", "any", None]


def test_a_name_that_two_providers_claim_has_no_owner(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(BOOK))
    book = load_book(file)

    assert book.owner("m-1") == "a"
    assert book.owner("m-special") is None
    assert book.owner("x") is None


@pytest.mark.parametrize(
    ("clause", "name", "fits"),
    [
        ("=abc", "abc", True), ("=abc", "abcd", False),
        ("^abc", "abcd", True), ("^abc", "xabc", False),
        ("$abc", "xabc", True), ("$abc", "abcx", False),
        ("*b", "abc", True), ("*x", "abc", False),
        ("~^a.c$", "abc", True), ("~^a.c$", "abcd", False),
        (("^a", "$c"), "abc", True), (("^a", "$d"), "abc", False),
    ],
)  # fmt: skip
def test_clauses(clause: Any, name: str, fits: bool) -> None:  # noqa: FBT001 (an expected value)
    assert matches(clause, name) is fits


def book_with(tmp_path: Path, **price: Any) -> Path:
    """A book of one model with one price entry."""
    model = {"id": "m-1", "prices": [{"rates": {"input": "1"}} | price]}
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(BOOK | {"providers": {"a": {"models": [model]}}}))
    return file


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ({"rates": {"input": "two"}}, "a/m-1: expected a decimal number"),
        ({"rates": {"input": "-1"}}, "a/m-1: input: expected a rate of 0 or more"),
        ({"rates": {"tokens": "1"}}, "a/m-1: tokens: expected one of the units"),
        ({"rates": {"input": 1.5}}, "provider a: Expected `str`, got `float`"),
        ({"from": "2026-01-01"}, "a/m-1: expected an instant with its zone"),
        ({"from": "soon"}, "a/m-1: Invalid isoformat"),
        ({"bands": [{"over": 5, "rates": {"input": ""}}]}, "a/m-1: expected a decimal number"),
        ({"hours": [{"from": "1:00", "to": "04:00", "rates": {}}]}, "a/m-1: expected hours as HH"),
    ],
)
def test_a_book_given_by_path_is_read_to_its_last_rate(
    tmp_path: Path, price: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=r"prices\.json: " + words):
        load_book(book_with(tmp_path, **price))


def test_the_bundled_book_has_no_fault() -> None:
    assert list(check_book(load_book())) == []


def test_before_its_first_instant_a_model_has_no_rate(tmp_path: Path) -> None:
    pricer = Pricer(load_book(book_with(tmp_path, **{"from": "2026-01-01T00:00:00Z"})))
    instants = [datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]

    quotes = [pricer.quote(Usage({"input": 1}), Context("a", "m-1", at)) for at in instants]

    assert [quote.reason for quote in quotes] == [Reason.NO_RATE_AT_TIME, ""]
    assert [quote.total for quote in quotes] == [None, 10**12]
