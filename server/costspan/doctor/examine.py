"""From a snapshot to a report: by service and library, what was seen and what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from costspan.doctor.advice import GENERAL, UNPRICED, Advice
from costspan.doctor.checks import CHECKS, Check
from costspan.doctor.finding import Finding, Severity, severity
from costspan.doctor.libraries import library_of
from costspan.doctor.libraries.shape import Gap, Library
from costspan.doctor.report import Convention, Diagnosis, Emitter, Report, Service, Span
from costspan.doctor.snapshot import (
    Kind,
    ServiceSighting,
    Sighting,
    SignalSighting,
    Snapshot,
)
from costspan.ledger.billing import BILLED
from costspan.model import METRICS

_EXAMPLES = 3
_SUBJECTS = 8
_KNOWN = (Finding.LIBRARY_MISCOUNTS, Finding.LIBRARY_OMITS)
_PLACE = {each: place for place, each in enumerate(Finding)}

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


class _Group(NamedTuple):
    """What one scope of a service sent, and whose scope it is."""

    scope: str
    version: str
    dialect: str
    library: Library | None
    calls: list[Sighting]


class _Party(NamedTuple):
    """What one library, or one scope that is nobody's, sent: findings are about these."""

    library: Library | None
    calls: list[Sighting]

    @property
    def name(self) -> str:
        return self.library.name if self.library else ""


def examine(snapshot: Snapshot, source: str, since_ns: int = 0) -> Report:
    """Everything that can be said. `since_ns`: what was last seen before is left out."""
    calls = [each for each in snapshot.calls if each.last_ns >= since_ns]
    roots = {each.service: each for each in snapshot.services if each.last_ns >= since_ns}
    told = [each.service for each in snapshot.signals]
    names = sorted({*(each.kind.service for each in calls), *roots, *told})
    services = tuple(
        _service(name, [each for each in calls if each.kind.service == name], snapshot, roots)
        for name in names
    )
    costly = [f for each in services for f in each.findings if f.severity is Severity.ACCURACY]
    return Report(
        source=source,
        traces=sum(each.traces for each in roots.values()),
        looked_at=sum(each.looked_at for each in roots.values()),
        accuracy_findings=len(costly),
        services=services,
        forgotten=snapshot.forgotten,
    )


def _service(
    name: str,
    calls: Sequence[Sighting],
    snapshot: Snapshot,
    roots: Mapping[str, ServiceSighting],
) -> Service:
    groups = _groups(calls)
    root = roots.get(name) or ServiceSighting(name)
    found = [diagnosis for party in _parties(groups) for diagnosis in _of_party(party)]
    found += _of_traces(root)
    found += _of_signals([each for each in snapshot.signals if each.service == name], calls)
    found += _of_likenesses(name, snapshot)
    found.sort(key=lambda each: _PLACE[each.id])
    return Service(name, root.traces, tuple(map(_emitter, groups)), tuple(found))


def _groups(calls: Iterable[Sighting]) -> list[_Group]:
    """By scope, version and dialect, those with the most spans first."""
    groups: dict[tuple[str, str, str], list[Sighting]] = {}
    for each in calls:
        kind = each.kind
        groups.setdefault((kind.scope, kind.version, kind.dialect), []).append(each)
    found = [_Group(*key, library_of(*key), held) for key, held in groups.items()]
    return sorted(found, key=lambda group: (-_count(group.calls), group.scope, group.version))


def _parties(groups: Iterable[_Group]) -> list[_Party]:
    """In the order of their first scope."""
    parties: dict[str, _Party] = {}
    for group in groups:
        name = group.library.name if group.library else f"scope {group.scope}"
        parties.setdefault(name, _Party(group.library, [])).calls.extend(group.calls)
    return list(parties.values())


def _emitter(group: _Group) -> Emitter:
    unpriced: dict[str, int] = {}
    conventions: dict[tuple[str, str], int] = {}
    for kind, times, *_ in group.calls:
        if kind.unpriced:
            unpriced[kind.unpriced] = unpriced.get(kind.unpriced, 0) + times
        if kind.usage and kind.convention:
            step = (kind.convention, kind.decided_by)
            conventions[step] = conventions.get(step, 0) + times
    return Emitter(
        scope=group.scope,
        scope_version=group.version,
        library=group.library.name if group.library else "",
        package=group.library.package if group.library else "",
        dialect=group.dialect,
        spans=_count(group.calls),
        with_usage=_count(each for each in group.calls if each.kind.usage),
        billed=_count(each for each in group.calls if each.kind.reason in BILLED),
        unpriced=unpriced,
        providers=tuple(sorted({each.kind.provider for each in group.calls} - {""})),
        conventions=tuple(Convention(*step, count) for step, count in sorted(conventions.items())),
    )


