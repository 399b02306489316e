"""A document to the typed tree. Every fault is recorded; a faulty key keeps its default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import inspect

from costspan.config.expand import Unresolved, expand
from costspan.config.exporters import Exporter
from costspan.config.redact import redact
from costspan.config.section import Section
from costspan.config.shape import ALIASES, REQUIRED, Key, exporter, exporter_types, keys
from costspan.config.tree import Tree
from costspan_pricing.document import NULLS, Items, Node, Scalar, Table, describe
from costspan_pricing.faults import Faults, Mark, suggestion

FAULTY: Any = object()  # a value that can't be had; its fault is recorded

_LATER = "not built in this version"
_BOOLEANS = {"true": True, "True": True, "TRUE": True} | {
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_COMPONENT = re.compile(r"[a-z][a-z0-9_]*(/[^\s/]\S*)?", re.ASCII)
# What a user of the Collector may rightly expect, and why it is not here.
_ABSENT = {
    "service.pipelines": "the line is fixed, there are no pipelines to wire: leave the key out",
    "service.extensions": "extensions run when they are configured: leave the key out",
    "processors.batch": "batching is an exporter's `sending_queue.batch`: leave the key out",
    "processors.memory_limiter": "`journal.max_size` bounds the memory: leave the key out",
}


class Decoder:
    """Decodes one document. `marks` knows afterwards where each key stood."""

    def __init__(self, env: Mapping[str, str], faults: Faults) -> None:
        self.marks: dict[str, Mark] = {}
        self._env = env
        self._faults = faults

    def tree(self, document: Table) -> Tree:
        """The tree; every key of it has a default, so there always is one."""
        tree = self._section(document, Tree, "")
        return Tree() if tree is FAULTY else tree

    # --- sections and components -----------------------------------------------------------------

    def _section(self, table: Table, section: type[Section], path: str) -> Any:
        known, values = keys(section), {}
        for name, (mark, node) in table.entries.items():
            here = f"{path}.{name}" if path else name
            self.marks[here] = mark
            if name not in known:
                self._unknown(mark, here, name, known)
            elif not known[name].built:
                self._faults.add(mark, here, _LATER)
            else:
                values[name] = self._value(node, known[name], here)
        return self._build(section, values, table, path)

    def _build(
        self, section: type[Section], values: dict[str, Any], table: Table, path: str
    ) -> Any:
        missing = [
            name
            for name, key in keys(section).items()
            if key.default is REQUIRED and values.get(name, key.default) is REQUIRED
        ]
        for name in missing:
            mark = self.marks.get(path, table.mark)
            self._faults.add(mark, f"{path}.{name}", "expected a value, saw nothing")
        good = {name: v for name, v in values.items() if v is not FAULTY}
        if missing or any(keys(section)[name].default is REQUIRED for name in values.keys() - good):
            return FAULTY
        return section(**good)

    def _unknown(self, mark: Mark, path: str, name: str, known: Mapping[str, Key]) -> None:
        sentence = _ABSENT.get(path) or f"unknown key; {suggestion(name, known)}"
        self._faults.add(mark, path, sentence)

    def _components(self, table: Table, path: str) -> dict[str, Exporter]:
        found: dict[str, Exporter] = {}
        meant: dict[str, str] = {}  # id without aliases to the id that was written
        for name, (mark, node) in table.entries.items():
            here = f"{path}.{name}"
            self.marks[here] = mark
            section = exporter(name) if _COMPONENT.fullmatch(name) else None
            kind, slash, label = name.partition("/")
            same = ALIASES.get(kind, kind) + slash + label
            if section is None:
                known = (*exporter_types(), *ALIASES)
                self._faults.add(mark, here, f"unknown exporter; {suggestion(kind, known)}")
            elif same in meant:
                self._faults.add(mark, here, f"the same component as {meant[same]}")
            else:
                meant[same] = name
                value = self._sub(node, section, here)
                if value is not FAULTY:
                    found[name] = value
        return found

    def _sub(self, node: Node, section: type[Section], path: str) -> Any:
        if isinstance(node, Table):
            return self._section(node, section, path)
        if self._is_null(node):  # `grpc:` alone: present, with its defaults
            return self._section(Table({}, node.mark), section, path)
        return self._wrong(node, path, "a mapping")

    # --- values ----------------------------------------------------------------------------------

    def _value(self, node: Node, key: Key, path: str) -> Any:  # noqa: PLR0911  one for each kind
        if key.section:
            return self._sub(node, key.section, path)
        if self._is_null(node):
            return key.default
        match key.kind:
            case inspect.DictType(value_type=inspect.UnionType()):
                if isinstance(node, Table):
                    return self._components(node, path)
                return self._wrong(node, path, "a mapping")
            case inspect.DictType(value_type=kind):
                return self._dict(node, key._replace(kind=kind), path)
            case inspect.VarTupleType(item_type=kind):
                return self._list(node, key._replace(kind=kind), path)
            case _:
                return self._scalar(node, key, path)

    def _dict(self, node: Node, key: Key, path: str) -> Any:
        if not isinstance(node, Table):
            return self._wrong(node, path, "a mapping")
        values = {}
        for name, (mark, each) in node.entries.items():
            here = f"{path}.{name}"
            self.marks[here] = mark
            value = self._value(each, key._replace(default=FAULTY), here)
            if self._is_null(each):
                self._faults.add(mark, here, "expected a value, saw nothing")
            elif value is not FAULTY:
                values[name] = value
        return values

    def _list(self, node: Node, key: Key, path: str) -> Any:
        if not isinstance(node, Items):
            return self._wrong(node, path, "a list")
        values = [
            self._wrong(each, path, "a value")
            if self._is_null(each)
            else self._scalar(each, key, path)
            for each in node.items
        ]
        return FAULTY if FAULTY in values else tuple(values)

    def _scalar(self, node: Node, key: Key, path: str) -> Any:
        expected = key.form.expected if key.form else _expected(key.kind)
        if not isinstance(node, Scalar):
            return self._wrong(node, path, expected)
        try:
            text = self._text(node)
        except Unresolved as error:
            self._faults.add(node.mark, path, str(error))
            return FAULTY
        if text in key.later:
            self._faults.add(node.mark, path, f"{text!r} is {_LATER}")
            return FAULTY
        try:
            value = key.form.parse(text) if key.form else _parse(text, key.kind)
        except ValueError:
            return self._wrong(node, path, expected)
        bound = _out_of_bounds(value, key)
        return self._wrong(node, path, bound) if bound else value

    def _wrong(self, node: Node, path: str, expected: str) -> Any:
        self._faults.add(node.mark, path, f"expected {expected}, saw {describe(node, redact)}")
        return FAULTY

    def _text(self, node: Scalar) -> str:
        return node.written if node.literal else expand(node.written, self._env)

    def _is_null(self, node: Node) -> bool:
        """Nothing is there; a variable that is empty says nothing either."""
        if not isinstance(node, Scalar) or not node.plain:
            return False
        try:
            return self._text(node) in NULLS
        except Unresolved:
            return False


def _parse(text: str, kind: inspect.Type) -> Any:
    match kind:
        case inspect.BoolType():
            if text not in _BOOLEANS:
                raise ValueError(text)
            return _BOOLEANS[text]
        case inspect.IntType() if not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
            raise ValueError(text)
        case inspect.IntType():
            return int(text)
        case inspect.FloatType() if not re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII):
            raise ValueError(text)
        case inspect.FloatType():
            return float(text)
        case inspect.LiteralType(values=values) if text not in values:
            raise ValueError(text)
        case _:
            return text


def _expected(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case _:
            return "text"


def _out_of_bounds(value: Any, key: Key) -> str:
    """What was expected, if the value lies outside the key's bounds."""
    if not isinstance(key.kind, inspect.IntType | inspect.FloatType):
        return ""
    show = key.form.render if key.form else str
    low, high, above = key.kind.ge, key.kind.le, key.kind.gt
    if low is not None and value < low:
        return f"at least {show(low)}"
    if above is not None and value <= above:
        return f"more than {show(above)}"
    if high is not None and value > high:
        return f"at most {show(high)}"
    return ""
