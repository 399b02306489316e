"""From one line of a request file to one line of answers, and what that means for the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Any, NamedTuple

from costspan.cli.exits import Exit
from costspan.cli.rates import request
from costspan.cli.rates.document import document, refusal
from costspan_pricing import InvalidUsage, Pricer, Reason


class Outcome(Enum):
    """What became of a line, as far as an exit code is concerned."""

    ANSWERED = auto()  # unpriced is an answer too
    UNREADABLE = auto()
    POLICY = auto()  # a rate card forbids calls that nothing prices


class Answer(NamedTuple):
    """One line."""

    number: int  # of the line, from 1; blank ones count
    line: dict[str, Any]  # what was read; {} if it could not be
    document: dict[str, Any]
    outcome: Outcome


def answers(lines: Iterable[bytes], pricer: Pricer) -> Iterator[Answer]:
    """One answer a line, in order, each as soon as its line is there. Blank lines are skipped."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield answer(line, pricer, number)


def answer(line: bytes, pricer: Pricer, number: int = 1) -> Answer:
    """The answer to one line. Never raises for data."""
    try:
        asked = request.read(line)
    except request.Unreadable as error:
        return Answer(number, {}, refusal("unpriced", None, str(error)), Outcome.UNREADABLE)
    found, outcome = _quote(asked, pricer)
    if "id" in asked:
        found = {"schema": found["schema"], "id": asked["id"], **found}
    return Answer(number, asked, found, outcome)


def exit_code(outcomes: Iterable[Outcome]) -> Exit:
    """The gravest of all: 1 if a line could not be read, 5 if a card's policy was hit."""
    seen = set(outcomes)
    if Outcome.UNREADABLE in seen:
        return Exit.FAILURE
    return Exit.CHECK_FAILED if Outcome.POLICY in seen else Exit.OK


def _quote(asked: dict[str, Any], pricer: Pricer) -> tuple[dict[str, Any], Outcome]:
    try:
        context = request.context(asked)
        quote = pricer.quote(request.usage(asked), context)
    except request.Unreadable as error:
        return refusal("unpriced", None, str(error)), Outcome.UNREADABLE
    except request.UnknownContext as error:
        return refusal("unpriced", Reason.UNKNOWN_CONTEXT, str(error)), Outcome.ANSWERED
    except InvalidUsage as error:
        return refusal("invalid_usage", None, str(error)), Outcome.ANSWERED
    outcome = Outcome.POLICY if quote.reason == Reason.POLICY else Outcome.ANSWERED
    return document(quote), outcome
