"""Time and memory of one quote, beside genai-prices' and LiteLLM's own calls in the same run.

    python benchmarks/quotes.py [--litellm-python PATH] [--rounds 5] [--quick]

Each engine runs in a process of its own, in turns; the best of all rounds counts, because another
process can only make a call slower. LiteLLM needs an environment of its own (it pins what we do
not): PATH is a Python that can import it; without it its column is left out. Writes PRICING.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from machine import commit, loop_ms, machine
from quote_engines import CASES, ENGINES, FOOTPRINT
from tables import heading, number, table

_HERE = Path(__file__).parent
_WHAT = (
    "CPU microseconds a call, best of all rounds; each call prices one usage that is ready to be"
    " priced. Ours returns lines, list price, savings, reference and assumptions."
)
_Figures = dict[str, float]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--litellm-python", help="a Python that can import litellm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round: print, record nothing")
    arguments = parser.parse_args()
    pythons = {name: sys.executable for name in ENGINES if name != "litellm"}
    if arguments.litellm_python:
        pythons["litellm"] = arguments.litellm_python
    loops, loads = [loop_ms()], [os.getloadavg()[0]]
    found: dict[str, _Figures] = {}
    for _ in range(1 if arguments.quick else arguments.rounds):
        for name, python in pythons.items():
            title, figures = _run(python, name)
            best = found.setdefault(title, {})
            best.update({case: min(each, best.get(case, each)) for case, each in figures.items()})
    loops.append(loop_ms())
    loads.append(os.getloadavg()[0])
    text = _markdown(found, loops, loads)
    print(text)
    if not arguments.quick:
        (_HERE / "PRICING.md").write_text(text)


def _run(python: str, engine: str) -> tuple[str, _Figures]:
    """The engine with its version, and what it took."""
    command = [python, str(_HERE / "quote_engines.py"), engine]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  our own file
    title, text = out.splitlines()[-2:]
    figures: _Figures = json.loads(text)
    return title, figures


def _markdown(found: dict[str, _Figures], loops: list[float], loads: list[float]) -> str:
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "command": "python benchmarks/quotes.py",
        "machine": machine(),
        "load": loads,
        "loop_ms": loops,
    }
    names = list(found)
    rows = [
        [text, *(number(found[name][case]) if case in found[name] else "" for name in names)]
        for case, text in (CASES | FOOTPRINT).items()
    ]
    return "\n".join(
        (
            "# The cost of a quote",
            "",
            heading(record),
            "",
            _WHAT,
            "",
            table(["", *names], rows),
            "",
        )
    )


if __name__ == "__main__":
    main()
