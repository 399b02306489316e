"""YAML text to a tree that knows its lines. Nothing is constructed, so no tag can do anything.

Knows no keys: the configuration and rate cards are both read through it. Bounded: the text by
`MAX_BYTES`, the depth by `MAX_DEPTH`, and the nodes by `MAX_NODES`, counted where aliases lead, so
that a page of anchors that multiply each other is refused, not walked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import yaml

from costspan_pricing.faults import Faults, Mark

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 10_000
NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_STANDARD = "tag:yaml.org,2002:"
_TAGS = frozenset(
    _STANDARD + name
    for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq")
)
_SHOWN = 60


class Scalar(NamedTuple):
    """A value as it stands in the source: `plain` without quotes, references not followed."""

    written: str
    plain: bool
    mark: Mark
    literal: bool = False  # not from a file: a ${ in it is no reference


class Items(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    mark: Mark


class Table(NamedTuple):
    """A mapping in the order of the source: key to the key's place and the value."""

    entries: dict[str, tuple[Mark, Node]]
    mark: Mark


Node: TypeAlias = Scalar | Items | Table


def describe(node: Node, shown: Callable[[str], str] = str) -> str:
    """What was seen; never a value that came from a variable or a file.

    `shown` makes a value fit to be shown: it may hide what is secret in it.
    """
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Table):
        return "a mapping"
    if node.plain and node.written in NULLS:
        return "nothing"
    value = shown(node.written)
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")


def decode(data: bytes, source: str, faults: Faults) -> str | None:
    """The text of a file's content; None if it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        sentence = f"expected UTF-8 text, saw byte {error.object[error.start]:#x}"
        faults.add(Mark(source), "", sentence)
    return None


def read(text: str, source: str, faults: Faults, shown: Callable[[str], str] = str) -> Table | None:
    """The document; None if it is not YAML or not a mapping. An empty one is an empty mapping."""
    if len(text) > MAX_BYTES:
        sentence = f"expected at most {MAX_BYTES} characters, saw {len(text)}"
        faults.add(Mark(source), "", sentence)
        return None
    start = Mark(source, 1, 1)
    root = _compose(text, start, faults)
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value in NULLS):
        return None if len(faults) else Table({}, start)
    node = _Reader(source, faults).read(root)
    if node is None or isinstance(node, Table):
        return node
    faults.add(node.mark, "", f"expected a mapping, saw {describe(node, shown)}")
    return None


def _compose(text: str, start: Mark, faults: Faults) -> yaml.Node | None:
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark
        mark = Mark(start.source, at.line + 1, at.column + 1) if at else start
        faults.add(mark, "", f"expected YAML: {_said(error)}")
    except yaml.YAMLError as error:
        faults.add(start, "", f"expected YAML: {' '.join(str(error).split())}")
    except RecursionError:
        faults.add(start, "", f"expected at most {MAX_DEPTH} levels")
    except (ValueError, OverflowError):  # PyYAML lets them pass for "\UFFFFFFFF", %YAML <1e5000>
        faults.add(start, "", "expected YAML: a number in it is too large to be read")
    else:
        return root
    return None


def _said(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)


class _TooMuch(Exception):
    """A bound is passed; the fault is recorded."""


class _Reader:
    def __init__(self, source: str, faults: Faults) -> None:
        self._source = source
        self._faults = faults
        self._budget = MAX_NODES

    def read(self, root: yaml.Node) -> Node | None:
        try:
            return self._node(root, 1)
        except _TooMuch:
            return None

    def _node(self, node: yaml.Node, depth: int) -> Node:
        mark = self._mark(node)
        self._budget -= 1
        if depth > MAX_DEPTH or not self._budget:
            what = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_NODES} values"
            self._faults.add(mark, "", f"expected at most {what}, aliases followed")
            raise _TooMuch
        if node.tag not in _TAGS:
            self._faults.add(mark, "", f"expected a plain value, saw the tag {node.tag}")
        if isinstance(node, yaml.MappingNode):
            return self._table(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return Items(tuple(self._node(each, depth + 1) for each in node.value), mark)
        return Scalar(str(node.value), getattr(node, "style", None) is None, mark)

    def _table(self, node: yaml.MappingNode, depth: int) -> Table:
        entries: dict[str, tuple[Mark, Node]] = {}
        for key, value in node.value:
            mark = self._mark(key)
            if not isinstance(key, yaml.ScalarNode):
                self._faults.add(mark, "", "expected a name as a key, saw a list or a mapping")
            elif key.value == "<<" and key.style is None:
                self._faults.add(mark, "", "merge keys (<<) are not read: write the keys out")
            elif key.value in entries:
                first = entries[key.value][0].line
                self._faults.add(mark, key.value, f"the key stands twice, first in line {first}")
            else:
                entries[key.value] = (mark, self._node(value, depth + 1))
        return Table(entries, self._mark(node))

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self._source, node.start_mark.line + 1, node.start_mark.column + 1)
