"""`costspan rates quote`: one request a line in, one quote a line out, whatever the line holds."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.cli import commands
from costspan.cli.exits import Exit
from costspan.cli.rates.answer import answers
from costspan_pricing import Pricer, Reason, Unit, load_book

PRICER = Pricer(load_book())
SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "quote.schema.json"
# gpt-4o: 2.50 and 10.00 dollars per million tokens, https://developers.openai.com/api/docs/pricing
ASK = {
    "provider": "openai",
    "model": "gpt-4o",
    "at": "2026-11-01T12:00:00Z",
    "usage": {"input": 1000, "output": 100},
    "context": {"tier": "default"},
}
Answers = list[dict[str, Any]]
Quote = Callable[..., tuple[int, Answers]]


@pytest.fixture
def quote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Quote:
    """Run `rates quote --json` on lines; every answer is checked against the schema."""

    def run(*lines: object, options: tuple[str, ...] = ()) -> tuple[int, Answers]:
        file = tmp_path / "requests.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        file.write_bytes("\n".join(texts).encode(errors="surrogateescape"))
        code = commands.main(["rates", "quote", str(file), "--json", *options])
        answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        for answer in answers:
            jsonschema.validate(answer, json.loads(SCHEMA.read_text()))
        return code, answers

    return run


def test_a_request_is_priced_to_the_last_digit(quote: Quote) -> None:
    """1000 x 2.50 / 1e6 + 100 x 10 / 1e6 = 0.0035."""
    code, (answer,) = quote(ASK)
    assert code == Exit.OK
    assert (answer["status"], answer["reason"], answer["model"]) == ("priced", None, "gpt-4o")
    assert (
        answer["cost_usd"] == answer["list_cost_usd"] == answer["contracted_cost_usd"] == "0.0035"
    )
    assert (answer["effective_cost_usd"], answer["showback_cost_usd"]) == ("0.0035", None)
    assert answer["lines"] == [
        {"unit": "input", "quantity": 1000, "usd_per_unit": "0.0000025", "usd": "0.0025"},
        {"unit": "output", "quantity": 100, "usd_per_unit": "0.00001", "usd": "0.001"},
    ]
    assert answer["price_ref"].split(";")[1] == "openai/gpt-4o"
    assert "error" not in answer
    assert "id" not in answer


@pytest.mark.parametrize("given", [7, "a", None, [1, {"x": 1.5}], {"trace": "ab"}])
def test_an_id_comes_back_as_it_was(quote: Quote, given: object) -> None:
    _, (answer,) = quote({"id": given, **ASK})
    assert answer["id"] == given


def test_answers_keep_the_order_and_blank_lines_are_none(quote: Quote) -> None:
    code, answers = quote("", {"id": 1, **ASK}, "  ", {"id": 2, **ASK}, "")
    assert (code, [answer["id"] for answer in answers]) == (Exit.OK, [1, 2])


def test_since_when_a_price_holds_is_said(quote: Quote) -> None:
    """The book's batch rates have a first day, which is in the reference too."""
    _, (answer,) = quote({**ASK, "context": {"batch": True}})
    assert answer["effective_from"] == answer["price_ref"].split(";")[2]
    assert answer["effective_from"] is None or answer["effective_from"] < ASK["at"]


# --- counts --------------------------------------------------------------------------------------


def test_inclusive_counts_contain_the_cached_ones(quote: Quote) -> None:
    """1000 prompt tokens of which 400 were cached: 600 plain ones; thinking is output."""
    inside = {"input": 1000, "cache_read": 400, "output": 100, "reasoning": 50}
    _, (answer,) = quote({**ASK, "counts": "inclusive", "usage": inside})
    assert [(line["unit"], line["quantity"]) for line in answer["lines"]] == [
        ("input", 600),
        ("cache_read", 400),
        ("output", 100),
    ]


