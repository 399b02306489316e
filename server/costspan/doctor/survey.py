"""What went by, counted by kind, as far as the doctor asks for it. Bounded; nothing is judged here.

A trace is looked at when it is closed. Calls that differ in nothing that matters are one kind with
a count and the last examples, so a fleet is some dozens of kinds. A running sidecar looks at the
first traces of each service, then at a part of them: to look at every call would take 29 % of the
time of its roll-up, and a part takes 2 % (traces of eleven calls, CPython 3.11).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from itertools import islice

from costspan.doctor.likeness import Likenesses
from costspan.doctor.snapshot import (
    Example,
    Kind,
    Likeness,
    ServiceSighting,
    Sighting,
    SignalSighting,
    Snapshot,
)
from costspan.ledger.rollup import Decision, Rollup
from costspan.model import LEAF, LlmCall
from costspan.wire import told

MAX_KINDS = 1000
_MAX_SERVICES = 200
_MAX_SIGNALS = 500
_EXAMPLES = 3
_TEXT = 200  # characters of a name
_FEW = 8  # unknown attributes of one kind
_FIRST, _PART = 256, 16  # traces of a service, bodies: the first, then one in so many
_MOST_CALLS = 1000  # of one trace: a long one must not hold up the others
_ERROR = 2  # Status.code
_UNPRICED = "unpriced"
_AGREEMENT = 100  # costs agree if they differ by no more than this part of the reported one
_CACHED = frozenset({"cache_read", "cache_write_5m", "cache_write_1h", "cache_write_12h"})

# Whose letters a metric or a log record holds that counts tokens: OpenTelemetry's conventions,
# Claude Code, Codex, Gemini CLI.
_TELLING = (b"gen_ai.usage.", b".token.usage", b"token_count", b"claude_code.api_request")

_log = logging.getLogger(__name__)


class _Seen:
    """One kind: how often, when last, where for example."""

    __slots__ = ("count", "examples", "last_ns")

    def __init__(self) -> None:
        self.count = self.last_ns = 0
        self.examples: list[tuple[bytes, bytes, str]] = []  # trace, span, name

    def add(self, example: tuple[bytes, bytes, str], at_ns: int) -> None:
        """The newest examples stay."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)
        else:
            self.examples[self.count % _EXAMPLES] = example
        self.count += 1
        self.last_ns = max(self.last_ns, at_ns)


class Survey:
    """Takes closed traces, metrics and logs from any thread; hands out a snapshot.

    `complete`: every trace is looked at, as of files; else a part of them.
    """

    def __init__(self, *, complete: bool = False) -> None:
        self._complete = complete
        self._kinds: dict[Kind, _Seen] = {}
        self._services: dict[str, ServiceSighting] = {}
        self._signals: dict[tuple[str, str, str], SignalSighting] = {}
        self._bodies = 0  # of metrics and logs
        self._likenesses = Likenesses()
        self._forgotten = 0
        self._lock = threading.Lock()

    def take(self, trace_id: bytes, rolled: Rollup) -> None:
        """Look at a closed trace. Never raises: the ledger has better to do."""
        try:
            with self._lock:
                if self._chosen(trace_id, rolled):
                    most = None if self._complete else _MOST_CALLS
                    for span_id, decision in islice(rolled.decisions.items(), most):
                        self._see(decision, _twin(span_id, rolled))
        except Exception:  # noqa: BLE001  (what only informs must not hold up a trace)
            _log.exception("a trace could not be surveyed")

    def note(self, signal: str, body: bytes) -> None:
        """Look for counts of tokens in a request of metrics or logs. Never raises.

        Of a running sidecar only a part is searched: megabytes of logs are not free.
        """
        with self._lock:
            self._bodies += 1
            if not self._complete and self._bodies > _FIRST and self._bodies % _PART:
                return
        if not any(marker in body for marker in _TELLING):
            return
        try:
            found = told(signal, body, _TELLING)
        except Exception:  # noqa: BLE001  (as above)
            _log.exception("a request of %s could not be surveyed", signal)
            return
        with self._lock:
            for service, scope, names, items in found:
                self._tell(signal, service[:_TEXT], scope[:_TEXT], names, items)

    def snapshot(self) -> Snapshot:
        """What is known now."""
        with self._lock:
            return Snapshot(
                calls=[
                    Sighting(kind, seen.count, seen.last_ns, tuple(map(_example, seen.examples)))
                    for kind, seen in self._kinds.items()
                ],
                services=[_copy(each) for each in self._services.values()],
                signals=list(self._signals.values()),
                likenesses=[
                    Likeness(*pair, count, last_ns, _example(span))
                    for pair, (count, last_ns, span) in self._likenesses.found.items()
                ],
                forgotten=self._forgotten,
            )

    def _chosen(self, trace_id: bytes, rolled: Rollup) -> bool:
        """Count the trace, and say whether its calls are looked at."""
        name = rolled.service[:_TEXT]
        service = self._services.get(name)
        if service is None:
            if len(self._services) >= _MAX_SERVICES:
                self._forgotten += 1
                return False
            service = self._services[name] = ServiceSighting(name)
        service.traces += 1
        if not self._complete and service.traces > _FIRST and service.traces % _PART:
            return False
        service.looked_at += 1
        service.spans += rolled.spans
        service.last_ns = max(service.last_ns, rolled.end_ns)
        for flag in rolled.flags:
            service.flags[flag] = service.flags.get(flag, 0) + 1
            service.examples[flag] = trace_id.hex()
        return True

    def _see(self, decision: Decision, twin: str) -> None:
        call = decision.call
        kind = kind_of(decision, twin)
        seen = self._kinds.get(kind) or self._new(_shortened(kind))
        seen.add((call.trace_id, call.span_id, call.name[:_TEXT]), call.end_ns)
        if decision.billed:
            self._likenesses.compare(call)

    def _new(self, kind: Kind) -> _Seen:
        if kind not in self._kinds:
            if len(self._kinds) >= MAX_KINDS:
                self._forget_one()
            self._kinds[kind] = _Seen()
        return self._kinds[kind]

    def _forget_one(self) -> None:
        """The kind that was not seen for the longest."""
        del self._kinds[min(self._kinds, key=lambda kind: self._kinds[kind].last_ns)]
        self._forgotten += 1

    def _tell(
        self, signal: str, service: str, scope: str, names: frozenset[str], items: int
    ) -> None:
        key = (service, scope, signal)
        held = self._signals.get(key)
        if held is None:
            if len(self._signals) >= _MAX_SIGNALS:
                self._forgotten += 1
                return
            held = SignalSighting(service, scope, signal)
        together = sorted({*held.names, *(name[:_TEXT] for name in names)})
        self._signals[key] = SignalSighting(*key, held.items + items, tuple(together[:_FEW]))


