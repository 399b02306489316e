"""`costspan demo` from start to end, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import typer

from costspan.cli import demo
from costspan.cli.exits import Exit
from costspan.demo.models import Price, Tokens

DEMO = [sys.executable, "-m", "costspan", "demo"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (our own module)
        [*DEMO, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_two_runs_on_one_directory_agree_with_their_own_books(tmp_path: Path) -> None:
    """The second run asks about its own traces only."""
    for _ in range(2):
        done = run("--json", "--directory", str(tmp_path))
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)

        assert found["check"] == {"equal": True, "differences": []}
        assert found["traces"] == 47
        assert found["unpriced_calls"] == 4
        by_agent = sum(Decimal(share["cost_usd"]) for share in found["by_agent"].values())
        assert by_agent == Decimal(found["total_usd"]) > 5


@pytest.mark.slow
def test_without_a_terminal_it_is_plain_ascii_if_need_be_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    done = run(NO_COLOR="1", COLUMNS="80", TMPDIR=str(tmp_path), PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout + done.stderr
    assert "last digit" in done.stdout
    assert "invoke_agent browser" in done.stdout
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_difference_is_shown_and_exits_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Books with a wrong price, the line untouched."""
    right = Price.cost

    def wrong(price: Price, tokens: Tokens) -> Decimal:
        return right(price, tokens) + (Decimal("1e-18") if tokens.reasoning else 0)

    monkeypatch.setattr(Price, "cost", wrong)
    with pytest.raises(typer.Exit) as ended:
        demo.demo_command(directory=tmp_path)

    assert ended.value.exit_code == Exit.CHECK_FAILED
    assert "differ" in capsys.readouterr().out


def test_without_the_extras_it_is_one_sentence_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "_NEEDED", {"no_such_module.at_all": "chDB"})
    with pytest.raises(typer.Exit) as ended:
        demo.demo_command()
    (line,) = capsys.readouterr().err.splitlines()

    assert ended.value.exit_code == Exit.FAILURE
    assert line == 'costspan demo needs chDB: pip install "costspan[demo,embedded]"'
