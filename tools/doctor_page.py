"""The page of what the doctor finds, from `costspan.doctor.finding` and `.advice`."""

from __future__ import annotations

from markdown_page import page, table

from costspan.doctor.advice import GENERAL, UNPRICED
from costspan.doctor.finding import MEANINGS


def findings() -> str:
    """Every finding and every reason for which a call has no price."""
    rows = [
        (f"`{each}`", about.severity, about.text, GENERAL[each].fix if each in GENERAL else "")
        for each, about in MEANINGS.items()
    ]
    return page(
        "Findings of the doctor",
        "What `costspan doctor` can say, most important first. *accuracy*: a sum of dollars is"
        " wrong or not known, and the exit code is 5. *possible*: it may be, and telemetry can't"
        " show whether it is. *detail*: the sums are right. Where the library is known, its own"
        " setting is named instead: [libraries](libraries.md). Findings may be added; an id keeps"
        " its meaning. `--json` prints one object by [this schema](doctor.schema.json).",
        table(("id", "severity", "meaning", "what helps"), rows),
        "## Why a call has no price",
        table(
            ("reason", "what helps"),
            [(f"`{reason}`", advice.fix) for reason, advice in UNPRICED.items()],
        ),
    )
