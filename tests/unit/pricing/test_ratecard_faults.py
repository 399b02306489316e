"""Every fault of a rate card: where it is, what was expected, what was seen, what was meant.

In the cards ▸ points to where the fault is; it is taken out before the card is read.
"""

from __future__ import annotations

import pytest

from costspan_pricing.document import MAX_BYTES
from costspan_pricing.ratecard.reading import MAX_FAULTS, MAX_VALUES
from ratecards import faults, pointed

IN_2026 = "effective: {from: 2026-01-01, to: 2027-01-01}\n"
DECIMAL = 'expected a decimal of 0 or more such as "4.25", saw'
FACTOR = 'expected a factor above 0 and at most 10 such as "0.82", saw'
INSTANT = 'expected an instant such as "2026-07-01T00:00:00Z" or a date (its midnight in UTC), saw'
PATTERN = "expected a name, a glob such as gpt-5* or a regular expression such as ~^gpt-[45], saw"


def price(written: str) -> str:
    return f"rates: [{{match: {{}}, usd_per_mtok: {{input: {written}}}}}]\n"


def discount(keys: str) -> str:
    return f"discounts: [{{match: {{}}, {keys}}}]\n"


# --- the document --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1:1: apiVersion: the key is missing: expected ratecard/v1"),
        ("- a\n", "1:1: expected a mapping, saw a list"),
        ("a: [\n", "2:1: expected YAML: while parsing a flow node"),
        ('a: "\\UFFFFFFFF"\n', "1:1: expected YAML: a number in it is too large to be read"),
        ("id: a\nid: b\n", "2:1: id: the key stands twice, first in line 1"),
        ("<<: {id: a}\n", "1:1: merge keys (<<) are not read"),
        ("id: !secret x\n", "1:5: expected a plain value, saw the tag !secret"),
        ("a: " + "[" * 40 + "]" * 40 + "\n", ": expected at most 32 levels"),
        ("a: " + "x" * MAX_BYTES, "expected at most 1048576 characters"),
        ("a: [" + "1," * 10_000 + "]\n", ": expected at most 10000 values"),
    ],
)
def test_what_is_no_such_document_is_refused(text: str, fault: str) -> None:
    """Bounded in size, depth and number of values."""
    assert any(fault in each for each in faults(text, head="")), faults(text, head="")


def test_every_fault_is_told_at_once_in_the_order_of_the_file() -> None:
    found = faults(
        "currency: EUR\n"
        "rates:\n"
        "  - match: {provider: openai, modle: gpt-4o}\n"
        '    usd_per_mtok: {inptu: "2", output: "$10"}\n'
        "discounts:\n"
        '  - {multiplier: "18%"}\n'
        "unpriced: {policy: guess}\n"
    )

    assert found == [
        "3:11: currency: expected USD, saw 'EUR'",
        "5:31: rates[0].match.modle: unknown key; the nearest is 'model'",
        "6:20: rates[0].usd_per_mtok.inptu: unknown key; the nearest is 'input'",
        f"6:40: rates[0].usd_per_mtok.output: {DECIMAL} '$10'; write \"10\"",
        "8:5: discounts[0].match: the key is missing: expected a mapping",
        f"8:18: discounts[0].multiplier: {FACTOR} '18%'; write a factor: 18 % off is \"0.82\"",
        "9:20: unpriced.policy: expected one of flag, list_of_family, fail, saw 'guess'",
    ]


def test_reading_stops_where_nobody_reads_on() -> None:
    found = faults("".join(f"k{number}: 1\n" for number in range(MAX_FAULTS + 500)))

    assert len(found) == MAX_FAULTS + 1
    assert any(f"reading stopped here, after {MAX_FAULTS} faults" in each for each in found)


# --- single values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ('"$5"', 'write "5"'),
        ('"5 USD"', 'write "5"'),
        ('"US$ 4.25"', 'write "4.25"'),
        ("1_000", 'write "1000"'),
        ('"1,000.50"', 'write "1000.50"'),
        ('"1,5"', 'write "1.5"'),
        ('".5"', 'write "0.5"'),
        ('"5."', 'write "5"'),
        ('"010"', 'write "10"'),
        ("+5", 'write "5"'),
        ('"-4.25"', "it can't be negative"),
        ("-1", "it can't be negative"),
        (".nan", "leave the key out if there is no price"),
        ('"NaN"', "leave the key out if there is no price"),
        ("-.inf", "leave the key out if there is no price"),
        ('"Infinity"', "leave the key out if there is no price"),
        ('"five"', ""),
        ("0x10", ""),
        ("1:30", ""),
        ('"٣"', ""),
        ('"0.1234567890123456789"', ""),  # 19 decimals
        ('"1000000000000000"', ""),  # 16 digits
        ('""', ""),
        ("true", ""),
    ],
)
def test_what_is_no_decimal_is_refused_with_what_was_meant(written: str, hint: str) -> None:
    place, found = pointed(price("▸" + written))

    seen = written.strip('"')
    end = f"; {hint}" if hint else ""
    assert found == [f"{place}: rates[0].usd_per_mtok.input: {DECIMAL} {seen!r}{end}"]


