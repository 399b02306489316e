"""The table of libraries: complete, unambiguous, and every entry with evidence that exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from costspan.dialect.layout import COUNTS, DIALECTS
from costspan.dialect.table import CACHE_READ, CACHE_WRITE, CACHE_WRITE_1H, CACHE_WRITE_5M
from costspan.doctor.libraries import LIBRARIES, library_of
from costspan.doctor.libraries.shape import Library

TESTS = Path(__file__).parents[2]
_CACHED = {
    key
    for meaning in (CACHE_READ, CACHE_WRITE, CACHE_WRITE_5M, CACHE_WRITE_1H)
    for key in COUNTS[meaning]
}

every_library = pytest.mark.parametrize("library", LIBRARIES, ids=lambda each: each.name)


@every_library
def test_an_entry_names_evidence_that_exists(library: Library) -> None:
    """A golden, a test file, or a case that a test file holds by its name."""
    assert library.evidence
    for each in library.evidence:
        path, _, case = each.partition("::")
        assert (TESTS / path).is_file(), each
        assert not case or f'"{case}"' in (TESTS / path).read_text(), each


@every_library
def test_an_entry_is_read_by_a_dialect_that_knows_its_keys(library: Library) -> None:
    assert library.dialect in {dialect.name for dialect in DIALECTS}
    assert set(library.cache) <= _CACHED


@every_library
def test_spans_as_they_were_seen_are_those_of_the_entry(library: Library) -> None:
    """So no entry stands behind one that takes its spans away."""
    assert library.seen
    for seen in library.seen:
        assert library_of(seen.scope, seen.version, library.dialect) is library


@every_library
def test_what_helps_is_said_for_something_that_is_missing(library: Library) -> None:
    for gap in library.gaps:
        assert gap.text.endswith("."), gap
        assert not gap.fix.endswith("."), gap
        assert gap.link == "" or gap.link.startswith("https://"), gap
        assert gap.fix or not gap.link, gap


def test_every_library_with_a_golden_has_an_entry() -> None:
    """Scopes of one's own making are called `my.*`; LiteLLM may write onto an application's."""
    unlisted = set()
    for file in (TESTS / "golden").glob("*/*.json"):
        case = json.loads(file.read_text())
        scope, call = case["span"]["scope"], case["call"] or {}
        known = library_of(scope["name"], scope.get("version", ""), call.get("dialect", ""))
        if known is None and not scope["name"].startswith("my."):
            unlisted.add(scope["name"])

    assert unlisted == set()


def test_every_library_that_is_run_is_cited() -> None:
    """By the names of `test_real_libraries.py`."""
    source = (TESTS / "integration" / "test_real_libraries.py").read_text()
    run = set(re.findall(r'^    "([\w-]+)": (?:Library|_javascript)\(', source, re.MULTILINE))
    cited = {each.partition("::")[2] for library in LIBRARIES for each in library.evidence}

    assert run
    assert run <= cited


def test_names_are_unique() -> None:
    """They are headings of the page, and keys of the doctor's answer."""
    names = sorted(library.name for library in LIBRARIES)

    assert all(one != other for one, other in pairwise(names))


def test_spans_of_an_unknown_scope_are_told_by_their_keys() -> None:
    """LiteLLM's tracer may have any name; an application's own spans are nobody's."""
    litellm = library_of("my.proxy", "1", "litellm")

    assert litellm is not None
    assert litellm.name == "LiteLLM"
    assert library_of("my.app", "1", "genai") is None


def test_the_table_stays_off_the_import_path_of_the_line() -> None:
    """It is prose: a sidecar does not carry it."""
    code = "import sys, costspan.app, costspan.cli.run; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "costspan.doctor.libraries" not in done.stdout.split()
