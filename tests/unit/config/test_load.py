"""What the keys mean once they are loaded: defaults, precedence, references, destinations."""

from __future__ import annotations

from pathlib import Path

import pytest

from costspan.config import (
    ClickHouseExporter,
    Config,
    OtlpGrpcExporter,
    OtlpHttpExporter,
    load,
)
from costspan.config.forms import Address
from costspan.errors import ConfigError

GOOD = Path(__file__).parent / "good"


def given(text: str, **env: str) -> Config:
    """Load the text as `--config=env:VAR` would; the embedded store is installed."""
    return load("env:CONFIG", {"CONFIG": text, **env}, embedded=lambda: True)


def without_file(*, embedded: bool = False, **env: str) -> Config:
    return load(None, env, embedded=lambda: embedded)


def notes(config: Config) -> str:
    return "\n".join(note.text for note in config.notes)


def otlp(config: Config, name: str = "otlp") -> OtlpGrpcExporter:
    exporter = config.exporters[name]
    assert isinstance(exporter, OtlpGrpcExporter)
    return exporter


def test_an_empty_file_is_the_documented_defaults() -> None:
    config = given("")
    protocols = config.receivers.otlp.protocols

    assert protocols.grpc
    assert protocols.http
    assert Address("127.0.0.1", 4317) == protocols.grpc.endpoint
    assert Address("127.0.0.1", 4318) == protocols.http.endpoint
    assert Address("127.0.0.1", 13133) == config.extensions.health_check.endpoint
    assert Address("127.0.0.1", 9464) == config.service.telemetry.metrics.address
    assert config.exporters == {}


def test_every_key_of_the_file_arrives() -> None:
    config = load(str(GOOD / "every_key.yaml"), {}, embedded=lambda: False)
    totals, exporter = config.processors.trace_totals, otlp(config)

    assert frozenset({"window.financial.currency"}) == config.processors.cost.off
    assert config.processors.cost.dimensions == {"team": ("team.id", "enduser.team")}
    assert (
        totals.root_grace, totals.quiet, totals.idle, totals.max_age, totals.late_window,
    ) == (1.0, 0.2, 60.0, 5400.0, 0.0)  # fmt: skip
    assert (totals.root_policy, totals.orphan_wait, totals.checkpoint) == ("local", 2.0, 3.0)
    assert (
        totals.limits.traces, totals.limits.bytes, totals.limits.spans_per_trace,
    ) == (10, 1 << 20, 5)  # fmt: skip
    assert (
        exporter.compression, exporter.timeout, exporter.headers,
    ) == ("gzip", 1.5, {"tenant": "blue"})  # fmt: skip
    assert (
        exporter.sending_queue.batch.flush_timeout, exporter.sending_queue.batch.max_size,
    ) == (0.05, 1 << 20)  # fmt: skip


def test_naming_one_protocol_leaves_the_other_out() -> None:
    protocols = given("receivers: {otlp: {protocols: {grpc: }}}").receivers.otlp.protocols

    assert protocols.grpc
    assert protocols.http is None


@pytest.mark.parametrize(
    ("endpoint", "tls", "target", "insecure"),
    [
        ("a:4317", "{}", "a:4317", False),
        ("a:4317", "{insecure: true}", "a:4317", True),
        ("http://a:4317", "{}", "a:4317", True),
        ("https://a:4317", "{insecure: true}", "a:4317", False),
    ],
)
def test_a_scheme_decides_about_tls_else_the_key_does(
    endpoint: str, tls: str, target: str, *, insecure: bool
) -> None:
    exporter = otlp(given(f'exporters: {{otlp: {{endpoint: "{endpoint}", tls: {tls}}}}}'))

    assert (target, insecure) == (exporter.target, exporter.insecure)


def test_the_keys_of_a_store_fill_its_dsn() -> None:
    """A password may hold any character."""
    store = load(str(GOOD / "every_key.yaml"), {}).exporters["clickhouse"]

    assert isinstance(store, ClickHouseExporter)
    assert store.dsn == "clickhouse://writer:p%40ss%2Fword@store:8123/otel"


# --- when a destination can't keep up ------------------------------------------------------------


def test_only_the_first_otlp_exporter_holds_the_client_back() -> None:
    config = given(
        "exporters: {clickhouse: {endpoint: 'http://c:8123'}, otlphttp: {endpoint: 'http://a'},"
        " otlp: {endpoint: 'b:4317'}}"
    )

    assert {name: each.when_full for name, each in config.exporters.items()} == {
        "clickhouse": "drop_oldest",
        "otlphttp": "backpressure",
        "otlp": "drop_oldest",
    }


