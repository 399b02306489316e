"""The page of libraries, from `costspan.doctor.libraries` and the tables that read them."""

from __future__ import annotations

from collections.abc import Iterator

from markdown_page import page, table

from costspan.dialect.convention import emitter
from costspan.dialect.table import BESIDE, IN_TOTAL, INCLUSIVE, TWICE
from costspan.doctor.finding import Severity, severity
from costspan.doctor.libraries import LIBRARIES
from costspan.doctor.libraries.shape import Gap, Library, Seen

_OUTPUT = {
    BESIDE: "; reasoning is added to the output",
    TWICE: "; the output has reasoning twice, which is taken out",
    IN_TOTAL: "; the output lacks reasoning, which is what the total has more",
}


def libraries() -> str:
    """One section for each library, in the order in which they are recognised."""
    rows = [(f"[{x.name}](#{_anchor(x.name)})", f"`{x.package}`", x.versions) for x in LIBRARIES]
    return page(
        "Libraries",
        "Whose spans are read, how their counts are understood, what they are known to leave out,"
        " and the setting that helps. `costspan doctor` looks for these in your own telemetry."
        " A library that is not listed is read by the GenAI conventions and by what its own"
        " numbers prove.",
        "*Inclusive* means that the count of input contains the tokens that a cache read or wrote,"
        " *exclusive* that it holds the rest alone. Evidence is a golden span of `tests/golden` or"
        " a test that runs the library itself against a model server that keeps a bill.",
        table(("library", "package", "versions looked at"), rows),
        *(part for each in LIBRARIES for part in _section(each)),
    )


def _anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    kept = "".join(each for each in title.lower() if each.isalnum() or each in " -_")
    return kept.replace(" ", "-")


def _section(library: Library) -> Iterator[str]:
    yield f"## {library.name}"
    scopes = ", ".join(f"`{each}`" for each in library.scopes)
    if library.scope_version:
        scopes += f" with a version like `{library.scope_version}`"
    if library.by_keys:
        scopes += ", or any scope with keys of its own"
    lines = [
        f"Package: `{library.package}`, {library.versions}",
        f"Scope: {scopes}",
        f"Spans: {library.spans}",
        *(f"Input, {_who(seen)}: {_counting(seen)}" for seen in library.seen),
        f"Cached tokens: {', '.join(f'`{key}`' for key in library.cache) or 'not counted'}",
        f"Evidence: {', '.join(_link(each) for each in library.evidence)}",
    ]
    yield "\n".join(f"- {line}" for line in lines)
    if library.gaps:
        yield table(("finding", "known", "what helps"), map(_gap, library.gaps))


def _who(seen: Seen) -> str:
    """The provider, and what else the counting depends on."""
    parts = [f"`{seen.provider}`" if seen.provider else "any provider"]
    if seen.model:
        parts.append(f"model `{seen.model}`")
    if seen.span:
        parts.append(f"span `{seen.span.strip()}`")
    if seen.key:
        parts.append(f"with `{seen.key}`")
    scope = f"`{seen.scope}` {seen.version}".rstrip()
    return f"{', '.join(parts)} ({scope})"


def _counting(seen: Seen) -> str:
    known = emitter((seen.scope, seen.version), seen.provider, seen.model, seen.span, (seen.key,))
    if known is None:
        return f"{INCLUSIVE}, unless its numbers prove otherwise"
    row = known[1]
    return row.counting + _OUTPUT.get(row.reasoning, "")


def _gap(gap: Gap) -> tuple[str, str, str]:
    finding = f"`{gap.finding}`"
    if severity(gap.finding) is not Severity.DETAIL:
        finding = f"**{finding}**"
    only = f" ({', '.join(gap.providers)})" if gap.providers else ""
    fix = f"{gap.fix} ([docs]({gap.link}))" if gap.link else gap.fix
    return finding, gap.text + only, fix or "nothing that is known"


def _link(evidence: str) -> str:
    path, _, case = evidence.partition("::")
    shown = path.removeprefix("golden/").removesuffix(".json").removeprefix("integration/")
    return f"[{case or shown}](../../tests/{path})"
