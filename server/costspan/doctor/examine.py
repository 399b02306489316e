"""From a snapshot to a report: by service and library, what was seen and what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from costspan.doctor.diagnosis import (
    Party,
    count_of,
    of_likenesses,
    of_party,
    of_signals,
    of_traces,
)
from costspan.doctor.finding import Finding, Severity
from costspan.doctor.libraries import library_of
from costspan.doctor.libraries.shape import Library
from costspan.doctor.report import Convention, Emitter, Report, Service
from costspan.doctor.snapshot import ServiceSighting, Sighting, Snapshot
from costspan.ledger.billing import BILLED

_PLACE = {each: place for place, each in enumerate(Finding)}


class _Group(NamedTuple):
    """What one scope of a service sent, and whose scope it is."""

    scope: str
    version: str
    dialect: str
    library: Library | None
    calls: list[Sighting]


def examine(snapshot: Snapshot, source: str, since_ns: int = 0) -> Report:
    """Everything that can be said. `since_ns`: what was last seen before is left out."""
    seen = _later(snapshot, since_ns)
    names = {each.kind.service for each in seen.calls}
    names |= {each.service for each in seen.services} | {each.service for each in seen.signals}
    services = tuple(_service(name, seen) for name in sorted(names))
    costly = [f for each in services for f in each.findings if f.severity is Severity.ACCURACY]
    return Report(
        source=source,
        traces=sum(each.traces for each in seen.services),
        looked_at=sum(each.looked_at for each in seen.services),
        accuracy_findings=len(costly),
        services=services,
        forgotten=seen.forgotten,
    )


def _later(snapshot: Snapshot, since_ns: int) -> Snapshot:
    """What was seen since then. Of metrics and logs nobody knows when they were seen: they stay."""
    return msgspec.structs.replace(
        snapshot,
        calls=[each for each in snapshot.calls if each.last_ns >= since_ns],
        services=[each for each in snapshot.services if each.last_ns >= since_ns],
        likenesses=[each for each in snapshot.likenesses if each.last_ns >= since_ns],
    )


def _service(name: str, seen: Snapshot) -> Service:
    calls = [each for each in seen.calls if each.kind.service == name]
    groups = _groups(calls)
    root = next((each for each in seen.services if each.service == name), ServiceSighting(name))
    found = [diagnosis for party in _parties(groups) for diagnosis in of_party(party)]
    found += of_traces(root)
    found += of_signals([each for each in seen.signals if each.service == name], calls)
    found += of_likenesses(each for each in seen.likenesses if each.service == name)
    found.sort(key=lambda each: _PLACE[each.id])
    return Service(name, root.traces, tuple(map(_emitter, groups)), tuple(found))


def _groups(calls: Iterable[Sighting]) -> list[_Group]:
    """By scope, version and dialect, those with the most spans first."""
    groups: dict[tuple[str, str, str], list[Sighting]] = {}
    for each in calls:
        kind = each.kind
        groups.setdefault((kind.scope, kind.version, kind.dialect), []).append(each)
    found = [_Group(*key, library_of(*key), held) for key, held in groups.items()]
    return sorted(found, key=lambda group: (-count_of(group.calls), group.scope, group.version))


def _parties(groups: Iterable[_Group]) -> list[Party]:
    """In the order of their first scope."""
    parties: dict[str, Party] = {}
    for group in groups:
        name = group.library.name if group.library else f"scope {group.scope}"
        parties.setdefault(name, Party(group.library, [])).calls.extend(group.calls)
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
        spans=count_of(group.calls),
        with_usage=count_of(each for each in group.calls if each.kind.usage),
        billed=count_of(each for each in group.calls if each.kind.reason in BILLED),
        unpriced=unpriced,
        providers=tuple(sorted({each.kind.provider for each in group.calls} - {""})),
        conventions=tuple(Convention(*step, count) for step, count in sorted(conventions.items())),
    )
