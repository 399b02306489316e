"""Files become prices that fit together, or a list of everything that is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from costspan.errors import ConfigError
from costspan.prices.files import PriceFiles, load
from hits import BOOK
from rate_cards import HEADER, Mounted, discount


def _file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def _faults(files: PriceFiles) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(files)
    return caught.value.faults


def test_without_files_it_is_the_book_that_ships_at_list_prices() -> None:
    prices = load(PriceFiles())

    assert ((), ()) == (prices.cards, prices.warnings)
    assert prices.book.ref in str(prices)


def test_a_book_and_cards_are_loaded_together(tmp_path: Path) -> None:
    card = _file(tmp_path, "acme.yaml", discount("0.5", revision=7))
    prices = load(PriceFiles(str(BOOK), (card,)))

    assert "book" == prices.book.name
    assert ["acme@7"] == [card.ref.partition("+")[0] for card in prices.cards]
    assert prices.cards[0].ref in str(prices)


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    book = _file(tmp_path, "book.json", '{"format": "costspan.prices/v1"')
    typo = _file(tmp_path, "typo.yaml", discount("0.5").replace("discounts", "discount"))
    free = _file(tmp_path, "free.yaml", discount("0", card="free"))
    gone = str(tmp_path / "gone.yaml")
    faults = _faults(PriceFiles(book, (typo, free, gone)))

    for begin, part in (
        (book, "expected a price book"),
        (f"{typo}:7", "nearest is 'discounts'"),
        (f"{free}:7", "multiplier"),
        (gone, "can't be read"),
    ):
        assert [each for each in faults if each.startswith(begin) and part in each], faults


def test_a_card_that_does_not_fit_the_book_is_a_fault(tmp_path: Path) -> None:
    alias = "aliases: [{provider: openai, model: prod, sku: openai/gpt-4p}]\n"
    card = _file(tmp_path, "acme.yaml", HEADER.format(id="acme", revision=1) + alias)

    (fault,) = _faults(PriceFiles(str(BOOK), (card,)))
    assert fault.startswith(f"{card}:7")
    assert "openai/gpt-4o" in fault  # the nearest


def test_a_book_that_is_no_file_is_a_sentence(tmp_path: Path) -> None:
    (fault,) = _faults(PriceFiles(str(tmp_path / "none.json")))

    assert fault.endswith("none.json: the price book can't be read: No such file or directory")


def test_what_is_probably_not_meant_is_a_warning(tmp_path: Path) -> None:
    card = _file(tmp_path, "acme.yaml", discount("0.5").replace("gpt-4o*", "gpt-9*"))

    (warning,) = load(PriceFiles(str(BOOK), (card,))).warnings
    assert "gpt-9*" in warning


def test_a_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    """Not of the time: a copy keeps its old one, and writing the same again changes nothing."""
    card = _file(tmp_path, "acme.yaml", "one")
    files = PriceFiles(None, (card,))
    first, times = files.fingerprint(), Path(card).stat()
    _file(tmp_path, "acme.yaml", "two")
    os.utime(card, ns=(times.st_atime_ns, times.st_mtime_ns))
    second = files.fingerprint()
    _file(tmp_path, "acme.yaml", "one")

    assert first != second
    assert first == files.fingerprint()


def test_a_fingerprint_follows_the_symlinks_of_a_mounted_configmap(tmp_path: Path) -> None:
    folder = Mounted(tmp_path / "rates")
    folder.update(acme="one")
    files = PriceFiles(None, (folder.path("acme"),))
    first = files.fingerprint()
    folder.update(acme="two")

    assert first != files.fingerprint()


def test_a_file_that_is_not_there_has_a_fingerprint_too(tmp_path: Path) -> None:
    files = PriceFiles(str(tmp_path / "gone.json"), ("bad\0path",))

    assert files.fingerprint() == files.fingerprint()
    assert all(each.startswith("unreadable: ") for each in files.fingerprint())