@pytest.mark.parametrize("written", ['"0"', "0", '"10.01"', '"11"'])
def test_a_multiplier_is_above_zero_and_at_most_ten(written: str) -> None:
    place, found = pointed(discount(f"multiplier: ▸{written}"))

    seen = written.strip('"')
    assert found == [
        (
            f"{place}: discounts[0].multiplier: {FACTOR} '{seen}'"
            '; 18 % off is "0.82", 7 % more is "1.07"'
        )
    ]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("2026-07-01T00:00:00", '; it has no zone: for UTC write "2026-07-01T00:00:00Z"'),
        ("2026-07-01 12:00", '; it has no zone: for UTC write "2026-07-01 12:00Z"'),
        ("2026-7-1", ""),
        ("2026-02-30", "; day is out of range for month"),
        ("01.07.2026", ""),
        ("July", ""),
        ("20260701", ""),
        ('"0001-01-01T00:00:00+14:00"', ""),
        ("[]", ""),
    ],
)
def test_an_instant_has_a_zone(written: str, hint: str) -> None:
    place, found = pointed(f"effective: {{from: ▸{written}}}\n")

    seen = "a list" if written == "[]" else repr(written.strip('"'))
    assert found == [f"{place}: effective.from: {INSTANT} {seen}{hint}"]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("~", "; write the regular expression after the ~"),
        ("~^gpt-(4", "; it is no regular expression: missing ), unterminated subpattern"),
        ("~^(a+)+$", "; a group in ( ) can't be repeated with *, + or {}: write it out"),
        ("~^(a|b){2,9}$", "; a group in ( ) can't be repeated"),
        ("~a*b*c*", "; it could search too long"),
        ("~^" + "(a|b)" * 30, "; it could search too long"),
        ("~(?i)gpt", "; of the groups that begin with (? only"),
        ("~[[a]", "; it is no regular expression: Possible nested set"),
        ("~" + "a" * 201, "; a regular expression has at most 200 characters"),
        ("a" * 2049, "; a name has at most 2048 characters"),
        ("", ""),
    ],
)
def test_a_pattern_is_read_once_and_can_not_stall(written: str, hint: str) -> None:
    body = f"discounts: [{{match: {{model: ▸'{written}'}}, multiplier: 0.9}}]\n"
    place, (fault,) = pointed(body)

    assert fault.startswith(f"{place}: discounts[0].match.model: {PATTERN} ")
    assert hint in fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("id: ▸a b", "id: expected letters, digits, dots, dashes and underscores, saw 'a b'"),
        ("id: ▸a;b", "id: expected letters, digits, dots, dashes and underscores, saw 'a;b'"),
        ("revision: ▸-1", "revision: expected letters, digits, dots, dashes and underscores, saw"),
        ("owner: ▸{a: b}", "owner: expected a text of 1 to 200 characters in one line, saw a map"),
        ("owner:▸", "owner: expected a text of 1 to 200 characters in one line, saw nothing"),
        ('owner: ▸"a\\nb"', "owner: expected a text of 1 to 200 characters in one line, saw"),
        ("approved: {on: ▸yesterday}", "approved.on: expected a date such as 2026-07-01, saw"),
        ("list: {min_date: ▸2026-13-01}", "list.min_date: expected a date such as 2026-07-01, saw"),
        ("applies_to: {resource: ▸[a]}", "applies_to.resource: expected a mapping, saw a list"),
        ("applies_to: {resource: {a: ▸[]}}", "applies_to.resource.a: expected a name, a glob"),
        ("applies_to: {resource: {a:▸ }}", "applies_to.resource.a: expected a name, a glob"),
        ("applies_to: {▸team: a}", "applies_to.team: unknown key; known are resource"),
        ("rates: ▸{}", "rates: expected a list, saw a mapping"),
        ("rates: [▸a]", "rates[0]: expected a mapping, saw 'a'"),
        ("rates:\n  -▸", "rates[0]: expected a mapping, saw nothing"),
        ("aliases: [▸{model: a}]", "aliases[0].sku: the key is missing: expected provider/model"),
        ("aliases: [▸{sku: a/b}]", "aliases[0].model: the key is missing: expected a name"),
        ("aliases: [{model: a, sku: ▸gpt-4o}]", "aliases[0].sku: expected provider/model"),
        (
            "aliases: [{model: a, sku: a/b, context: {▸tear: flex}}]",
            "aliases[0].context.tear: unknown key; the nearest is 'tier'",
        ),
        (
            "aliases: [{model: a, sku: a/b, context: {batch: ▸yes}}]",
            "aliases[0].context.batch: expected true or false, saw 'yes'; write true",
        ),
        (
            "meters: [{name: a, unit: h, usd: 1}, {▸name: a, unit: h, usd: 2}]",
            "meters[1].name: the meter 'a' stands twice, first in line 1",
        ),
        (
            "capacity: [{match: {}, amortise: {usd_per_hour: 1, tokens_per_hour: ▸9_000}}]",
            (
                "capacity[0].amortise.tokens_per_hour: expected a whole number of 1 or more,"
                " saw '9_000'; write \"9000\""
            ),
        ),
        (
            "capacity: [{match: {}, amortise: {usd_per_hour: 1, method: ▸by_hours}}]",
            "capacity[0].amortise.method: expected by_tokens, saw 'by_hours'",
        ),
    ],
)
def test_the_other_keys(body: str, fault: str) -> None:
    place, found = pointed(body, head="")

    assert any(each.startswith(f"{place}: {fault}") for each in found), (place, found)


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ("multiplier: 1, stack: ▸maybe", "discounts[0].stack: expected true or false, saw 'maybe'"),
        (
            "multiplier: 1, applies_to: ▸token",
            (
                "discounts[0].applies_to: expected tokens, all or a unit such as web_search,"
                " saw 'token'; the nearest is tokens"
            ),
        ),
        (
            "multiplier: 1, applies_to: ▸[]",
            (
                "discounts[0].applies_to: expected tokens, all or a unit such as web_search,"
                " or a list of them, saw an empty list"
            ),
        ),
        ("▸mutliplier: 1", "discounts[0].mutliplier: unknown key; the nearest is 'multiplier'"),
    ],
)
def test_the_keys_of_a_discount(keys: str, fault: str) -> None:
    place, found = pointed(discount(keys))

    assert f"{place}: {fault}" in found


