"""The port between `runner` and the destinations: one delivery, two verdicts. No retry here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from costspan.model import Frame


class Delivered(NamedTuple):
    """What a destination said of one delivery, in items of the frames' signal."""

    sent: int
    rejected: int = 0  # a partial success: permanently refused, never sent again
    message: str = ""  # what it said beside; "" = nothing


class Destination(Protocol):
    """Where frames go. A delivery is tried again with the same frames until it has a verdict."""

    @property
    def name(self) -> str:
        """As in the configuration: otlp, otlphttp/langfuse, clickhouse."""
        ...

    @property
    def takes(self) -> frozenset[str]:
        """The signals that it takes, OWN ones included."""
        ...

    def open(self) -> None:
        """Make contact before there is anything to deliver. What it raises is no verdict."""
        ...

    def group(self, frames: Sequence[Frame]) -> list[list[Frame]]:
        """Split what was read into deliveries of one signal each.

        Their order and content depend on `frames` alone: after a restart they are made again.
        """
        ...

    def deliver(self, frames: Sequence[Frame]) -> Delivered:
        """Hand one group over, or a part of one. Raises Retryable or Permanent (never again).

        With more than one consumer several threads call it at once.
        """
        ...

    def close(self) -> None:
        """Give up connections and cancel what is on its way. Called once, from any thread."""
        ...
