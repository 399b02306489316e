"""What is counted with: sums in dicts, rendered at scrape time. No metric of ours is named here.

A labelled `inc()` of prometheus_client costs about 7 us, an addition to a dict 0.3. Money is summed
as an int of 10^-18 USD and divided once, when it is rendered.

Each family holds at most `MAX_SERIES` label sets; beyond it a new set goes to `__overflow__`, and
`costspan_metric_overflow_total` says so: the family's sum stays right.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    Exemplar,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

MAX_SERIES = 2000
OVERFLOW = "__overflow__"
_ATTOS = 10**18
Labels = tuple[str, ...]


class Counter:
    """A sum per label set. `unit=attos` sums 10^-18 USD and renders dollars."""

    kind = "counter"

    def __init__(self, name: str, labels: str, text: str, *, attos: bool = False) -> None:
        self.name, self.labels, self.help = name, tuple(labels.split()), text
        self._scale = _ATTOS if attos else 1
        self._values: dict[Labels, int] = {}
        self._exemplars: dict[Labels, Exemplar] = {}
        self._lock = threading.Lock()
        self.overflowed = 0

    def add(self, amount: int, *labels: str) -> None:
        """Add a non-negative amount; the labels in the order of the table."""
        with self._lock:
            values = self._values
            if labels not in values and len(values) >= MAX_SERIES:
                labels = (OVERFLOW,) * len(self.labels)
                self.overflowed += 1
            values[labels] = values.get(labels, 0) + amount

    def mark(self, trace_id: str, value: float, at: int, *labels: str) -> None:
        """Add one, with the trace that it is about as the series' exemplar. `at`: ns."""
        self.add(1, *labels)
        with self._lock:
            if labels in self._values:
                self._exemplars[labels] = Exemplar({"trace_id": trace_id}, value, at / 1e9)

    def exact(self, *labels: str) -> int:
        """The exact sum (attos for money) of the series whose labels start with these."""
        with self._lock:
            return sum(v for k, v in self._values.items() if k[: len(labels)] == labels)

    def family(self) -> Metric:
        family = CounterMetricFamily(
            self.name.removesuffix("_total"), self.help, labels=self.labels
        )
        with self._lock:
            values, exemplars = list(self._values.items()), dict(self._exemplars)
        for labels, value in values:
            family.add_metric(
                labels,
                value / self._scale if self._scale != 1 else value,
                exemplar=exemplars.get(labels),
            )
        return family


class Gauge:
    """A value per label set, set on every observation or read at scrape time."""

    kind = "gauge"

    def __init__(self, name: str, labels: str, text: str) -> None:
        self.name, self.labels, self.help = name, tuple(labels.split()), text
        self._values: dict[Labels, float] = {}
        self._lock = threading.Lock()
        self.overflowed = 0

    def set(self, value: float, *labels: str) -> None:
        with self._lock:
            self._values[labels] = value

    def replace(self, values: Mapping[Labels, float]) -> None:
        """These series and no others: what an earlier one told of is gone."""
        with self._lock:
            self._values = dict(values)

    def value(self, *labels: str) -> float:
        with self._lock:
            return self._values.get(labels, 0.0)

    def family(self) -> Metric:
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        with self._lock:
            values = list(self._values.items())
        for labels, value in values:
            family.add_metric(labels, value)
        return family


class Histogram:
    """Counts per bucket and label set; `le` bounds are inclusive, as Prometheus has them."""

    kind = "histogram"

    def __init__(
        self, name: str, labels: str, text: str, bounds: Iterable[float], *, attos: bool = False
    ) -> None:
        self.name, self.labels, self.help = name, tuple(labels.split()), text
        self.bounds = tuple(bounds)
        self._scale = _ATTOS if attos else 1
        self._edges = [round(bound * self._scale) if attos else bound for bound in self.bounds]
        self._values: dict[Labels, tuple[list[int], list[float]]] = {}
        self._lock = threading.Lock()
        self.overflowed = 0

    def observe(self, value: float, *labels: str) -> None:
        """Count one value (attos for money)."""
        self.observe_all((value,), *labels)

    def observe_all(self, values: Sequence[float], *labels: str) -> None:
        """Count several values of one series."""
        with self._lock:
            if labels not in self._values and len(self._values) >= MAX_SERIES:
                labels = (OVERFLOW,) * len(self.labels)
                self.overflowed += 1
            counts, total = self._values.setdefault(labels, ([0] * (len(self.bounds) + 1), [0]))
            for value in values:
                counts[bisect_left(self._edges, value)] += 1
            total[0] += sum(values)

    def count(self, *labels: str) -> int:
        with self._lock:
            counts, _ = self._values.get(labels, ([], []))
            return sum(counts)

    def family(self) -> Metric:
        family = HistogramMetricFamily(self.name, self.help, labels=self.labels)
        with self._lock:
            values = [(k, list(counts), total[0]) for k, (counts, total) in self._values.items()]
        for labels, counts, total in values:
            running, buckets = 0, []
            for bound, count in zip((*map(str, self.bounds), "+Inf"), counts, strict=True):
                running += count
                buckets.append((bound, running))
            family.add_metric(labels, buckets, sum_value=total / self._scale)
        return family
