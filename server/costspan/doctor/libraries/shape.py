"""The shape of what is known of a library. No library is named here."""

from __future__ import annotations

from typing import NamedTuple

from costspan.doctor.finding import Finding


class Gap(NamedTuple):
    """What a library leaves out or gets wrong, and the setting of it that helps."""

    finding: Finding  # LIBRARY_MISCOUNTS and LIBRARY_OMITS: what its spans alone do not show
    text: str  # one sentence, with the releases that it holds for
    fix: str = ""  # the exact setting, or what to use instead; "" = it has none
    link: str = ""  # the library's own page about it
    providers: tuple[str, ...] = ()  # canonical names; none: whoever answers


class Seen(NamedTuple):
    """One way its spans look: what the tables of the dialects are asked with, for the page."""

    scope: str
    version: str = ""  # of the scope
    provider: str = ""  # canonical
    model: str = ""
    span: str = ""  # its name
    key: str = ""  # an attribute that tells them from older ones of the scope


class Library(NamedTuple):
    """A library whose spans were looked at. What is counted how is asked of the dialects."""

    name: str
    package: str  # as its registry names it: pypi:NAME, npm:NAME, or where else it is had
    versions: str  # those that were looked at
    scopes: tuple[str, ...]  # of its spans; a final * makes a prefix
    dialect: str  # the name of the one that reads it
    spans: str  # which of them tell of calls, and which repeat or frame those
    seen: tuple[Seen, ...]  # for each provider that it counts in a way of its own
    evidence: tuple[str, ...]  # below tests/: a golden, or a test file with ::NAME of a case in it
    cache: tuple[str, ...] = ()  # the attributes that count cached tokens; none: it has none
    gaps: tuple[Gap, ...] = ()
    scope_version: str = ""  # a regular expression, where scopes of that name are another's too
    by_keys: bool = False  # its spans may have any scope: its dialect's own keys tell
