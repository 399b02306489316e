"""What the marks and reasons of a quote mean, in sentences. Words only."""

from __future__ import annotations

import re

from costspan_pricing import Reason

_REASONS = {
    Reason.NO_USAGE: "No counts were given, and unknown is not zero.",
    Reason.NO_MODEL: "No model was stated.",
    Reason.NO_PROVIDER: "No provider was stated that the book knows, and the model names none.",
    Reason.UNKNOWN_MODEL: "The book has no such model.",
    Reason.ALIAS_MISSING: "Only its owner knows what this name stands for: add it to the aliases of"
    " a rate card.",
    Reason.NO_RATE_AT_TIME: "The book knows no price for that instant.",
    Reason.NO_RATE_FOR_UNIT: "There is no rate for something that was counted.",
    Reason.UNKNOWN_CONTEXT: "The book has no rate for these circumstances, and the standard one"
    " would be a guess.",
    Reason.POLICY: "A rate card forbids calls that nothing prices.",
}

# A mark of `Quote.assumed` -> what was assumed. The groups of the pattern go into the sentence.
_MARKS = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r"tier=standard", "No service tier was stated: standard rates."),
        (r"tier=(\w+):standard", "The tier {0} is a wish, not a tier: standard rates."),
        (r"batch=no", "Nobody said that it was a batch job: it was none."),
        (
            r"(speed|search|geo|region|deployment)=standard",
            "No {0} was stated, and this model has other rates for some: standard rates.",
        ),
        (r"provider=([^:]+)", "No provider was stated; the model's name says {0}."),
        (
            r"provider=([^:]+):by the model's name",
            "The stated provider does not have it; the model's name is one of {0}.",
        ),
        (
            r"provider=([^:]+):price of (.+)",
            "The book has no row of {0} for this model: the list price of {1}.",
        ),
        (r"model=(.+):family price of (.+)", "{0} is not known: estimated as {1}, the nearest."),
        (r"model=(.+):price of (.+)", "{0} is not listed: it has the price of {1}."),
        (
            r"(geo|region|deployment)=(.*):global list price",
            "The price is the same everywhere: {0} {1} makes no difference to it.",
        ),
        (r"geo=(.+):in-region price", "The book has no row of its own for {0}: the in-region one."),
        (r"(\w+):(\w+) rate", "{0} has no rate of its own: it is billed at that of {1}."),
        (
            r"(.+ line \d+): no rate for (.+)",
            "The price in {0} says nothing of {1}: the list price applies.",
        ),
        (r"no rate:(\w+)", "There is no rate for {0}."),
        (r"hours:public holidays not known", "Public holidays are not known: a working day."),
        (r"at:UTC", "The instant had no zone: it was read as UTC."),
        (r"not in the book:(.+)", "The book has no provider {0}."),
    )
)


def reason(found: Reason) -> str:
    """Why there is no price."""
    return _REASONS[found]


def mark(text: str) -> str:
    """One mark as a sentence; one that has none, as it is."""
    for pattern, sentence in _MARKS:
        found = pattern.fullmatch(text)
        if found:
            return sentence.format(*found.groups())
    return text
