"""`costspan rates refresh`: a newer book is checked, compared and written under a pinned name."""

from __future__ import annotations

import json
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from costspan.cli import commands
from costspan.cli.exits import Exit
from costspan.cli.rates.installed import ImportFailed, convert
from costspan_pricing import load_book
from costspan_pricing.book import FORMAT

Json = dict[str, Any]


def book(*models: Json, **rest: Any) -> Json:
    return {
        "format": FORMAT,
        "notice": "",
        "source": {"version": "1"},
        "per": {"input": 1_000_000, "output": 1_000_000},
        "owners": {},
        "providers": {"acme": {"models": list(models)}},
        **rest,
    }


def row(model: str, *prices: Json, **rest: Any) -> Json:
    return {"id": model, "prices": list(prices), **rest}


def rates(entry: str, **more: Any) -> Json:
    return {"rates": {"input": entry}, **more}


@pytest.fixture
def refresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `rates refresh --json` from one book to another; returns code and document."""

    def run(old: Json, new: Json, *options: str) -> tuple[int, Any]:
        for name, content in (("old", old), ("new", new)):
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        sources = ["--from", str(tmp_path / "new.json"), "--book", str(tmp_path / "old.json")]
        out = str(tmp_path / "out")
        code = commands.main(["rates", "refresh", *sources, "--out", out, *options])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if "--json" in options else printed

    return run


def test_rows_and_rates_that_differ_are_listed_old_and_new(refresh: Any) -> None:
    """A dated price that is appended has no old value; one that is gone has no new one."""
    old = book(row("gone", rates("1")), row("kept", rates("2")), row("cut", rates("3")))
    new = book(
        row("cut", rates("2.5"), rates("2", **{"from": "2027-01-01T00:00:00Z"})),
        row("fresh", rates("1")),
        row("kept", rates("2.0")),
    )
    code, found = refresh(old, new, "--json")
    assert (code, found["schema"]) == (Exit.OK, "costspan.rates.refresh/v1")
    assert (found["added"], found["removed"]) == (["acme/fresh"], ["acme/gone"])
    assert found["changed"] == {
        "acme/cut": [
            {"what": "input", "old": "3", "new": "2.5"},
            {"what": "input from 2027-01-01T00:00:00Z", "old": None, "new": "2"},
        ]
    }


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ({"bands": [{"over": 9, "rates": {"input": "2"}}]}, {}, "input over 9"),
        (
            {"hours": [{"from": "01:00", "to": "02:00", "rates": {"input": "2"}}]},
            {},
            "input 01:00-02:00 on days 1234567",
        ),
    ],
)
def test_a_rate_is_named_by_all_that_decides_whether_it_applies(
    refresh: Any, before: Json, after: Json, what: str
) -> None:
    _, found = refresh(
        book(row("m", rates("1", **before))), book(row("m", rates("1", **after))), "--json"
    )
    assert found["changed"] == {"acme/m": [{"what": what, "old": "2", "new": None}]}


def test_a_variant_is_named_by_its_context_and_its_dates(refresh: Any) -> None:
    variant = {"when": {"processing": "batch"}, "from": "2026-01-01T00:00:00Z", **rates("1")}
    plain = book(row("m", rates("2")))
    _, found = refresh(plain, book(row("m", rates("2"), variants=[variant])), "--json")
    assert found["changed"]["acme/m"] == [
        {"what": "input [processing=batch] from 2026-01-01T00:00:00Z", "old": None, "new": "1"}
    ]


def test_a_factor_for_a_place_is_a_change_of_each_of_its_models(refresh: Any) -> None:
    rows = [row("m", rates("2")), row("n", rates("2"))]
    old, new = book(*rows), book(*rows)
    uplift = {"when": {"geo": ["us", "eu"]}, "models": ["n"], "multiplier": "1.1"}
    new["providers"]["acme"]["uplifts"] = [{**uplift, "units": ["input"]}]
    _, found = refresh(old, new, "--json")
    assert found["changed"] == {
        "acme/n": [{"what": 'factor on input [geo=["us","eu"]]', "old": None, "new": "1.1"}]
    }
    assert found["providers"] == {}


def test_another_scale_of_a_unit_is_a_change_of_the_book(refresh: Any) -> None:
    """The same digits per thousand instead of per million are a thousandfold price."""
    one = book(row("m", rates("1")))
    _, found = refresh(one, {**one, "per": {**one["per"], "input": 1000}}, "--json")
    assert found["providers"] == {"": [{"what": "per input", "old": "1000000", "new": "1000"}]}


def test_the_book_is_written_to_the_byte_under_a_name_that_pins_it(
    refresh: Any, tmp_path: Path
) -> None:
    _, found = refresh(book(), book(row("m", rates("1"))), "--json")
    written = Path(found["written"])
    digest = sha256(written.read_bytes()).hexdigest()
    assert written == tmp_path / "out" / f"new-{digest[:8]}.json"
    assert written.read_bytes() == (tmp_path / "new.json").read_bytes()
    assert load_book(written).sha256 == found["to"]["sha256"] == digest
    assert [path.name for path in (tmp_path / "out").iterdir()] == [written.name]


def test_a_dry_run_writes_nothing(refresh: Any, tmp_path: Path) -> None:
    code, found = refresh(book(), book(row("m", rates("1"))), "--json", "--dry-run")
    assert (code, found["written"], found["added"]) == (Exit.OK, None, ["acme/m"])
    assert not (tmp_path / "out").exists()


def test_a_faulty_book_is_refused_and_not_written(refresh: Any, tmp_path: Path) -> None:
    code, printed = refresh(book(), book(row("m", rates("free"))))
    assert (code, printed.out) == (Exit.CONFIG_INVALID, "")
    assert "acme/m: expected a decimal number of US dollars, got 'free'" in printed.err
    assert not (tmp_path / "out").exists()


def test_people_read_old_and_new_side_by_side(refresh: Any) -> None:
    code, printed = refresh(
        book(row("m", rates("1"))), book(row("m", rates("2")), row("n", rates("1")))
    )
    assert code == Exit.OK
    assert "1 rows added, 0 removed, 1 changed\n  + acme/n\n  acme/m\n      input: 1 -> 2\n" in (
        printed.out
    )


def test_a_folder_that_cannot_be_written_is_a_sentence(refresh: Any, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    code, printed = refresh(book(), book(row("m", rates("1"))))
    assert (code, printed.err) == (Exit.FAILURE, f"costspan: {tmp_path / 'out'}: File exists\n")


def test_the_book_that_ships_can_be_taken_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(load_book.__code__.co_filename).parent / "books"
    (shipped,) = folder.glob("prices-*.json")
    arguments = ["rates", "refresh", "--from", str(shipped), "--out", str(tmp_path), "--json"]
    assert commands.main(arguments) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["added"], found["changed"], found["providers"]) == ([], {}, {})
    assert Path(found["written"]).name == shipped.name


def test_without_a_file_the_installed_genai_prices_is_converted_and_corrected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the importer that makes the book that ships."""
    assert commands.main(["rates", "refresh", "--out", str(tmp_path), "--json"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert found["to"]["source"]["version"] == version("genai-prices")
    assert [path.name for path in tmp_path.iterdir()] == [Path(found["written"]).name]


def test_without_an_importer_a_file_is_asked_for(tmp_path: Path) -> None:
    """As in an installed wheel."""
    with pytest.raises(ImportFailed, match="name a book with --from FILE"):
        convert(tmp_path, tmp_path / "none.py")


def test_an_importer_that_fails_says_why(tmp_path: Path) -> None:
    importer = tmp_path / "importer.py"
    importer.write_text("raise SystemExit('corrections/openai.yaml:3: no such model')")
    with pytest.raises(ImportFailed, match=r"openai\.yaml:3: no such model"):
        convert(tmp_path, importer)