def test_without_usage_there_is_a_reason_and_no_price(quote: Quote) -> None:
    """Null and absent alike: unknown is not zero."""
    absent = {key: value for key, value in ASK.items() if key != "usage"}
    code, answers = quote({**ASK, "usage": None}, absent)
    assert code == Exit.OK
    assert [(a["status"], a["reason"], a["cost_usd"]) for a in answers] == [
        ("unpriced", "no_usage", None)
    ] * 2


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        ({"input": -1}, "input: expected a count of 0 or more, got -1"),
        ({"input": 1.0}, "input: expected a count of 0 or more, got 1.0"),
        ({"input": "5"}, "input: expected a count of 0 or more, got '5'"),
        ({"input": True}, "input: expected a count of 0 or more, got True"),
        ({"input": 10**4000}, "input: expected a count below 2^63, got a longer number"),
        ({"input": None}, "input: expected a count of 0 or more, got None"),
        ({"input_tokens": 5}, "unknown bucket 'input_tokens'"),
        ({"output": 1, "reasoning": 2}, "reasoning (2) lies inside output (1)"),
        ([5], "usage: expected an object of buckets, got [5]"),
    ],
)
@pytest.mark.parametrize("counts", ["inclusive", "exclusive"])
def test_what_is_no_count_is_invalid_usage_with_a_sentence(
    quote: Quote, usage: object, said: str, counts: str
) -> None:
    code, (answer,) = quote({**ASK, "usage": usage, "counts": counts})
    assert (code, answer["status"], answer["cost_usd"]) == (Exit.OK, "invalid_usage", None)
    assert said in answer["error"]


def test_more_cached_than_prompt_tokens_is_invalid_if_inclusive(quote: Quote) -> None:
    usage = {"input": 10, "cache_read": 20}
    _, (inclusive, exclusive) = quote(
        {**ASK, "usage": usage, "counts": "inclusive"}, {**ASK, "usage": usage}
    )
    assert (inclusive["status"], exclusive["status"]) == ("invalid_usage", "priced")


# --- circumstances -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelled", "plain"),
    [
        ({"service_tier": "flex"}, {"tier": "flex"}),
        ({"openai.response.service_tier": "flex"}, {"tier": "flex"}),
        ({"processing": "batch"}, {"batch": True}),
        ({"processing": "standard"}, {}),
        ({"tier": None}, {}),
        ({"inference_geo": "us"}, {"geo": "us"}),
        ({"cloud.region": "eastus"}, {"region": "eastus"}),
        ({"deployment_type": "data-zone"}, {"deployment": "data-zone"}),
        ({"search_context_size": "low"}, {"search": "low"}),
        ({"search_context": "low"}, {"search": "low"}),
        ({"server.address": "eu.api.openai.com"}, {"geo": "eu"}),
        ({"server_address": "https://api.openai.com/v1"}, {}),
        ({"tier": "flex", "service_tier": "flex"}, {"tier": "flex"}),
    ],
)
def test_attribute_spellings_mean_the_same_as_ours(
    quote: Quote, spelled: dict[str, Any], plain: dict[str, Any]
) -> None:
    _, (first, second) = quote({**ASK, "context": spelled}, {**ASK, "context": plain})
    assert first == second


def test_each_circumstance_reaches_the_pricer(quote: Quote) -> None:
    """What nobody knows leaves the call unpriced, so nothing stated is dropped on the way."""
    stated = [{"tier": "x"}, {"batch": "x"}, {"speed": "x"}]
    _, answers = quote(*({**ASK, "context": each} for each in stated))
    assert [answer["reason"] for answer in answers] == ["unknown_context"] * 3


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"tear": "flex"}, "tear: expected one of tier, batch, speed, geo, region, deployment"),
        ({"tier": 5}, "tier: expected text, got 5"),
        ({"tier": True}, "tier: expected text, got true"),
        ({"tier": "flex", "service_tier": "priority"}, "tier is stated twice, as 'flex' and"),
        ({"resource": "prod"}, "resource: expected an object of attributes"),
        ({"resource": {"team": ["a"]}}, 'resource: team: expected text, got ["a"]'),
        ({"server.address": 80}, "server.address: expected text, got 80"),
    ],
)
def test_a_circumstance_that_nobody_understands_is_no_price(
    quote: Quote, stated: object, said: str
) -> None:
    code, (answer,) = quote({**ASK, "context": stated})
    assert (code, answer["status"], answer["reason"]) == (Exit.OK, "unpriced", "unknown_context")
    assert said in answer["error"]


def test_a_circumstance_in_the_wrong_place_is_not_ignored(quote: Quote) -> None:
    _, (answer,) = quote({**ASK, "tier": "flex"})
    assert (answer["reason"], answer["error"]) == (
        "unknown_context",
        "tier: expected it inside `context`",
    )


def test_a_stranger_beside_the_request_is_nobodys_business(quote: Quote) -> None:
    """Vectors carry notes, sources and expectations on the same line."""
    code, (answer,) = quote({**ASK, "note": "from the page of May", "expect_usd": "1"})
    assert (code, answer["cost_usd"]) == (Exit.OK, "0.0035")


