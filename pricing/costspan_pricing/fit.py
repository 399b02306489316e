"""Whether a pattern of the book means a name, or only happens to occur in it. No prices.

The book's patterns are prefixes and parts of names. `^claude-opus-4-6` should take its dated
snapshots, but not `claude-opus-4-6-fast`, which costs six times as much, and `*o4-mini` should not
take somebody's deployment `prod-o4-mini`. So what a pattern leaves over of a name has to say
nothing about which model it is: a date, a revision, a stage of release, a geo or vendor prefix.
"""

from __future__ import annotations

import re

from costspan_pricing.book import Clause, Model, matches

_SEPARATORS = "-./:@"
_DATE = r"20\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])"
_AFTER = re.compile(
    rf"(?:[-@]{_DATE}"
    r"|-\d\d-(?:\d{4}|\d\d)"  # -04-17, -09-2025
    r"|[-@]\d{4}"  # month and day, or year and month: -0613, -2509
    r"|[-@]00\d"  # Google's revisions
    r"|[-.]v[0-2](?:\.\d)?"  # Bedrock's and Mistral's revisions of a file of weights
    r"|:\d{1,3}k?"  # -v1:0, -v1:0:200k
    r"|[-@:](?:latest|default|preview|experimental|exp|beta|stable|nightly|instruct|customtools)"
    r")*"
)
_BEFORE = re.compile(r"(?:(?!global\.)[a-z0-9_-]+[./:])*")
_TUNED = re.compile(rf"(?:{_AFTER.pattern})(?::.*)?")


def fits(clause: Clause, name: str) -> bool:
    """Whether a lower-cased name satisfies a clause and what it leaves over is insignificant."""
    if not isinstance(clause, str):
        return all(fits(part, name) for part in clause)
    if not matches(clause, name):
        return False
    operator, text = clause[0], clause[1:]
    if operator == "=":
        return True
    start, end = _span(operator, text, name)
    if start == end:  # a pattern that only looks around
        return True
    if text.endswith(".ft-"):  # the rest is the name that its owner gave to a fine-tune
        return start == 0
    after = _TUNED if text.startswith("ft:") else _AFTER
    return bool(_BEFORE.fullmatch(name[:start]) and after.fullmatch(_rest(name, end)))


def meant(model: Model, name: str) -> bool:
    """Whether one of a model's patterns means the name."""
    return any(fits(clause, name) for clause in model.match)


def _span(operator: str, text: str, name: str) -> tuple[int, int]:
    if operator == "~":
        found = re.search(text, name)
        return found.span() if found else (0, 0)
    start = {"^": 0, "$": len(name) - len(text), "*": name.find(text)}[operator]
    return start + (text[0] in _SEPARATORS), start + len(text)


def _rest(name: str, end: int) -> str:
    """What follows, from the last separator on if the pattern ended inside a word."""
    if end < len(name) and name[end] not in _SEPARATORS:
        end = max(name.rfind(separator, 0, end) for separator in _SEPARATORS)
    return name[end:] if end >= 0 else name
