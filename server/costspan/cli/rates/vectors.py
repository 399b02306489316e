"""Requests with the answer that is expected, compared to the last digit. No files, no printing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from costspan.cli.rates.answer import Answer, Outcome, answers
from costspan_pricing import Pricer, parse_usd
from costspan_pricing.faults import suggestion

_SHORT = {"usd": "cost_usd"}
_MONEY = "_usd"


class Mismatch(NamedTuple):
    """What was expected of one field, and what came."""

    field: str
    expected: object
    got: object


class Verdict(NamedTuple):
    """One vector: as expected if there is nothing in it."""

    number: int  # of its line
    id: object  # the vector's own, if it has one
    mismatches: tuple[Mismatch, ...]
    fault: str  # a sentence, if the line is no vector


def verdicts(lines: Iterable[bytes], pricer: Pricer) -> Iterator[Verdict]:
    """One for every line that is not blank."""
    for answer in answers(lines, pricer):
        name = answer.line.get("id")
        if answer.outcome is Outcome.UNREADABLE:
            yield Verdict(answer.number, name, (), answer.document["error"])
            continue
        try:
            yield Verdict(answer.number, name, tuple(_mismatches(answer)), "")
        except ValueError as error:
            yield Verdict(answer.number, name, (), str(error))


def _mismatches(answer: Answer) -> Iterator[Mismatch]:
    """The fields of a quote that are not as expected. Raises ValueError for a faulty vector."""
    document = answer.document
    for key, expected in _expected(answer.line).items():
        field = _SHORT.get(key, key)
        if field not in document:
            raise ValueError(f"expect.{key}: unknown field; {suggestion(key, document)}")
        if not _same(key, expected, document[field]):
            yield Mismatch(field, expected, document[field])


def _expected(line: Mapping[str, Any]) -> Mapping[str, Any]:
    expected = line.get("expect", {})
    if not isinstance(expected, dict):
        raise ValueError('expect: expected an object such as {"usd": "0.0035"}')  # noqa: TRY004  one kind of fault
    if "expect_usd" in line:
        expected = {"usd": line["expect_usd"], **expected}
    if not expected:
        raise ValueError("expected expect_usd or expect: a vector without either checks nothing")
    return expected


def _same(key: str, expected: object, got: object) -> bool:
    """Equal; money by its value, so that 0.10 is 0.1."""
    if expected is None or not (key == "usd" or key.endswith(_MONEY)):
        return expected == got
    if not isinstance(expected, str):
        raise ValueError(f'{key}: expected money as text, such as "0.0035", got {expected!r}')  # noqa: TRY004  one kind of fault
    wanted = parse_usd(expected)
    return isinstance(got, str) and wanted == parse_usd(got)