def _example(span: tuple[bytes, bytes, str]) -> Example:
    return Example(span[0].hex(), span[1].hex(), span[2])


def _copy(service: ServiceSighting) -> ServiceSighting:
    """One that no later trace changes."""
    return ServiceSighting(
        service.service,
        service.traces,
        service.looked_at,
        service.spans,
        dict(service.flags),
        dict(service.examples),
        service.last_ns,
    )


def kind_of(decision: Decision, twin: str) -> Kind:
    """What a decision has in common with others. `twin`: the scope that bills the same call."""
    call, charge = decision.call, decision.call.charge
    unpriced = ""
    if decision.billed and not charge.total and charge.status == _UNPRICED:
        unpriced = charge.reason
    # In the order of the fields: naming them would take a third of the time.
    return Kind._make(
        (
            call.service,
            call.scope_name,
            call.scope_version,
            call.dialect,
            call.convention,
            call.decided_by,
            call.provider,
            call.role,
            decision.reason,
            unpriced,
            (call.response_model or call.request_model) if unpriced else "",
            call.usage is not None,
            call.status == _ERROR or call.error_type != "",
            call.usage is not None and not _CACHED.isdisjoint(call.usage),
            call.response_model != "",
            call.operation != "",
            call.role != LEAF or decision.identity.agent != "",
            call.reported_cost != "" and _differs(call),
            call.dropped > 0,
            call.invalid != "",
            call.cut,
            call.unknown,
            twin,
        )
    )


def _shortened(kind: Kind) -> Kind:
    """The same kind, whatever names a client has made up."""
    cut = (each[:_TEXT] if isinstance(each, str) else each for each in kind)
    few = tuple(name[:_TEXT] for name in kind.unknown[:_FEW])
    return Kind._make(cut)._replace(unknown=few)


def _twin(span_id: bytes, rolled: Rollup) -> str:
    """The scope that bills the call of this span, if that is another one's."""
    decisions: Mapping[bytes, Decision] = rolled.decisions
    winner = decisions.get(rolled.winner.get(span_id, span_id))
    mine = decisions[span_id].call.scope_name
    return "" if winner is None or winner.call.scope_name == mine else winner.call.scope_name


def _differs(call: LlmCall) -> bool:
    """Whether the emitter says that it cost something else."""
    if not call.charge.total:
        return False
    theirs = int(call.reported_cost)
    return abs(int(call.charge.total) - theirs) * _AGREEMENT > theirs