# --- instants ------------------------------------------------------------------------------------


def test_an_instant_without_a_zone_is_utc_and_marked(quote: Quote) -> None:
    _, (naive, aware) = quote({**ASK, "at": "2026-11-01T12:00:00"}, ASK)
    assert naive["cost_usd"] == aware["cost_usd"]
    assert set(naive["assumed"]) - set(aware["assumed"]) == {"at:UTC"}


def test_an_instant_may_state_any_zone(quote: Quote) -> None:
    _, (there, here) = quote({**ASK, "at": "2026-11-01T14:00:00+02:00"}, ASK)
    assert there == here


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1]", "expected a JSON object, got [1]"),
        ("soon", "expected a JSON object: "),
        ("\udcff", "expected a JSON object: "),
        ("[" * 100_000, "expected a JSON object: "),
        ('{"at": NaN}', "NaN is no JSON"),
        ('{"at": "x", "at": "y"}', "the key 'at' stands there twice"),
        ({**ASK, "at": None}, "at: expected an instant: a price without a time is a guess"),
        ({**ASK, "at": 1790000000}, "at: expected an ISO 8601 instant as text, got 1790000000"),
        ({**ASK, "at": "yesterday"}, "at: expected an ISO 8601 instant, got 'yesterday'"),
        ({**ASK, "at": "0001-01-01T00:00:00+05:00"}, "at: expected an ISO 8601 instant, got"),
        ({**ASK, "model": 4}, "model: expected text, got 4"),
        ({**ASK, "context": "batch"}, 'context: expected an object, got "batch"'),
        ({**ASK, "counts": "both"}, 'counts: expected "inclusive" or "exclusive", got "both"'),
    ],
)
def test_an_unreadable_line_is_answered_and_the_next_one_too(
    quote: Quote, line: object, said: str
) -> None:
    """Exit code 1 comes at the end: nothing stops in the middle."""
    code, (first, second) = quote(line, ASK)
    assert (code, first["status"], first["reason"]) == (Exit.FAILURE, "unpriced", None)
    assert said in first["error"]
    assert second["cost_usd"] == "0.0035"


def test_an_unreadable_line_is_named_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(f"\n{json.dumps(ASK)}\n[]\n")
    assert commands.main(["rates", "quote", str(file)]) == Exit.FAILURE
    printed = capsys.readouterr()
    assert printed.err == f"costspan: {file}:3: expected a JSON object, got []\n"
    assert "0.0035" in printed.out


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_no_request_whatever_stops_the_answers(data: st.DataObject) -> None:
    """Any JSON in any place of a good request: one answer, of the promised shape."""
    line: dict[str, Any] = json.loads(json.dumps(ASK))
    place = data.draw(st.sampled_from([line, line["usage"], line["context"]]))
    keys = [*ASK, *(unit.value for unit in Unit), "tier", "server.address", "resource", "counts"]
    place[data.draw(st.sampled_from(keys) | st.text())] = data.draw(JSON)
    (answer,) = answers([json.dumps(line).encode()], PRICER)
    jsonschema.validate(json.loads(json.dumps(answer.document)), json.loads(SCHEMA.read_text()))


# --- rate cards ----------------------------------------------------------------------------------

CARD = """\
apiVersion: ratecard/v1
id: acme
revision: 3
owner: finance@acme.example
currency: USD
effective: {from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}
applies_to: {resource: {deployment.environment: prod}}
discounts:
  - {match: {provider: openai, model: gpt-4o}, multiplier: "0.8", applies_to: tokens}
capacity:
  - {match: {provider: openai, model: ptu-1}, marginal_usd: "0", shadow_sku: openai/gpt-4o}
showback:
  - {match: {resource: {team: "7"}}, multiplier: "1.5"}
"""
PROD = {"resource": {"deployment.environment": "prod", "team": 7}}


@pytest.fixture
def card(tmp_path: Path) -> Path:
    file = tmp_path / "rates.yaml"
    file.write_text(CARD)
    return file


def test_list_contract_and_showback_are_told_apart(quote: Quote, card: Path) -> None:
    """0.0035 at list, x 0.8 by contract = 0.0028, x 1.5 to the team = 0.0042."""
    _, (there, elsewhere) = quote({**ASK, "context": PROD}, ASK, options=("--rates", str(card)))
    assert (there["list_cost_usd"], there["cost_usd"]) == ("0.0035", "0.0028")
    assert there["contracted_cost_usd"] == there["effective_cost_usd"] == "0.0028"
    assert there["showback_cost_usd"] == "0.0042"
    assert there["price_ref"].split(";")[3].startswith("acme@3+")
    assert (elsewhere["cost_usd"], elsewhere["showback_cost_usd"]) == ("0.0035", None)


