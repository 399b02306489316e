"""A folder of files: each good one loads, each bad one has exactly the faults written beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from costspan.config import load
from costspan.errors import ConfigError

HERE = Path(__file__).parent
ENV = {"SECRET": "hunter2 is no address"}


def names(folder: str) -> list[str]:
    return sorted(path.stem for path in (HERE / folder).glob("*.yaml"))


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(str(path), ENV, embedded=lambda: True)
    return [fault.removeprefix(f"{path}:") for fault in caught.value.faults]


@pytest.mark.parametrize("name", names("good"))
def test_a_good_file_loads(name: str) -> None:
    load(str(HERE / "good" / f"{name}.yaml"), {}, embedded=lambda: True)


@pytest.mark.parametrize("name", names("bad"))
def test_a_bad_file_has_exactly_these_faults(name: str) -> None:
    """Every fault at once, in the order of the file, as line:column: key: expected, seen."""
    expected = (HERE / "bad" / f"{name}.txt").read_text().splitlines()

    assert expected == faults(HERE / "bad" / f"{name}.yaml")


@pytest.mark.parametrize("name", names("bad"))
def test_no_fault_shows_a_secret(name: str) -> None:
    """Neither a password in a URL nor the content of a variable."""
    assert "hunter2" not in "\n".join(faults(HERE / "bad" / f"{name}.yaml"))
