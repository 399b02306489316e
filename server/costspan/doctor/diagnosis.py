"""Findings about one library or one service: the sentence, the examples, what helps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from costspan.doctor.advice import GENERAL, UNPRICED, Advice
from costspan.doctor.checks import CHECKS, Check
from costspan.doctor.finding import Finding, severity
from costspan.doctor.libraries import library_of
from costspan.doctor.libraries.shape import Gap, Library
from costspan.doctor.report import Diagnosis, Span
from costspan.doctor.snapshot import Kind, Likeness, ServiceSighting, Sighting, SignalSighting
from costspan.ledger.billing import BILLED
from costspan.model import METRICS

_EXAMPLES = 3
_SUBJECTS = 8
_NO_SPANS = (Finding.ONLY_METRICS, Finding.ONLY_LOGS)  # one setting makes spans of either
_KNOWN = (Finding.LIBRARY_MISCOUNTS, Finding.LIBRARY_OMITS)

# Flags of a trace's roll-up, and what is said of them.
_OF_TRACES = {
    "uncovered_usage": (
        Finding.UNCOVERED_USAGE,
        "{count} of {of} traces have an agent that counts more than the calls below it.",
    ),
    "orphans": (
        Finding.MISSING_PARENTS,
        "{count} of {of} traces have spans whose parents were not sent here.",
    ),
    "several_roots": (
        Finding.SEVERAL_ROOTS,
        "{count} of {of} traces are several trees under one id.",
    ),
}


class Party(NamedTuple):
    """What one library, or one scope that is nobody's, sent: findings are about these."""

    library: Library | None
    calls: list[Sighting]

    @property
    def name(self) -> str:
        return self.library.name if self.library else ""


def of_party(party: Party) -> Iterator[Diagnosis]:
    """What its spans show, and what its library is known for."""
    for check in CHECKS:
        concerned = [each for each in party.calls if check.holds(each.kind)]
        if concerned:
            yield _diagnosis(check, party, concerned)
    yield from _known(party)


def _diagnosis(check: Check, party: Party, concerned: Sequence[Sighting]) -> Diagnosis:
    subjects = _unique(s for each in concerned for s in check.subjects(each.kind))[:_SUBJECTS]
    count = count_of(concerned)
    fix, link = _helps(check.finding, party.library, [each.kind for each in concerned])
    return Diagnosis(
        id=check.finding,
        severity=severity(check.finding),
        sentence=check.sentence.format(
            count=count,
            of=count_of(each for each in party.calls if check.among(each.kind)),
            subjects=", ".join(subjects),
        ),
        count=count,
        scopes=_scopes(concerned),
        library=party.name,
        subjects=subjects,
        examples=_examples(concerned),
        fix=fix,
        link=link,
    )


def _helps(finding: Finding, library: Library | None, kinds: Sequence[Kind]) -> Advice:
    """The library's own setting, else what helps everywhere."""
    providers = {kind.provider for kind in kinds}
    told = _NO_SPANS if finding in _NO_SPANS else (finding,)
    for gap in library.gaps if library else ():
        if gap.finding in told and gap.fix and _concerns(gap, providers):
            return Advice(gap.fix, gap.link)
    if finding is Finding.UNPRICED:
        reasons = _unique(kind.unpriced for kind in kinds)
        return UNPRICED.get(reasons[0], Advice(""))
    return GENERAL.get(finding, Advice(""))


def _known(party: Party) -> Iterator[Diagnosis]:
    """What the library is known for, and no span of it can show."""
    billed = [each for each in party.calls if each.kind.reason in BILLED]
    for gap in party.library.gaps if party.library else ():
        concerned = [each for each in billed if _concerns(gap, {each.kind.provider})]
        if gap.finding in _KNOWN and concerned:
            yield Diagnosis(
                id=gap.finding,
                severity=severity(gap.finding),
                sentence=gap.text,
                count=count_of(concerned),
                scopes=_scopes(concerned),
                library=party.name,
                fix=gap.fix,
                link=gap.link,
            )


def _concerns(gap: Gap, providers: Iterable[str]) -> bool:
    return not gap.providers or not set(gap.providers).isdisjoint(providers)


def of_traces(root: ServiceSighting) -> Iterator[Diagnosis]:
    """What the traces of a service show as a whole."""
    for flag, (finding, sentence) in _OF_TRACES.items():
        count = root.flags.get(flag, 0)
        if count:
            yield Diagnosis(
                id=finding,
                severity=severity(finding),
                sentence=sentence.format(count=count, of=root.looked_at),
                count=count,
                examples=(Span(root.examples[flag]),),
                fix=GENERAL[finding].fix,
                link=GENERAL[finding].link,
            )


def of_signals(signals: Sequence[SignalSighting], calls: Iterable[Sighting]) -> Iterator[Diagnosis]:
    """Metrics and logs that count tokens are no loss where spans tell of the calls."""
    if any(each.kind.usage for each in calls):
        return
    for each in signals:
        finding = Finding.ONLY_METRICS if each.signal == METRICS else Finding.ONLY_LOGS
        library = library_of(each.scope, "", "")
        fix, link = _helps(finding, library, ())
        what = "Metrics" if each.signal == METRICS else "Log records"
        called = ", ".join(each.names) or "without names"
        yield Diagnosis(
            id=finding,
            severity=severity(finding),
            sentence=f"{what} count tokens ({called}), and no span of the service does. They are"
            " forwarded, and not priced.",
            count=each.items,
            scopes=(each.scope,),
            library=library.name if library else "",
            subjects=each.names,
            fix=fix,
            link=link,
        )


def of_likenesses(likenesses: Iterable[Likeness]) -> Iterator[Diagnosis]:
    """Calls of a service that may be billed twice."""
    finding = Finding.DOUBLED_ACROSS_TRACES
    for each in likenesses:
        fix, link = _helps(finding, library_of(each.scope, "", ""), ())
        yield Diagnosis(
            id=finding,
            severity=severity(finding),
            sentence=f"{each.times} calls of {each.scope} look like calls of {each.other} in other"
            " traces: the same tokens, at the same time. Both are billed.",
            count=each.times,
            scopes=(each.scope, each.other),
            examples=(Span(*each.example),),
            fix=fix,
            link=link,
        )


def count_of(calls: Iterable[Sighting]) -> int:
    """How many calls of all these kinds."""
    return sum(each.times for each in calls)


def _examples(calls: Iterable[Sighting]) -> tuple[Span, ...]:
    """Of the kinds seen last."""
    latest = sorted(calls, key=lambda each: -each.last_ns)
    return tuple(Span(*span) for each in latest for span in each.examples)[:_EXAMPLES]


def _scopes(calls: Iterable[Sighting]) -> tuple[str, ...]:
    return _unique(each.kind.scope for each in calls)[:_SUBJECTS]


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