def test_capacity_adds_nothing_and_shows_the_list_price(quote: Quote, card: Path) -> None:
    """Nobody said how to spread the hour's price, so the effective cost is unknown, not zero."""
    asked = {**ASK, "model": "ptu-1", "context": PROD}
    _, (answer,) = quote(asked, options=("--rates", str(card)))
    assert (answer["status"], answer["cost_usd"]) == ("provisioned", "0")
    assert (answer["list_cost_usd"], answer["effective_cost_usd"]) == ("0.0035", None)


def test_a_policy_that_forbids_it_is_exit_5_at_the_end(quote: Quote, card: Path) -> None:
    card.write_text(CARD + "unpriced: {policy: fail}\n")
    lost = {**ASK, "model": "nobody-7", "context": PROD}
    code, answers = quote(lost, ASK, options=("--rates", str(card)))
    assert (code, len(answers)) == (Exit.CHECK_FAILED, 2)
    assert (answers[0]["reason"], answers[0]["cost_usd"]) == ("policy", None)


def test_a_card_for_a_later_book_is_exit_3(quote: Quote, card: Path) -> None:
    """Its discounts are from another list."""
    card.write_text(CARD + "list: {book: bundled, min_date: 2999-01-01}\n")
    code, answers = quote(ASK, options=("--rates", str(card)))
    assert (code, answers) == (Exit.CONFIG_INVALID, [])


def test_an_alias_of_nothing_leaves_its_calls_unpriced_and_others_alone(
    quote: Quote, card: Path
) -> None:
    card.write_text(CARD + "aliases:\n  - {provider: azure, model: ours, sku: openai/gpt-4oo}\n")
    asked = {**ASK, "provider": "azure", "model": "ours", "context": PROD}
    code, (answer, known) = quote(asked, ASK, options=("--rates", str(card)))
    assert (code, answer["cost_usd"], known["cost_usd"]) == (Exit.OK, None, "0.0035")


def test_the_schema_knows_every_bucket_and_every_reason() -> None:
    schema = json.loads(SCHEMA.read_text())
    assert schema["$defs"]["line"]["properties"]["unit"]["enum"] == [unit.value for unit in Unit]
    assert schema["properties"]["reason"]["enum"] == [*(reason.value for reason in Reason), None]


# --- files ---------------------------------------------------------------------------------------


def test_dash_is_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(ASK).encode())))
    assert commands.main(["rates", "quote", "-", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["cost_usd"] == "0.0035"


def test_a_conversation_gets_each_answer_before_its_next_question() -> None:
    """A program can hold the command open and ask as it goes."""
    command = [sys.executable, "-c", "from costspan.cli import main; main()"]
    with subprocess.Popen(  # noqa: S603  our own interpreter and code
        [*command, "rates", "quote", "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(2):
            process.stdin.write(json.dumps({"id": number, **ASK}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait() == Exit.OK


def test_a_file_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["rates", "quote", "/no/such", "--json"]) == Exit.FAILURE
    assert capsys.readouterr().err == "costspan: /no/such: No such file or directory\n"


@pytest.mark.parametrize("option", ["--book", "--rates"])
def test_a_faulty_book_or_card_is_exit_3_and_no_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    file, bad = tmp_path / "requests.jsonl", tmp_path / "bad.yaml"
    file.write_text(json.dumps(ASK))
    bad.write_text("]")
    code = commands.main(["rates", "quote", str(file), "--json", option, str(bad)])
    printed = capsys.readouterr()
    assert (code, printed.out) == (Exit.CONFIG_INVALID, "")
    assert str(bad) in printed.err


def test_the_faults_of_the_book_and_of_the_cards_are_said_together(
    card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card.write_text(CARD.replace("currency: USD", "currency: EUR"))
    options = ["--rates", str(card), "--book", "/no/book.json"]
    assert commands.main(["rates", "quote", "-", *options]) == Exit.CONFIG_INVALID
    said = capsys.readouterr().err
    assert "/no/book.json: the price book can't be read: No such file or directory" in said
    assert f"{card}:5:" in said


def test_without_a_file_it_is_a_usage_error() -> None:
    assert commands.main(["rates", "quote"]) == Exit.USAGE
