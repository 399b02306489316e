"""The committed book is what the importer makes of the source and the corrections."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

from costspan_pricing import load_book

pytest.importorskip("genai_prices")
import import_prices
from prices.build import build


def test_the_importer_makes_the_committed_book_again() -> None:
    made = build(import_prices.CORRECTIONS)

    assert import_prices.differences(made) == []
    assert build(import_prices.CORRECTIONS) == made


@pytest.fixture
def corrections(tmp_path: Path) -> Path:
    """A folder with one good file and one bad."""
    (tmp_path / "book.yaml").write_text("date: 2026-11-20\n")
    (tmp_path / "openai.yaml").write_text(
        "provider: openai\naliases:\n- {model: gpt-4o, names: [our-model], because: a test,"
        " source: https://example.com, checked: 2026-11-20}\n"
    )
    (tmp_path / "groq.yaml").write_text("provider: groq\nmodel: []\n")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["import_prices.py", "--corrections", str(folder), *words])
    return import_prices.main()


def test_one_file_can_be_tried_while_another_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    corrections: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"

    assert run(monkeypatch, corrections, "--only", "openai", "--out", str(out)) == 0

    assert "named gpt-4o: our-model: a test" in capsys.readouterr().out
    (file,) = out.glob("prices-*.json")
    book = load_book(file)
    openai = book.catalogue("openai")
    assert openai is not None
    assert book.date == date(2026, 11, 20)
    assert (found := openai.find("our-model")) is not None
    assert found.id == "gpt-4o"


def test_a_bad_file_ends_with_its_faults_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    corrections: Path,
    tmp_path: Path,
) -> None:
    assert run(monkeypatch, corrections, "--out", str(tmp_path / "out")) == 1

    assert "groq.yaml:2: unknown key 'model'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
