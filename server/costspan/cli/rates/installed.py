"""A price book from the genai-prices that is installed, by the importer of a source checkout.

The importer and the reviewed corrections that it applies are no part of an installed costspan:
without the corrections the converted prices would be worse than those that ship.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import costspan

_IMPORTER = Path(costspan.__file__).parents[2] / "tools" / "import_prices.py"


class ImportFailed(Exception):
    """There is no book, and why."""


def convert(folder: Path, importer: Path = _IMPORTER) -> Path:
    """Write the book into an empty folder; returns its file. Raises ImportFailed."""
    if not importer.is_file():
        raise ImportFailed(
            "genai-prices is converted in a source checkout only, where its corrections are:"
            " elsewhere name a book with --from FILE"
        )
    command = [sys.executable, str(importer), "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter and script
    if done.returncode:
        raise ImportFailed(done.stderr.strip() or f"{importer}: exit code {done.returncode}")
    return next(folder.glob("prices-*.json"))
