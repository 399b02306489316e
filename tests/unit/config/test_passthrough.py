"""What a bad configuration leaves: spans are received and forwarded, and nothing is priced."""

from __future__ import annotations

from costspan.config import Config, OtlpGrpcExporter, passthrough


def given(text: str, **env: str) -> Config:
    return passthrough("env:CONFIG", {"CONFIG": text, **env}, embedded=lambda: True)


def target(config: Config) -> str:
    exporter = config.exporters["otlp"]
    assert isinstance(exporter, OtlpGrpcExporter)
    return exporter.target


def test_nothing_is_priced_or_stored() -> None:
    config = given("exporters: {clickhouse: {directory: x}}\nnonsense: 1")

    assert not config.processors.cost.enabled
    assert config.processors.trace_totals.emit == ()
    assert config.exporters == {}


def test_what_can_be_read_of_the_file_is_kept() -> None:
    """The kubelet must still find the health endpoint, or the pod never starts."""
    config = given(
        "extensions: {health_check: {endpoint: 0.0.0.0:14133}}\n"
        "exporters: {otlp: {endpoint: 'a:4317', timeout: soon}}\n"
        "processors: {cost: {enabled: perhaps}}"
    )

    assert config.extensions.health_check.endpoint.port == 14133
    assert target(config) == "a:4317"


def test_without_a_readable_destination_the_environments_is_taken() -> None:
    config = given("exporters: [", OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4317")

    assert target(config) == "c:4317"
    assert [note.text for note in config.notes] == [
        "sending to otlp at http://c:4317 (environment variable OTEL_EXPORTER_OTLP_ENDPOINT)"
    ]
