"""The reviewed reasons for disagreements: reading them, and what they explain. No rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import yaml
from crosscheck.compare import Difference

Verdict = Literal[
    "litellm_wrong",  # it never was so; needs a url
    "litellm_stale",  # it was so; needs a url
    "different_product",  # the two are about different things that are sold under one name
    "different_unit",  # the same price, counted in another way
    "unpublished",  # no price list that we found has it: ours stays unpriced
    "ours_missing",  # it is published, and ours does not have it: ours stays unpriced
    "undecided",  # nothing that we found says which of the two holds today
    "ours_wrong",  # to be corrected; fails
]
_NEED_URL = {"litellm_wrong", "litellm_stale"}


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why some rates differ. `models`: globs of LiteLLM's keys; `rates`: globs of labels."""

    provider: str
    models: tuple[str, ...]
    rates: tuple[str, ...] = ("*",)
    verdict: Verdict
    because: str
    checked: date
    url: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.because.strip():
            raise ValueError("expected a sentence in `because`, got nothing")
        if self.verdict in _NEED_URL and not self.url:
            raise ValueError(f"a verdict of {self.verdict} needs a `url`")

    def explains(self, difference: Difference) -> bool:
        return (
            self.provider == difference.provider
            and any(fnmatchcase(difference.key, glob) for glob in self.models)
            and any(fnmatchcase(difference.rate, glob) for glob in self.rates)
        )


class Verdicts(NamedTuple):
    """What the reasons make of the differences; `faults` fail the check."""

    explained: Mapping[str, int]
    faults: Sequence[str]


def read(path: Path) -> list[Reason]:
    """Raises ValueError naming the file and the entry."""
    entries = yaml.safe_load(path.read_text()) or {}
    reasons = []
    for index, entry in enumerate(entries.get("reasons") or ()):
        try:
            reasons.append(msgspec.convert(entry, Reason))
        except msgspec.ValidationError as error:
            raise ValueError(f"{path.name}: reasons[{index}]: {error}") from error
    return reasons


def judge(differences: Iterable[Difference], reasons: Sequence[Reason]) -> Verdicts:
    """The first reason that fits explains a difference. One that explains nothing is a fault."""
    explained: Counter[str] = Counter()
    used: set[int] = set()
    faults = []
    for difference in differences:
        fitting = [index for index, reason in enumerate(reasons) if reason.explains(difference)]
        used.update(fitting[:1])
        if not fitting:
            faults.append(f"no reason for {difference}")
        elif reasons[fitting[0]].verdict == "ours_wrong":
            faults.append(f"ours is wrong: {difference}: {reasons[fitting[0]].because}")
        else:
            explained[reasons[fitting[0]].verdict] += 1
    for index, reason in enumerate(reasons):
        if index not in used:
            words = f"{reason.provider} {' '.join(reason.models)} {' '.join(reason.rates)}"
            faults.append(f"reasons[{index}] explains nothing any more: {words}")
    return Verdicts(explained, faults)
