"""YAML text as plain values, with the line of each. What the values mean is not known here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Path_ = tuple[str | int, ...]
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


class CorrectionError(Exception):
    """Something in a file of corrections is wrong. Each argument is a sentence with its place."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Document(NamedTuple):
    """One file. `lines`: path of keys and indexes -> line."""

    name: str
    tree: Any
    lines: Mapping[Path_, int]

    def place(self, path: Path_) -> str:
        """file:line of a value, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"

    def fault(self, path: Path_, sentence: str) -> CorrectionError:
        return CorrectionError(f"{self.place(path)}: {sentence}")


def read(path: Path) -> Document:
    """Raises CorrectionError for what is no YAML, or has a key twice."""
    try:
        loader = yaml.SafeLoader(path.read_text())
        root = loader.get_single_node()
        lines = dict(_walk(path.name, root, ())) if root else {}
        return Document(path.name, loader.construct_document(root) if root else None, lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CorrectionError(f"{path.name}:{line}: expected YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise CorrectionError(f"{path.name}:1: expected YAML: {error}") from error


def _walk(name: str, node: yaml.Node, path: Path_) -> Iterator[tuple[Path_, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(name, item, (*path, index))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise CorrectionError(f"{name}:{line}: the key {key.value!r} stands twice")
            seen.add(key.value)
            yield from _walk(name, value, (*path, key.value))
            yield (*path, key.value), line


def path_of(dotted: str) -> Path_:
    """`$.prices[0].rates` as ("prices", 0, "rates")."""
    return tuple(key or int(index) for key, index in _STEP.findall(dotted))