@pytest.mark.parametrize(
    ("provider", "seen"),
    [('"*"', "'*'"), ("a/b", "'a/b'"), ("[]", "an empty list"), ("{}", "a ma")],
)
def test_a_provider_is_a_name(provider: str, seen: str) -> None:
    """Every provider: the key is left out."""
    body = f"discounts: [{{match: {{provider: ▸{provider}}}, multiplier: 1}}]\n"
    place, (fault,) = pointed(body)

    wanted = "discounts[0].match.provider: expected the name of one provider"
    assert fault.startswith(f"{place}: {wanted}")
    assert f", saw {seen}" in fault


def test_a_list_of_names_has_an_end() -> None:
    names = ", ".join(f"m{number}" for number in range(MAX_VALUES + 1))
    place, found = pointed(f"discounts: [{{match: {{model: ▸[{names}]}}, multiplier: 1}}]\n")

    wanted = f"expected at most {MAX_VALUES} values in a list, saw a list"
    assert found == [f"{place}: discounts[0].match.model: {wanted}"]


# --- prices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        (
            "usd_per_mtok: {▸web_search: 8}",
            (
                ".usd_per_mtok.web_search: unknown key;"
                " web_search is priced by usd_per_1000 or usd_per_unit"
            ),
        ),
        (
            "usd_per_1000: {▸input: 8}",
            (
                ".usd_per_1000.input: unknown key;"
                " input is priced by usd_per_mtok or usd_per_ktok or usd_per_token"
            ),
        ),
        (
            "usd_per_hour: {▸audio_second: 1}",
            ".usd_per_hour.audio_second: unknown key; the nearest is 'audio_seconds'",
        ),
        ("usd_per_mtok: {input:▸ }", f".usd_per_mtok.input: {DECIMAL} nothing"),
        (
            "usd_per_mtok: {input: 1}, usd_per_ktok: {▸input: 1}",
            ".usd_per_ktok.input: the unit has a price above",
        ),
        (
            "usd_per_mtok: {input: 1}, long_context: ▸{usd_per_mtok: {input: 2}}",
            ".long_context.over: the key is missing: expected a whole number of 1 or more",
        ),
        (
            "usd_per_mtok: {input: 1}, long_context: {over: ▸200_000, usd_per_mtok: {input: 2}}",
            (
                ".long_context.over: expected a whole number of 1 or more,"
                " saw '200_000'; write \"200000\""
            ),
        ),
        (
            "usd_per_mtok: {input: 1}, long_context: {over: 1, ▸usd_per_1000: {web_search: 1}}",
            ".long_context.usd_per_1000: unknown key; only tokens cost more in a long prompt",
        ),
        (
            "usd_per_mtok: {input: 1}, context: {▸goe:us: 1.1}",
            (
                ".context.goe:us: expected batch, or a key and its value such as"
                " tier:flex, speed:fast or geo:us, saw 'goe:us'; the nearest is 'geo'"
            ),
        ),
        (
            "usd_per_mtok: {input: 1}, context: {▸tier: 1.1}",
            (
                ".context.tier: expected batch, or a key and its value such as tier:flex,"
                " speed:fast or geo:us, saw 'tier'; write tier: and one value, without a space"
            ),
        ),
        (
            "usd_per_mtok: {input: 1}, context: {▸'geo:*': 1.1}",
            (
                ".context.geo:*: expected batch, or a key and its value such as tier:flex,"
                " speed:fast or geo:us, saw 'geo:*'; write geo: and one value, without a space"
            ),
        ),
        (
            "usd_per_mtok: {input: 1}, context: {batch: 1, ▸batch:true: 1}",
            ".context.batch:true: it stands twice",
        ),
        (
            "usd_per_mtok: {input: 1}, ▸context: {tier:standard: 0.9}",
            ".context: the standard tier has the prices above: expected 1, or no factor",
        ),
        (
            "usd_per_mtok: {input: 1}, context: {▸deployment:GlobalBatch: 0.5}",
            (
                ".context.deployment:GlobalBatch: expected batch, or a key and its value such as"
                " tier:flex, speed:fast or geo:us, saw 'deployment:GlobalBatch'; write batch"
            ),
        ),
        (
            "usd_per_mtok: {input: 1}, context: {batch: ▸-0.5}",
            f".context.batch: {FACTOR} '-0.5'; it can't be negative",
        ),
    ],
)
def test_the_prices_of_a_rate(keys: str, fault: str) -> None:
    place, found = pointed(f"rates: [{{match: {{}}, {keys}}}]\n")

    assert found == [f"{place}: rates[0]{fault}"]


