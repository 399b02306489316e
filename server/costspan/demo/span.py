"""A span that is planned but not yet played, and how the plan gets its times. No SDK here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from costspan.demo.models import Model, Tokens

AttributeValue = str | int | bool
_NS = 1_000_000_000
_STAGGER_NS = 4_000_000  # between the starts of spans that run side by side


class Call(NamedTuple):
    """A model call that its provider bills."""

    model: Model
    tokens: Tokens


@dataclass
class Plan:
    """One span: its own work takes `seconds`, after which its children run."""

    name: str
    attributes: Mapping[str, AttributeValue]
    seconds: float
    client: bool = False  # kind CLIENT, else INTERNAL
    children: list[Plan] = field(default_factory=list)
    parallel: bool = False  # the children run side by side
    agent: str = ""  # who owns this span and what lies below it
    error: str = ""
    call: Call | None = None
    start_ns: int = 0
    end_ns: int = 0

    @property
    def length(self) -> float:
        """Seconds from its start to its end."""
        lengths = [child.length for child in self.children]
        return self.seconds + (max(lengths, default=0.0) if self.parallel else sum(lengths))

    def starting(self, start_ns: int) -> None:
        """Set the times of this span and of all below it."""
        self.start_ns = start_ns
        self.end_ns = start_ns + round(self.length * _NS)
        at = start_ns + round(self.seconds * _NS / 2)
        for child in self.children:
            child.starting(at)
            at = at + _STAGGER_NS if self.parallel else child.end_ns


class Story(NamedTuple):
    """One trace: where it runs, on whose behalf, and its root."""

    service: str
    team: str
    user: str
    session: str
    root: Plan
