"""The files that prices come from: their faults are faults of the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costspan.config import Config, load, passthrough
from costspan.errors import ConfigError
from hits import BOOK
from rate_cards import discount


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(discount("0.5"))
    return path


def _load(cost: dict[str, Any], **more: Any) -> Config:
    document = {"processors": {"cost": cost}, **more}
    return load("env:C", {"C": json.dumps(document)}, embedded=lambda: False)


def _faults(cost: dict[str, Any], **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        _load(cost, **more)
    return caught.value.faults


def test_good_files_are_taken(card: Path) -> None:
    cost = _load({"rate_cards": [str(card)], "price_book": str(BOOK)}).processors.cost

    assert (str(BOOK), (str(card),)) == cost.price_files
    assert 10.0 == cost.reload_interval


def test_a_variable_names_them_too(card: Path) -> None:
    env = {
        "COSTSPAN_PROCESSORS_COST_RATE_CARDS": str(card),
        "COSTSPAN_PROCESSORS_COST_PRICE_BOOK": str(BOOK),
        "COSTSPAN_PROCESSORS_COST_RELOAD_INTERVAL": "0",
    }
    cost = load(None, env, embedded=lambda: False).processors.cost

    assert ((str(BOOK), (str(card),)), 0.0) == (tuple(cost.price_files), cost.reload_interval)


def test_faults_of_cards_and_book_stand_beside_those_of_the_file(
    card: Path, tmp_path: Path
) -> None:
    """All at once: nobody repairs a file only to be told of the next."""
    card.write_text(discount("0.5").replace("owner:", "ovner:"))
    book = tmp_path / "book.json"
    book.write_text("[]")
    faults = _faults({"rate_cards": [str(card)], "price_book": str(book)}, service={"x": 1})

    assert any(each.startswith(f"{card}:4:") and "'owner'" in each for each in faults)
    assert any(each.startswith(f"{book}: expected a price book") for each in faults)
    assert any("service.x: unknown key" in each for each in faults)


def test_a_file_that_is_not_there_is_a_fault_of_the_line_that_names_it(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.yaml")

    assert [
        f"env:C:1:26: processors.cost.rate_cards: expected a file, saw none at {gone}"
    ] == _faults({"rate_cards": [gone]})
    assert [
        f"env:C:1:26: processors.cost.price_book: expected a file, saw none at {gone}"
    ] == _faults({"price_book": gone})


def test_what_is_probably_not_meant_is_a_note(card: Path) -> None:
    card.write_text(discount("0.5").replace("gpt-4o*", "gpt-9*"))
    notes = _load({"rate_cards": [str(card)]}).notes

    assert any(note.level == "warning" and "gpt-9*" in note.text for note in notes)


def test_files_are_not_read_where_nothing_is_priced(card: Path) -> None:
    card.write_text("{")

    assert not _load({"enabled": False, "rate_cards": [str(card)]}).processors.cost.enabled


def test_passthrough_forwards_whatever_the_card_says(card: Path) -> None:
    card.write_text("{")
    document = {
        "processors": {"cost": {"rate_cards": [str(card)]}},
        "exporters": {"otlp": {"endpoint": "http://127.0.0.1:5317"}},
    }
    config = passthrough("env:C", {"C": json.dumps(document)}, embedded=lambda: False)

    assert (False, ["otlp"]) == (config.processors.cost.enabled, list(config.exporters))
