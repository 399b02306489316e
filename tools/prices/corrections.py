"""Reads pricing/corrections: every file, every entry, every fault at once. Nothing is applied."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from prices.document import CorrectionError, Document, Path_, path_of, read
from prices.shape import Alias, Amend, Row, Rule, Uplift

ABOUT = "book.yaml"  # what concerns the whole book
_TOP = {"provider", "new", "models", "amend", "variants", "uplifts", "aliases", "calendars"}
_AT = re.compile(r" - at `([^`]*)`$")

T = TypeVar("T")


class Placed(NamedTuple, Generic[T]):
    """An entry and where it stands."""

    place: str
    entry: T


class Corrections(NamedTuple):
    """A provider's. `new`: the provider is not in the import."""

    provider: str
    place: str
    new: bool
    models: Sequence[Placed[Row]] = ()
    amend: Sequence[Placed[Amend]] = ()
    variants: Sequence[Placed[Rule]] = ()
    uplifts: Sequence[Placed[Uplift]] = ()
    aliases: Sequence[Placed[Alias]] = ()
    calendars: Mapping[str, Sequence[str]] = {}


class Reviewed(NamedTuple):
    """All of them, and the day of the book."""

    date: str
    files: Sequence[Corrections]
    sha256: str


def load(folder: Path, only: str | None = None) -> Reviewed:
    """Read the folder, or one provider's file of it. Raises CorrectionError with every fault."""
    paths = sorted(path for path in folder.glob("*.yaml") if path.name != ABOUT)
    if only is not None:
        paths = [folder / f"{only}.yaml"]
    faults: list[str] = []
    files = [file for path in paths if (file := _file(path, faults))]
    day = _day(folder / ABOUT, faults)
    if faults:
        raise CorrectionError(*faults)
    digest = sha256()
    for path in (folder / ABOUT, *paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return Reviewed(day, _merged(files), digest.hexdigest())


def _merged(files: Sequence[Corrections]) -> list[Corrections]:
    """One for each provider: what several files say of it is applied together."""
    merged: dict[str, Corrections] = {}
    for file in files:
        first = merged.setdefault(file.provider, file)
        if first is not file:
            merged[file.provider] = Corrections(
                file.provider,
                first.place,
                first.new or file.new,
                [*first.models, *file.models],
                [*first.amend, *file.amend],
                [*first.variants, *file.variants],
                [*first.uplifts, *file.uplifts],
                [*first.aliases, *file.aliases],
                {**first.calendars, **file.calendars},
            )
    return list(merged.values())


def _day(path: Path, faults: list[str]) -> str:
    try:
        document = read(path)
    except CorrectionError as error:
        faults += error.sentences
        return ""
    tree = document.tree
    if not isinstance(tree, dict) or set(tree) != {"date"} or type(tree["date"]) is not date:
        faults.append(f"{document.place(())}: expected `date: YYYY-MM-DD` and nothing else")
        return ""
    return tree["date"].isoformat()


def _file(path: Path, faults: list[str]) -> Corrections | None:
    """One file; None if it can't be read at all."""
    try:
        document = read(path)
        head = _head(document, path.stem)
    except CorrectionError as error:
        faults += error.sentences
        return None
    except FileNotFoundError:
        faults.append(f"{path.name}: no such file in {path.parent}")
        return None
    return head._replace(
        models=list(_entries(document, "models", Row, faults)),
        amend=list(_entries(document, "amend", Amend, faults)),
        variants=list(_entries(document, "variants", Rule, faults)),
        uplifts=list(_entries(document, "uplifts", Uplift, faults)),
        aliases=list(_entries(document, "aliases", Alias, faults)),
        calendars=_calendars(document, faults),
    )


def _head(document: Document, stem: str) -> Corrections:
    tree = document.tree
    if not isinstance(tree, dict):
        raise document.fault((), "expected a mapping with `provider` and corrections")
    unknown = [key for key in tree if key not in _TOP]
    if unknown:
        raise document.fault(
            (unknown[0],), f"unknown key {unknown[0]!r}, expected {', '.join(sorted(_TOP))}"
        )
    provider = tree.get("provider")
    if not isinstance(provider, str) or not (stem == provider or stem.startswith(f"{provider}-")):
        raise document.fault(("provider",), f"expected `provider: {stem}`, got {provider!r}")
    if tree.get("new", False) not in (True, False):
        raise document.fault(("new",), f"expected true or false, got {tree['new']!r}")
    return Corrections(provider, document.place(("provider",)), tree.get("new", False))


def _entries(
    document: Document, section: str, shape: type[T], faults: list[str]
) -> Iterator[Placed[T]]:
    entries = document.tree.get(section, [])
    if not isinstance(entries, list):
        faults.append(f"{document.place((section,))}: {section}: expected a list")
        return
    for index, entry in enumerate(entries):
        try:
            yield Placed(document.place((section, index)), msgspec.convert(entry, shape))
        except msgspec.ValidationError as error:
            faults.append(_sentence(document, (section, index), entry, error))


def _sentence(document: Document, path: Path_, entry: object, error: Exception) -> str:
    """What msgspec says, with the line instead of the path, and what the entry is called."""
    said = str(error)
    at = _AT.search(said)
    inside = path_of(at[1]) if at else ()
    said = _AT.sub("", said)
    if "got `float`" in said or "got `int`" in said:
        said += ": put quotes around decimals"
    elif "got `datetime`" in said or "got `date`" in said:
        said += ": put quotes around instants"
    return f"{document.place((*path, *inside))}: {_name(path, entry)}: {said}"


def _name(path: Path_, entry: object) -> str:
    known: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    label = known.get("id") or known.get("model") or known.get("models") or ""
    return f"{path[0]}[{path[1]}] {label}".strip()


def _calendars(document: Document, faults: list[str]) -> dict[str, list[str]]:
    try:
        named = msgspec.convert(document.tree.get("calendars", {}), dict[str, list[date]])
    except msgspec.ValidationError as error:
        faults.append(f"{document.place(('calendars',))}: calendars: {_AT.sub('', str(error))}")
        return {}
    for name, days in named.items():
        if days != sorted(set(days)):
            place = document.place(("calendars", name))
            faults.append(f"{place}: calendar {name}: expected dates in order, each once")
    return {name: [day.isoformat() for day in days] for name, days in named.items()}
