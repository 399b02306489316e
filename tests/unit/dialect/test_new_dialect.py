"""Whoever follows CONTRIBUTING has a dialect: the steps as they stand there, and nothing more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
_BLOCK = re.compile(r"^```(?:python|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_one_file_one_line_and_one_golden_are_a_dialect(tmp_path: Path) -> None:
    """In a copy of the sources, by a process of its own: its tables are made when it starts."""
    package = tmp_path / "server" / "costspan"
    shutil.copytree(ROOT / "server" / "costspan", package, ignore=_compiled)
    golden = tmp_path / "golden"
    golden.mkdir()
    for name in ("book.json", "test_golden.py"):
        shutil.copy(ROOT / "tests" / "golden" / name, golden)

    module, line, case = _steps()
    (package / "dialect" / "acme.py").write_text(module)
    _list(package / "dialect" / "layout.py", line)
    (golden / "acme").mkdir()
    (golden / "acme" / "ask.json").write_text(case)

    done = _goldens(golden, tmp_path / "server")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def _steps() -> list[str]:
    """The code of the section, in its order."""
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    section = guide.partition("## Add a dialect")[2].partition("\n## ")[0]
    return _BLOCK.findall(section)


def _list(layout: Path, line: str) -> None:
    source = layout.read_text()
    start = "from costspan.dialect.cache import"
    listed = source.replace(start, f"from costspan.dialect.acme import ACME\n{start}", 1)
    before, bracket, after = listed.partition("DIALECTS: tuple[Dialect, ...] = (\n")
    assert bracket, "the list of dialects is not where the guide says"
    entries, end, rest = after.partition("\n)")
    layout.write_text(f"{before}{bracket}{entries}\n{line.rstrip()}{end}{rest}")


def _goldens(golden: Path, server: Path) -> subprocess.CompletedProcess[str]:
    """The golden test of a folder that holds one case, against the sources of another."""
    places = (server, ROOT / "pricing", ROOT / "tests")
    return subprocess.run(  # noqa: S603  our own interpreter and arguments
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "acme", str(golden)],
        cwd=golden,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        capture_output=True,
        text=True,
        check=False,
    )


def _compiled(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__"]