def test_each_wrong_key_of_a_context_is_a_fault_of_its_own() -> None:
    found = faults("rates: [{match: {}, usd_per_mtok: {input: 1}, context: {a: 1, b: 1}}]\n")

    assert len(found) == 2
    assert all("expected batch, or a key and its value" in each for each in found)


@pytest.mark.parametrize("match", ["match:▸ ", "match: ▸null", "match: ▸~"])
def test_a_required_mapping_is_there(match: str) -> None:
    """{} says every call; nothing at all is more often forgotten."""
    place, found = pointed(f"discounts: [{{{match}, multiplier: 1}}]\n")

    assert found == [f"{place}: discounts[0].match: expected a mapping, saw nothing"]


@pytest.mark.parametrize(
    ("rate", "path"),
    [
        ("▸{match: {}, context: {batch: 0.5}}", "rates[0]"),
        ("▸{match: {}, usd_per_mtok: {}}", "rates[0]"),
        (
            "{match: {}, usd_per_unit: {images: 1}, long_context: ▸{over: 9}}",
            "rates[0].long_context",
        ),
    ],
)
def test_a_rate_has_a_price(rate: str, path: str) -> None:
    place, found = pointed(f"rates: [{rate}]\n")

    assert len(found) == 1
    assert found[0].startswith(f"{place}: {path}: expected a price by one of usd_per_mtok, ")


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "fault"),
    [
        (
            "▸from: 2025-12-31",
            ".from: expected a time within the contract, which begins at 2026-01-01T00:00:00+00:00",
        ),
        (
            "▸to: 2027-01-01T00:00:01Z",
            ".to: expected a time within the contract, which ends at 2027-01-01T00:00:00+00:00",
        ),
        (
            "from: 2026-07-01, ▸to: 2026-07-01",
            (
                ": expected `from` before `to`,"
                " saw 2026-07-01T00:00:00+00:00 and 2026-07-01T00:00:00+00:00"
            ),
        ),
    ],
)
def test_an_entry_lies_within_its_contract(dates: str, fault: str) -> None:
    place, found = pointed(IN_2026 + discount(f"multiplier: '0.9', {dates}"))

    assert found == [f"{place}: discounts[0]{fault}"]


def test_the_dates_of_an_entry_that_has_another_fault_are_checked_too() -> None:
    assert len(faults(IN_2026 + discount("multiplier: x, from: 2025-01-01"))) == 2


def test_a_contract_begins_before_it_ends() -> None:
    place, found = pointed("effective: {from: 2027-01-01, ▸to: 2026-01-01}\n")

    assert found == [
        (
            f"{place}: effective: expected `from` before `to`,"
            " saw 2027-01-01T00:00:00+00:00 and 2026-01-01T00:00:00+00:00"
        )
    ]
