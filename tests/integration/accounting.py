"""The accounting identity of a running line, read from /metrics. It judges nothing."""

from __future__ import annotations

from typing import NamedTuple

from integration.prometheus import samples, value

_TERMS = {
    "accepted": "costspan_exporter_accepted_items_total",
    "sent": "costspan_exporter_sent_items_total",
    "rejected": "costspan_exporter_rejected_items_total",
    "dead_lettered": "costspan_exporter_dead_lettered_items_total",
    "dropped": "costspan_exporter_dropped_items_total",
    "queued": "costspan_exporter_queued_items",
}


class Account(NamedTuple):
    """Items of one signal at one destination."""

    accepted: float = 0
    sent: float = 0
    rejected: float = 0
    dead_lettered: float = 0
    dropped: float = 0
    queued: float = 0

    @property
    def settled(self) -> float:
        """What has a verdict, and what waits for one: it must be what was accepted."""
        return self.sent + self.rejected + self.dead_lettered + self.dropped + self.queued


def accounts(port: int) -> dict[tuple[str, str], Account]:
    """By exporter and signal, as `/metrics` on this port shows them."""
    found: dict[tuple[str, str], Account] = {}
    for term, name in _TERMS.items():
        for sample in samples(port, name):
            key = sample.labels["exporter"], sample.labels["signal"]
            account = found.get(key, Account())
            found[key] = account._replace(**{term: getattr(account, term) + sample.value})
    return found


def at_rest(port: int) -> bool:
    """Whether nothing waits for a destination and every trace is closed."""
    waits = sum(account.queued for account in accounts(port).values())
    return waits == 0 and value(port, "costspan_open_traces") == 0