def _of_party(party: _Party) -> Iterator[Diagnosis]:
    for check in CHECKS:
        concerned = [each for each in party.calls if check.holds(each.kind)]
        if concerned:
            yield _diagnosis(check, party, concerned)
    yield from _known(party)


def _diagnosis(check: Check, party: _Party, concerned: Sequence[Sighting]) -> Diagnosis:
    subjects = _unique(s for each in concerned for s in check.subjects(each.kind))[:_SUBJECTS]
    count = _count(concerned)
    fix, link = _helps(check.finding, party.library, [each.kind for each in concerned])
    return Diagnosis(
        id=check.finding,
        severity=severity(check.finding),
        sentence=check.sentence.format(
            count=count,
            of=_count(each for each in party.calls if check.among(each.kind)),
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
    for gap in library.gaps if library else ():
        if gap.finding is finding and gap.fix and _concerns(gap, providers):
            return Advice(gap.fix, gap.link)
    if finding is Finding.UNPRICED:
        reasons = _unique(kind.unpriced for kind in kinds)
        return UNPRICED.get(reasons[0], Advice(""))
    return GENERAL.get(finding, Advice(""))


def _known(party: _Party) -> Iterator[Diagnosis]:
    """What the library is known for, and no span of it can show."""
    billed = [each for each in party.calls if each.kind.reason in BILLED]
    for gap in party.library.gaps if party.library else ():
        concerned = [each for each in billed if _concerns(gap, {each.kind.provider})]
        if gap.finding in _KNOWN and concerned:
            yield Diagnosis(
                id=gap.finding,
                severity=severity(gap.finding),
                sentence=gap.text,
                count=_count(concerned),
                scopes=_scopes(concerned),
                library=party.name,
                fix=gap.fix,
                link=gap.link,
            )


def _concerns(gap: Gap, providers: Iterable[str]) -> bool:
    return not gap.providers or not set(gap.providers).isdisjoint(providers)


def _of_traces(root: ServiceSighting) -> Iterator[Diagnosis]:
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


def _of_signals(
    signals: Sequence[SignalSighting], calls: Iterable[Sighting]
) -> Iterator[Diagnosis]:
    """Metrics and logs that count tokens are no loss where spans tell of the calls."""
    if any(each.kind.usage for each in calls):
        return
    for each in signals:
        finding = Finding.ONLY_METRICS if each.signal == METRICS else Finding.ONLY_LOGS
        library = library_of(each.scope, "", "")
        fix, link = _helps(finding, library, ())
        what = "metrics" if each.signal == METRICS else "log records"
        yield Diagnosis(
            id=finding,
            severity=severity(finding),
            sentence=f"{each.items} {what} count tokens, and no span of the service does. They are"
            " forwarded, and not priced.",
            count=each.items,
            scopes=(each.scope,),
            library=library.name if library else "",
            subjects=each.names,
            fix=fix,
            link=link,
        )


def _of_likenesses(service: str, snapshot: Snapshot) -> Iterator[Diagnosis]:
    finding = Finding.DOUBLED_ACROSS_TRACES
    for each in snapshot.likenesses:
        if each.service == service:
            fix, link = _helps(finding, library_of(each.scope, "", ""), ())
            yield Diagnosis(
                id=finding,
                severity=severity(finding),
                sentence=f"{each.times} calls of {each.scope} look like calls of {each.other} in"
                " other traces: the same tokens, at the same time. Both are billed.",
                count=each.times,
                scopes=(each.scope, each.other),
                examples=(Span(*each.example),),
                fix=fix,
                link=link,
            )


def _count(calls: Iterable[Sighting]) -> int:
    return sum(each.times for each in calls)


def _examples(calls: Iterable[Sighting]) -> tuple[Span, ...]:
    """Of the kinds seen last."""
    latest = sorted(calls, key=lambda each: -each.last_ns)
    return tuple(Span(*span) for each in latest for span in each.examples)[:_EXAMPLES]


def _scopes(calls: Iterable[Sighting]) -> tuple[str, ...]:
    return _unique(each.kind.scope for each in calls)[:_SUBJECTS]


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
