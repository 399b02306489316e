"""`costspan rates explain`: every number on the page can be checked by hand from the page alone."""

from __future__ import annotations

import json
import re
import shlex
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costspan.cli import commands
from costspan.cli.exits import Exit
from costspan.cli.rates import sentences
from costspan.cli.rates.answer import answers
from costspan_pricing import Pricer, Reason, load_book
from costspan_pricing.book import FORMAT

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "pricing"
CARD = """\
apiVersion: ratecard/v1
id: acme
revision: 3
owner: finance@acme.example
currency: USD
effective: {from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}
discounts:
  - {match: {provider: acme}, multiplier: "0.8725", applies_to: tokens}
showback:
  - {match: {provider: acme}, multiplier: "1.07"}
"""
BOOK = {
    "format": FORMAT,
    "notice": "",
    "source": {},
    "per": {"input": 1_000_000, "cache_read": 1_000_000, "output": 1_000_000, "web_search": 1000},
    "owners": {},
    "providers": {
        "acme": {
            "models": [
                {
                    "id": "big-1",
                    "prices": [
                        {
                            "from": "2026-05-01T00:00:00Z",
                            "rates": {
                                "input": "5",
                                "cache_read": "0.5",
                                "output": "25",
                                "web_search": "10",
                            },
                            "bands": [
                                {"over": 200_000, "rates": {"input": "10", "output": "37.5"}}
                            ],
                        },
                        {"from": "2026-12-01T00:00:00Z", "rates": {"input": "6", "output": "25"}},
                    ],
                }
            ],
            "uplifts": [
                {
                    "when": {"geo": "us"},
                    "models": ["big-1"],
                    "multiplier": "1.1",
                    "units": ["input", "cache_read", "output"],
                }
            ],
        }
    },
}


@pytest.fixture
def explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `rates explain` on our own small book; returns the code and stdout, or the document."""
    book, card = tmp_path / "book.json", tmp_path / "rates.yaml"
    book.write_text(json.dumps(BOOK))
    card.write_text(CARD)

    def run(*arguments: str, cards: bool = False) -> tuple[int, Any]:
        named = ["--provider", "acme", "--model", "big-1", "--at", "2026-11-01T12:00:00Z"]
        files = ["--book", str(book), *(["--rates", str(card)] if cards else [])]
        code = commands.main(["rates", "explain", *named, *files, *arguments])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if "--json" in arguments else printed.out

    return run


def rows(text: str) -> dict[str, str]:
    """The page's rows by their label; lines of the second table go under `unit x`."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        label, value = line[:17].strip(), line[18:]
        found[f"{label} x" if label in found else label] = value
    return found


def test_a_rate_shows_its_list_price_and_each_factor(explain: Any) -> None:
    """5 x 1.1 for the place x 0.8725 by contract = 4.79875 per million; searches are not tokens."""
    code, page = explain("--geo", "us", "input=10000", "web_search=2", cards=True)
    assert code == Exit.OK
    found = rows(page)
    assert re.fullmatch(
        r"list 5 x 1\.1 \(geo:us\) x 0\.8725 \(acme@3\+\w{8} line 8\) = 4\.79875 per 1000000",
        found["input"],
    )
    assert found["web_search"] == "list 10 per 1000"
    assert found["input x"] == "10000 x 0.00000479875 = 0.0479875"
    assert found["web_search x"] == "2 x 0.01 = 0.02"
    assert found["contracted"].startswith("0.0679875 US dollars")
    assert found["list"] == "0.075"
    assert found["showback"] == "0.072746625"


def test_the_dates_between_which_the_price_holds_are_said(explain: Any) -> None:
    assert rows(explain()[1])["price"] == (
        "in force from 2026-05-01T00:00:00Z, at least to 2026-12-01T00:00:00Z"
    )


@pytest.mark.parametrize(
    ("prompt", "said", "rate"),
    [
        ("200000", "200000 tokens, not over 200000: the rates for short prompts", "list 5 per"),
        (
            "200001",
            "200001 tokens, over 200000: the whole call at the rates for long",
            "list 10 per",
        ),
    ],
)
def test_the_decision_about_long_prompts_is_said(
    explain: Any, prompt: str, said: str, rate: str
) -> None:
    found = rows(explain(f"input={prompt}")[1])
    assert found["prompt"].startswith(said)
    assert found["input"].startswith(rate)


def test_cached_tokens_count_for_the_length_of_the_prompt(explain: Any) -> None:
    found = rows(explain("input=1", "cache_read=200000")[1])
    assert found["prompt"].startswith("200001 tokens, over 200000")


