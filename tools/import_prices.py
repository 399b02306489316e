"""Build the price book from the installed genai-prices and pricing/corrections.

    python tools/import_prices.py              write the book and pricing/import-report.txt
    python tools/import_prices.py --check      exit 1 if the committed ones are not what comes out
    python tools/import_prices.py --only NAME  say what comes of one file of corrections
    python tools/import_prices.py --out DIR    write the book and the report there

Deterministic: the same genai-prices and the same corrections give the same bytes. What is changed
on the way is listed in the report. `--only` leaves the other files of corrections out and writes
nothing, unless `--out` says where.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from prices.build import Import, build
from prices.document import CorrectionError

from costspan_pricing import load_book

ROOT = Path(__file__).resolve().parents[1]
BOOKS = ROOT / "pricing" / "costspan_pricing" / "books"
REPORT = ROOT / "pricing" / "import-report.txt"
CORRECTIONS = ROOT / "pricing" / "corrections"


def write(made: Import, books: Path, report: Path) -> None:
    """Replace the book and the report."""
    books.mkdir(parents=True, exist_ok=True)
    for old in books.glob("prices-*.json"):
        old.unlink()
    (books / made.name).write_bytes(made.book)
    report.write_text(made.report)


def differences(made: Import) -> list[str]:
    """Sentences about what the repository holds instead of `made`; [] = nothing."""
    committed = sorted(path.name for path in BOOKS.glob("prices-*.json"))
    if committed != [made.name]:
        return [f"expected the book {made.name}, found {committed}"]
    found = []
    if (BOOKS / made.name).read_bytes() != made.book:
        found.append(f"{made.name} differs from what the importer makes")
    if REPORT.read_text() != made.report:
        found.append(f"{REPORT.name} differs from what the importer makes")
    return found


def check_loads(made: Import) -> None:
    """Raise ValueError, with every fault, unless the library accepts the book."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / made.name
        file.write_bytes(made.book)
        load_book(file)


def main() -> int:
    """Entry point; the exit code."""
    wanted = _arguments()
    try:
        made = build(wanted.corrections, wanted.only)
        check_loads(made)
    except (CorrectionError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    if wanted.check:
        found = differences(made)
        print("\n".join(found) or f"{made.name} is up to date")
        return 1 if found else 0
    if wanted.out:
        write(made, wanted.out, wanted.out / REPORT.name)
    elif not wanted.only:
        write(made, BOOKS, REPORT)
    print(made.report, end="")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    parser.add_argument("--only", metavar="NAME", help="apply NAME.yaml alone")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write there")
    parser.add_argument(
        "--corrections", metavar="DIR", type=Path, default=CORRECTIONS, help="read them there"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
