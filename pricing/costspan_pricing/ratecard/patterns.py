"""Patterns of names: exact, glob (`gpt-4o*`) and regex (`~^gpt-4o`). Knows no rate cards.

Names come from telemetry, so a pattern must not be able to stall the pricing of a span. Globs take
time in proportion to the name. Of regular expressions only those are taken whose worst case over
`MAX_SEARCHED` characters is a fraction of a second.
"""

from __future__ import annotations

import re
import warnings
from fnmatch import translate
from functools import lru_cache

from costspan_pricing.ratecard.shape import Pattern

MAX_NAME = 2048  # an ARN is no longer: docs.aws.amazon.com/bedrock, InvokeModel's modelId
MAX_REGEX = 200
MAX_SEARCHED = 256  # longer names match no regex
_MAX_STEPS = 1 << 25

_WILD = re.compile(r"\[[^\]]*\]|[*?]")
_ONE_CHARACTER = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_GROUP_MARK = re.compile(r"\(\?(?:P<\w+>|<?[=!]|[:>])")
_LAZY_OR_POSSESSIVE = re.compile(r"([*+?}])[?+]")
_REPEAT = re.compile(r"[*+]|\{\d*,\d*\}")
_INNERMOST = re.compile(r"\(([^()]*)\)")


def pattern(text: str) -> Pattern:
    """A pattern from its text. Raises ValueError with a sentence."""
    if text.startswith("~"):
        return Pattern("regex", _checked(text[1:]))
    if len(text) > MAX_NAME:
        raise ValueError(f"a name has at most {MAX_NAME} characters")
    return Pattern("glob" if _WILD.search(text) else "exact", text.lower())


def matches(pattern: Pattern, name: str) -> bool:
    """Whether a lower-cased name is one of those that the pattern means."""
    if pattern.kind == "exact":
        return name == pattern.text
    if pattern.kind == "glob":
        return len(name) <= MAX_NAME and _glob(pattern.text).match(name) is not None
    return len(name) <= MAX_SEARCHED and _regex(pattern.text).search(name) is not None


def literal(glob: Pattern) -> int:
    """How many characters of a glob stand for themselves: the more, the fewer names it means."""
    return len(_WILD.sub("", glob.text))


@lru_cache(maxsize=4096)
def _glob(text: str) -> re.Pattern[str]:
    return re.compile(translate(text))


@lru_cache(maxsize=4096)
def _regex(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)  # lower-casing the text would turn \D into \d


def _checked(text: str) -> str:
    """The regex, if it is one whose worst case is short. Raises ValueError."""
    if not text:
        raise ValueError("write the regular expression after the ~")
    if len(text) > MAX_REGEX:
        raise ValueError(f"a regular expression has at most {MAX_REGEX} characters")
    try:
        with warnings.catch_warnings(action="error"):  # "possible nested set": mostly a mistake
            re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    bare = _GROUP_MARK.sub("(", _ONE_CHARACTER.sub("x", text))
    bare = _LAZY_OR_POSSESSIVE.sub(r"\1", bare)
    if "(?" in bare:
        raise ValueError("of the groups that begin with (? only (?: (?= (?! (?<= (?<! are read")
    if re.search(r"\)[*+{]", bare):
        raise ValueError("a group in ( ) can't be repeated with *, + or {}: write it out")
    if _steps(bare) > _MAX_STEPS:
        raise ValueError("it could search too long: use fewer of * + ? | {}, and a ^ in front")
    return text


def _steps(bare: str) -> int:
    """An upper bound of the steps of a backtracking search, for a regex without repeated groups.

    Each `?` doubles the ways to match, the alternatives of a group multiply them, and each
    repetition, like a start that is not fixed by ^, may end at any character.
    """
    places = len(_REPEAT.findall(bare))
    ways = 1 << bare.count("?")
    while group := _INNERMOST.search(bare):
        ways *= 1 + group[1].count("|")
        bare = bare[: group.start()] + "x" + bare[group.end() :]
    ways *= 1 + bare.count("|")
    anchored = bare.startswith("^") and "|" not in bare
    return ways * int(MAX_SEARCHED ** (places + (not anchored)))