def test_the_factors_multiply_to_the_rate_and_the_lines_add_up(explain: Any) -> None:
    """What a person would do with the page, done by machine."""
    arguments = ("--geo", "us", "input=10000", "cache_read=7", "output=999", "--json")
    _, found = explain(*arguments, cards=True)
    assert found["schema"] == "costspan.rates.explain/v1"
    rates = {rate["unit"]: rate for rate in found["rates"]}
    total = Decimal(0)
    for line in found["quote"]["lines"]:
        rate = rates[line["unit"]]
        product = Decimal(rate["base_usd"])
        for step in rate["factors"]:
            product *= Decimal(step["factor"])
        assert product == Decimal(rate["usd"])
        assert Decimal(rate["usd"]) / rate["per"] == Decimal(line["usd_per_unit"])
        assert line["quantity"] * Decimal(line["usd_per_unit"]) == Decimal(line["usd"])
        total += Decimal(line["usd"])
    assert total == Decimal(found["quote"]["cost_usd"])
    assert (found["from"], found["to"]) == ("2026-05-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert (found["prompt_tokens"], found["long_context_over"]) == (10007, [200000])


def test_assumptions_are_sentences(explain: Any) -> None:
    _, page = explain()
    assert "assumed           No service tier was stated: standard rates." in page


def test_without_a_price_the_reason_is_a_sentence(explain: Any) -> None:
    code, page = explain("--tier", "gold")
    assert code == Exit.OK
    found = rows(page)
    assert found["unpriced"] == "unknown_context"
    assert found["because"] == "service_tier=gold"
    assert sentences.reason(Reason.UNKNOWN_CONTEXT) in page
    assert "US dollars" not in page


def test_every_reason_has_its_sentence() -> None:
    assert all(sentences.reason(reason).endswith(".") for reason in Reason)


def test_every_mark_of_a_known_price_has_its_sentence() -> None:
    """Of all that the price vectors leave in `assumed`, nothing is only an abbreviation."""
    pricer = Pricer(load_book())
    lines = [line for file in GOLDEN.glob("*.jsonl") for line in file.read_bytes().splitlines()]
    quotes = [each.document for each in answers(lines, pricer)]
    marks = {mark for quote in quotes if quote["cost_usd"] for mark in quote["assumed"]}
    assert len(marks) > 10
    assert [mark for mark in sorted(marks) if sentences.mark(mark) == mark] == []


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [
        ("model=a-7:price of a", "a-7 is not listed: it has the price of a."),
        ("provider=openai", "No provider was stated; the model's name says openai."),
        ("something new", "something new"),
    ],
)
def test_a_mark_without_a_sentence_stands_as_it_is(mark: str, sentence: str) -> None:
    assert sentences.mark(mark) == sentence


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("input=x",), "input: expected a count of 0 or more, got 'x'"),
        (("input=-1",), "input: expected a count of 0 or more, got '-1'"),
        (("inputs=1",), "unknown bucket 'inputs'"),
        (("input",), "expected usage as key=value, each once, got 'input'"),
        (("input=1", "input=2"), "expected usage as key=value, each once, got 'input=2'"),
        (("--resource", "x"), "expected --resource as key=value, each once, got 'x'"),
        (("--at", "soon"), "--at: expected an ISO 8601 instant, got 'soon'"),
    ],
)
def test_a_faulty_command_line_is_exit_2_and_a_sentence(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ["--provider", "openai", "--model", "gpt-4o", "--at", "2026-11-01T12:00:00Z"]
    assert commands.main(["rates", "explain", *named, *arguments]) == Exit.USAGE
    assert said in capsys.readouterr().err


def test_an_instant_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    """A price without a time is a guess."""
    assert commands.main(["rates", "explain", "--model", "gpt-4o"]) == Exit.USAGE
    assert "--at" in capsys.readouterr().err


def test_a_policy_that_forbids_it_is_exit_5(explain: Any, tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(CARD + "unpriced: {policy: fail}\n")
    code, page = explain("--model", "big-2", cards=True)
    assert code == Exit.CHECK_FAILED
    assert rows(page)["unpriced"] == "policy"


def test_the_how_to_page_shows_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first example, line by line; `...` stands for what a new revision changes."""
    monkeypatch.chdir(ROOT)
    example = (ROOT / "docs/how-to/prices.md").read_text().split("```")[1]
    command, _, shown = example.replace("\\\n", "").partition("\n...\n")
    arguments = shlex.split(command.partition("$ costspan ")[2])

    assert commands.main(arguments) == Exit.OK
    printed = capsys.readouterr().out.splitlines()
    for line in filter(None, shown.splitlines()):
        pattern = re.escape(line).replace(r"\.\.\.", r"\w+")
        assert any(re.fullmatch(pattern, each) for each in printed), line
