"""Reads /metrics as Prometheus would."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples(port: int, name: str, **labels: str) -> Iterator[Sample]:
    """The samples of one metric whose labels hold these values."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample


def value(port: int, name: str, **labels: str) -> float:
    """Their sum; 0 if there are none."""
    return sum(sample.value for sample in samples(port, name, **labels))
