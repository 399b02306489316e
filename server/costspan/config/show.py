"""The tree written back as the user would write it, without what must not be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costspan.config.redact import HIDDEN, redact
from costspan.config.section import Section
from costspan.config.shape import REQUIRED, Key, keys
from costspan.config.tree import Tree


def show(tree: Tree) -> dict[str, Any]:
    """Plain dicts, lists and scalars: every built key with its value in force."""
    return _section(tree, Tree)


def _section(value: Section, section: type[Section]) -> dict[str, Any]:
    return {
        name: _value(getattr(value, name), key)
        for name, key in keys(section).items()
        if key.built and getattr(value, name) is not None
    }


def _value(value: Any, key: Key) -> Any:  # noqa: PLR0911  one for each kind
    match value:
        case Section():
            return _section(value, type(value))
        case Mapping():
            return {name: _value(each, key) for name, each in value.items()}
        case _ if key.secret:
            return HIDDEN
        case _ if key.form:
            return redact(key.form.render(value))
        case tuple():
            return list(value)
        case str():
            return redact(value)
        case _:
            return value


def plain(key: Key) -> Any:
    """The default of a key as the user would write it; None if there is nothing to write."""
    if key.default is None or key.default is REQUIRED or key.section:
        return None
    return _value(key.default, key)
