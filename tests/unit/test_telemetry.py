"""The metric table: exact sums, bounded series, readable by a Prometheus parser."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from costspan.telemetry import MAX_SERIES, OVERFLOW, Gauge, Labels, Telemetry

CENT = 10**16  # attos


def scrape(telemetry: Telemetry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    registry = CollectorRegistry()
    registry.register(telemetry)
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_twelve_cents_are_twelve_cents_and_not_what_twelve_float_additions_give() -> None:
    telemetry = Telemetry()
    drifted = 0.0
    for _ in range(12):
        telemetry.cost.add(CENT, "app", "openai", "gpt", "input")
        drifted += 0.01

    samples = scrape(telemetry)

    labels = (
        ("model", "gpt"),
        ("provider", "openai"),
        ("service_name", "app"),
        ("token_type", "input"),
    )
    assert samples["costspan_cost_usd_total", labels] == 0.12
    assert drifted != 0.12


def test_a_family_never_grows_beyond_its_cap_and_its_sum_stays_right() -> None:
    telemetry = Telemetry()
    for n in range(MAX_SERIES + 10):
        telemetry.calls.add(1, f"app-{n}", "p", "m", "chat", "ok")

    samples = scrape(telemetry)
    calls = {k: v for k, v in samples.items() if k[0] == "costspan_calls_total"}

    assert len(calls) == MAX_SERIES + 1
    assert sum(calls.values()) == MAX_SERIES + 10
    assert any(OVERFLOW in dict(labels).values() for _, labels in calls)
    overflow = ("costspan_metric_overflow_total", (("metric", "costspan_calls_total"),))
    assert samples[overflow] == 10
    assert scrape(telemetry)[overflow] == 10


def test_a_histogram_counts_a_value_on_a_bound_inside_that_bucket() -> None:
    telemetry = Telemetry()
    telemetry.trace_cost.observe(CENT, "app")
    telemetry.trace_cost.observe(200 * 100 * CENT, "app")

    samples = scrape(telemetry)
    bucket = "costspan_trace_cost_usd_bucket"

    assert samples[bucket, (("le", "0.005"), ("service_name", "app"))] == 0
    assert samples[bucket, (("le", "0.01"), ("service_name", "app"))] == 1
    assert samples[bucket, (("le", "100.0"), ("service_name", "app"))] == 1
    assert samples[bucket, (("le", "+Inf"), ("service_name", "app"))] == 2
    assert samples["costspan_trace_cost_usd_sum", (("service_name", "app"),)] == 200.01


def test_every_family_has_a_sentence_a_prefix_and_the_suffix_of_its_kind() -> None:
    families = Telemetry().families()

    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.name.startswith("costspan_")
        assert family.help.endswith(".")
        assert family.name.endswith("_total") == (family.kind == "counter")


def test_watched_gauges_are_read_at_scrape_time() -> None:
    telemetry = Telemetry()
    value = 1.0

    def source() -> Mapping[Gauge, Mapping[Labels, float]]:
        return {telemetry.open_traces: {(): value}}

    telemetry.watch(source)
    value = 7.0

    assert scrape(telemetry)["costspan_open_traces", ()] == 7.0