def test_without_an_otlp_exporter_clickhouse_holds_the_client_back() -> None:
    config = given("exporters: {clickhouse: {endpoint: 'http://c:8123'}}")

    assert config.exporters["clickhouse"].when_full == "backpressure"


def test_what_the_file_says_about_a_full_journal_stands() -> None:
    assert otlp(
        given("exporters: {otlp: {endpoint: 'a:1', when_full: drop_oldest}}")
    ).when_full == ("drop_oldest")


# --- references ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${env:NAME}", "blue"),
        ("${NAME}", "blue"),
        ("x-${env:NAME}-y", "x-blue-y"),
        ("${env:OTHER:-red}", "red"),
        ("${env:EMPTY:-red}", "red"),
        ("${env:OTHER:-${env:NAME}}", "blue"),
        ("$${env:NAME}", "${env:NAME}"),
        ("$5", "$5"),
        ("${env:TRICK}", "${env:NAME}"),
    ],
)
def test_a_reference_is_followed_once(written: str, value: str) -> None:
    env = {"NAME": "blue", "EMPTY": "", "TRICK": "${env:NAME}"}
    config = given(f"exporters: {{otlp: {{endpoint: 'a:1', headers: {{h: '{written}'}}}}}}", **env)

    assert {"h": value} == otlp(config).headers


def test_a_file_reference_loses_its_final_line_break_only(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(" pass word \n")
    text = f"exporters: {{otlp: {{endpoint: 'a:1', headers: {{h: '${{file:{secret}}}'}}}}}}"

    assert otlp(given(text)).headers == {"h": " pass word "}


def test_a_reference_that_is_empty_leaves_the_default() -> None:
    assert given("journal:\n  max_size: ${env:SIZE:-}").journal.limit == 64 << 20


# --- the environment -----------------------------------------------------------------------------


def test_a_variable_wins_over_the_file() -> None:
    config = given("journal: {max_size: 1MiB}", COSTSPAN_JOURNAL_MAX_SIZE="2MiB")

    assert config.journal.max_size == 2 << 20


def test_a_variable_for_one_protocol_leaves_the_other_on() -> None:
    config = without_file(COSTSPAN_RECEIVERS_OTLP_PROTOCOLS_GRPC_ENDPOINT="0.0.0.0:5317")
    protocols = config.receivers.otlp.protocols

    assert protocols.grpc
    assert protocols.http
    assert protocols.grpc.endpoint.port == 5317


def test_a_variable_holds_a_list_with_commas() -> None:
    config = without_file(COSTSPAN_PROCESSORS_TRACE_TOTALS_EMIT="metrics, clickhouse")

    assert config.processors.trace_totals.emit == ("metrics", "clickhouse")


def test_a_faulty_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"variable COSTSPAN_JOURNAL_MAX_SIZE: journal\.max_size"):
        without_file(COSTSPAN_JOURNAL_MAX_SIZE="large")


def test_an_unknown_variable_is_a_warning_with_the_nearest() -> None:
    config = without_file(COSTSPAN_JOURNAL_MAXSIZE="1MiB")

    assert "COSTSPAN_JOURNAL_MAXSIZE is not known; the nearest is COSTSPAN_JOURNAL_MAX_SIZE" in (
        notes(config)
    )


def test_with_a_file_variables_name_no_destination() -> None:
    config = given(
        "exporters: {otlp: {endpoint: 'a:4317'}}",
        COSTSPAN_EXPORTERS_OTLP_ENDPOINT="b:4317",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4317",
    )

    assert otlp(config).target == "a:4317"
    assert "COSTSPAN_EXPORTERS_OTLP_ENDPOINT is ignored" in notes(config)


# --- without a file ------------------------------------------------------------------------------


def test_our_variable_comes_before_opentelemetrys() -> None:
    config = without_file(
        COSTSPAN_EXPORTERS_OTLP_ENDPOINT="http://ours:4317",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://theirs:4318",
    )

    assert list(config.exporters) == ["otlp"]
    assert otlp(config).target == "ours:4317"
    assert "(environment variable COSTSPAN_EXPORTERS_OTLP_ENDPOINT)" in notes(config)


@pytest.mark.parametrize(
    ("endpoint", "protocol", "exporter"),
    [
        ("http://c:4318", "", "otlphttp"),
        ("http://c:4317", "", "otlp"),
        ("c:4317", "", "otlp"),
        ("https://c/api/otel", "", "otlphttp"),
        ("http://c:4318", "grpc", "otlp"),
        ("http://c:4317", "http/protobuf", "otlphttp"),
    ],
)
def test_opentelemetrys_variables_say_the_protocol_or_the_port_does(
    endpoint: str, protocol: str, exporter: str
) -> None:
    config = without_file(
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol
    )

    assert [exporter] == list(config.exporters)


