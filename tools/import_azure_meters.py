"""Write Azure's list prices into pricing/corrections/azure-meters.yaml.

    python tools/import_azure_meters.py [SNAPSHOT]           write them
    python tools/import_azure_meters.py [SNAPSHOT] --check   exit 1 if they are not what comes out

SNAPSHOT is a file of meters of Azure's retail price API as azure-genai-prices ships it (MIT,
Copyright (c) 2026 Nik Klavžar; 0.2.0 holds those of 2026-08-11); without it, that of the installed
package. Only its data are used. What changed after the snapshot is in azure.yaml, by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from azure_meters.rows import Unmapped, meters, rows
from azure_meters.text import render

FILE = Path(__file__).resolve().parents[1] / "pricing" / "corrections" / "azure-meters.yaml"


def made(snapshot: dict[str, Any]) -> str:
    """The text of the file for a snapshot. Raises Unmapped."""
    return render(rows(meters(snapshot["items"])), str(snapshot["fetched_at"])[:10])


def read(snapshot: Path | None) -> dict[str, Any]:
    """A snapshot with its prices as exact decimals."""
    place = snapshot or files("azure_genai_prices") / "data" / "snapshot.json"
    content: dict[str, Any] = json.loads(
        place.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal
    )
    return content


def main() -> int:
    """Entry point; the exit code."""
    parser = argparse.ArgumentParser(description="Write Azure's list prices as corrections.")
    parser.add_argument("snapshot", nargs="?", type=Path, help="default: the installed package's")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    stated = parser.parse_args()
    try:
        text = made(read(stated.snapshot))
    except (Unmapped, OSError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    if stated.check:
        same = FILE.exists() and FILE.read_text(encoding="utf-8") == text
        print(f"{FILE.name} is {'up to date' if same else 'not what comes out'}")
        return int(not same)
    FILE.write_text(text, encoding="utf-8")
    print(f"{FILE}: {text.count('  - id: ')} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
