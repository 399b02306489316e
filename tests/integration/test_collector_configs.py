"""Every file of collector-config/ is valid, by the judgement of the program that reads it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from integration.collector import CONFIGS, validate
from integration.topology import TOPOLOGIES, edited

pytestmark = pytest.mark.slow
COSTSPAN = sorted(CONFIGS.glob("costspan-*.yaml"))
OTELCOL = sorted(set(CONFIGS.glob("*.yaml")) - set(COSTSPAN) - {CONFIGS / "builder.yaml"})
DEFAULT = re.compile(r"\$\{env:(\w+):-([^}]*)\}")


def named(file: Path) -> str:
    return file.name


def costspan_validate(config: Path) -> tuple[int, str]:
    """The exit code of `costspan config validate` and what it printed."""
    command = [sys.executable, "-m", "costspan", "config", "validate", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  ours
    return done.returncode, done.stdout + done.stderr


def test_there_is_a_pair_of_files_for_every_topology() -> None:
    names = {file.stem for file in COSTSPAN + OTELCOL}

    assert names == {*TOPOLOGIES, *(f"costspan-{name}" for name in TOPOLOGIES), "backend"}


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_pair_fits_together_with_an_empty_environment(name: str) -> None:
    """A variable that both files read has one default; what differs would not meet."""
    files = [CONFIGS / f"{name}.yaml", CONFIGS / f"costspan-{name}.yaml", CONFIGS / "backend.yaml"]
    defaults: dict[str, set[str]] = {}
    for file in files:
        for variable, default in DEFAULT.findall(file.read_text()):
            defaults.setdefault(variable, set()).add(default)
    listeners = [
        default
        for variable, values in defaults.items()
        for default in values
        if re.fullmatch(r"127\.0\.0\.1:\d+", default)
    ]

    assert {variable: seen for variable, seen in defaults.items() if len(seen) > 1} == {}
    assert len(set(listeners)) == len(listeners)


@pytest.mark.parametrize("config", COSTSPAN, ids=named)
def test_costspan_finds_it_valid(config: Path) -> None:
    code, said = costspan_validate(config)

    assert (code, "valid" in said) == (0, True), said


@pytest.mark.parametrize("config", COSTSPAN, ids=named)
def test_costspan_refuses_it_with_a_mistake(config: Path, tmp_path: Path) -> None:
    wrong = tmp_path / config.name
    wrong.write_text(edited(config, {"compression: ": "compresion: "}))
    code, said = costspan_validate(wrong)

    assert code == 3
    assert "compresion" in said


@pytest.mark.collector
@pytest.mark.parametrize("config", OTELCOL, ids=named)
def test_the_collector_finds_it_valid(config: Path, otelcol: Path) -> None:
    assert validate(otelcol, config, {}) == ""


@pytest.mark.collector
@pytest.mark.parametrize(
    "mistake",
    [{"max_recv_msg_size_mib": "max_recv_msg_size"}, {"receivers: [otlp": "receivers: [otpl"}],
    ids=["key", "reference"],
)
@pytest.mark.parametrize("config", OTELCOL, ids=named)
def test_the_collector_refuses_it_with_a_mistake(
    config: Path, mistake: dict[str, str], otelcol: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / config.name
    wrong.write_text(edited(config, mistake))
    (written,) = mistake.values()

    assert written.rpartition("[")[2] in validate(otelcol, wrong, {})
