"""From a document to the values of a table's keys. Records every fault; knows no key by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from costspan_pricing.document import NULLS, Items, Node, Scalar, Table, describe
from costspan_pricing.faults import Faults, Mark, suggestion
from costspan_pricing.ratecard.forms import Form
from costspan_pricing.ratecard.kinds import Kind, ListOf, MapOf, OneOrMore, Section, expected

MAX_FAULTS = 1000
MAX_VALUES = 500  # of one list of names; each is compared with all others of its kind

_FAULTY: Any = object()  # a value that can't be had; its fault is recorded


class Entry(NamedTuple):
    """A mapping that was read: the values that are good, and where each stands."""

    values: dict[str, Any]
    marks: dict[str, Mark]
    mark: Mark
    path: str
    clean: bool  # it has no fault, nor has anything in it

    def get(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)

    def entries(self, name: str) -> tuple[Entry, ...]:
        """The items of a list; () if there is none."""
        found: tuple[Entry, ...] = self.values.get(name, ())
        return found

    def at(self, *names: str) -> Mark:
        """Where the first of these keys that is there stands; the entry itself if none is."""
        return next((self.marks[name] for name in names if name in self.marks), self.mark)


class TooMany(Exception):
    """Reading stopped; the faults say so."""


class Reader:
    """Reads one document."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def section(self, table: Table, section: Section, path: str = "") -> Entry:
        """Every key of a mapping. Raises TooMany."""
        before = len(self._faults)
        values: dict[str, Any] = {}
        marks: dict[str, Mark] = {}
        for name, (mark, node) in table.entries.items():
            key = section.keys.get(name)
            if key is None:
                self._unknown(mark, path, name, section)
                continue
            marks[name] = mark
            value = self._value(node, key.kind, _join(path, name), optional=not key.required)
            if value is not None and value is not _FAULTY:
                values[name] = value
        self._missing(table, section, marks, path)
        clean = len(self._faults) == before
        return Entry(values, marks, table.mark, path, clean)

    def _unknown(self, mark: Mark, path: str, name: str, section: Section) -> None:
        sentence = section.elsewhere.get(name) or suggestion(name, section.keys)
        self._fault(mark, _join(path, name), f"unknown key; {sentence}")

    def _missing(self, table: Table, section: Section, marks: dict[str, Mark], path: str) -> None:
        for name, key in section.keys.items():
            if key.required and name not in marks:
                sentence = f"the key is missing: expected {expected(key.kind)}"
                self._fault(table.mark, _join(path, name), sentence)

    def _value(self, node: Node, kind: Kind, path: str, *, optional: bool) -> Any:  # noqa: PLR0911  one for each kind
        """The value; None if nothing is there and nothing need be."""
        if _is_null(node) and optional and (_is_block(kind) or _says_null(node)):
            return None
        match kind:
            case Form():
                return self._scalar(node, kind, path)
            case OneOrMore():
                return self._one_or_more(node, kind, path)
            case ListOf() if isinstance(node, Items):
                return self._list(node, kind, path)
            case Section() if isinstance(node, Table):
                return self.section(node, kind, path)
            case MapOf() if isinstance(node, Table):
                return self._map(node, kind, path)
            case _:
                return self._wrong(node, path, expected(kind))

    def _list(self, node: Items, kind: ListOf, path: str) -> tuple[Entry, ...]:
        found = []
        for index, each in enumerate(node.items):
            here = f"{path}[{index}]"
            if isinstance(each, Table):
                found.append(self.section(each, kind.section, here))
            else:
                self._wrong(each, here, "a mapping")
        return tuple(found)

    def _map(self, node: Table, kind: MapOf, path: str) -> Any:
        values: dict[Any, Any] = {}
        for text, (mark, each) in node.entries.items():
            here = _join(path, text)
            name = self._scalar(Scalar(text, plain=False, mark=mark), kind.name, here)
            value = self._value(each, kind.value, here, optional=False)
            if name in values:
                self._fault(mark, here, "it stands twice")
            elif name is not _FAULTY and value is not _FAULTY:
                values[name] = value
        return values

    def _one_or_more(self, node: Node, kind: OneOrMore, path: str) -> Any:
        if isinstance(node, Scalar):
            value = self._scalar(node, kind.form, path)
            return _FAULTY if value is _FAULTY else (value,)
        if isinstance(node, Table) or not node.items:
            seen = "an empty list" if isinstance(node, Items) else describe(node)
            self._fault(node.mark, path, f"expected {expected(kind)}, saw {seen}")
            return _FAULTY
        if len(node.items) > MAX_VALUES:
            return self._wrong(node, path, f"at most {MAX_VALUES} values in a list")
        values = [self._scalar(each, kind.form, path) for each in node.items]
        return _FAULTY if _FAULTY in values else tuple(values)

    def _scalar(self, node: Node, form: Form, path: str) -> Any:
        if not isinstance(node, Scalar) or _is_null(node):
            return self._wrong(node, path, form.expected)
        try:
            return form.parse(node.written)
        except ValueError as hint:
            return self._wrong(node, path, form.expected, str(hint))

    def _wrong(self, node: Node, path: str, wanted: str, hint: str = "") -> Any:
        sentence = f"expected {wanted}, saw {describe(node)}"
        self._fault(node.mark, path, f"{sentence}; {hint}" if hint else sentence)
        return _FAULTY

    def _fault(self, mark: Mark, path: str, sentence: str) -> None:
        self._faults.add(mark, path, sentence)
        if len(self._faults) >= MAX_FAULTS:
            self._faults.add(mark, "", f"reading stopped here, after {MAX_FAULTS} faults")
            raise TooMany


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.written in NULLS


def _says_null(node: Node) -> bool:
    """`null` was written; a key without anything is more often a value that is still missing."""
    return isinstance(node, Scalar) and bool(node.written)


def _is_block(kind: Kind) -> bool:
    """A mapping or a list may well be empty: its entries are commented out."""
    return isinstance(kind, Section | ListOf | MapOf)