def test_opentelemetrys_variables_keep_their_meaning() -> None:
    """Milliseconds; headers as in W3C baggage."""
    config = without_file(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318/base/",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Basic%20YQ==,tenant=blue",
        OTEL_EXPORTER_OTLP_TIMEOUT="2500",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
    )
    exporter = config.exporters["otlphttp"]

    assert isinstance(exporter, OtlpHttpExporter)
    assert exporter.endpoint == "http://c:4318/base"
    assert exporter.headers == {"authorization": "Basic YQ==", "tenant": "blue"}
    assert (exporter.timeout, exporter.compression) == (2.5, "gzip")


def test_a_destination_of_the_environment_that_is_ourselves_is_ignored_with_a_warning() -> None:
    """The variable that points the application at us may reach us too."""
    config = without_file(OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:4318")

    assert config.exporters == {}
    assert "ignored: localhost:4318 is our own listener" in notes(config)


def test_a_port_of_ours_on_another_machine_is_no_loop() -> None:
    config = without_file(OTEL_EXPORTER_OTLP_ENDPOINT="http://192.0.2.1:4317")

    assert list(config.exporters) == ["otlp"]


def test_the_embedded_store_is_kept_if_it_is_installed() -> None:
    store = without_file(embedded=True).exporters["clickhouse"]

    assert isinstance(store, ClickHouseExporter)
    assert store.directory == "./costspan-data"
    assert without_file(embedded=False).exporters == {}


def test_a_store_that_a_variable_names_takes_the_embedded_ones_place() -> None:
    config = without_file(embedded=True, COSTSPAN_EXPORTERS_CLICKHOUSE_ENDPOINT="http://c:8123")

    assert config.exporters["clickhouse"] == ClickHouseExporter(
        endpoint="http://c:8123", when_full="backpressure"
    )


def test_a_directory_needs_the_embedded_store() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'costspan\[embedded\]'"):
        without_file(COSTSPAN_EXPORTERS_CLICKHOUSE_DIRECTORY="./data")


# --- the source ----------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(ConfigError, match=r"^nowhere\.yaml: the file can't be read: No such file"):
        load("nowhere.yaml", {})


def test_a_variable_that_is_not_set_is_a_fault() -> None:
    with pytest.raises(ConfigError, match=r"^env:CONFIG: the environment variable is not set"):
        load("env:CONFIG", {})


def test_a_file_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"journal: \xff")
    with pytest.raises(ConfigError, match="expected UTF-8 text, saw byte 0xff"):
        load(str(path), {})


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("#" * (1 << 20) + "\n\n")
    with pytest.raises(ConfigError, match="expected at most 1048576 characters"):
        load(str(path), {})


def test_who_is_configured_is_not_forgotten() -> None:
    config = given("""
journal: {directory: /var/lib/costspan, forget: [otlp, otlphttp/old]}
exporters: {otlp: {endpoint: "collector:4317"}}
""")

    assert "journal.forget: otlp is ignored, because it is configured" in notes(config)
    assert "otlphttp/old" not in notes(config)


def test_a_journal_in_a_directory_is_larger_than_one_in_memory() -> None:
    assert given("journal: {directory: /var/lib/costspan}").journal.limit == 1 << 30
    assert given("journal: {directory: /var, max_size: 2MiB}").journal.limit == 2 << 20


@pytest.mark.parametrize(
    ("totals", "waits"),
    [
        ("{}", (6.0, 5.0)),
        ("{emit: [root_span]}", (10.0, 10.0)),
        ("{emit: [root_span], quiet: 2s}", (10.0, 2.0)),
    ],
)
def test_a_trace_whose_root_waits_is_closed_later(totals: str, waits: tuple[float, float]) -> None:
    found = given(f"processors: {{trace_totals: {totals}}}").processors.trace_totals
    assert (found.root_grace, found.quiet) == waits


def test_roots_that_would_wait_for_nobody_are_said() -> None:
    config = given("processors: {trace_totals: {emit: [root_span]}}")
    assert any("root_span changes nothing" in note.text for note in config.notes)


def test_the_gateways_configuration_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "gateway.md").read_text()
    totals = given(page.split("```")[1].removeprefix("yaml")).processors.trace_totals
    assert (totals.late_window, totals.limits.traces, totals.limits.bytes) == (120, 10**5, 1 << 28)
