"""The tree read back as data: one `Key` for every key. Loader, schema, docs and `show` share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from msgspec import NODEFAULT, inspect

from costspan.config.exporters import Exporter
from costspan.config.forms import Form
from costspan.config.section import Section
from costspan.config.tree import Tree

# Names of component types that the Collector has given up but still takes.
ALIASES: Mapping[str, str] = {"otlp": "otlp_grpc", "otlphttp": "otlp_http"}
REQUIRED = NODEFAULT


class Key(NamedTuple):
    """What a key takes. `kind` is without None and without metadata."""

    name: str
    text: str
    kind: inspect.Type
    default: Any  # REQUIRED if there is none
    form: Form | None
    secret: bool
    later: tuple[str, ...]  # values that this version has not built

    @property
    def built(self) -> bool:
        return not isinstance(self.kind, inspect.NoneType)

    @property
    def section(self) -> type[Section] | None:
        """The section that stands under this key."""
        if isinstance(self.kind, inspect.StructType) and issubclass(self.kind.cls, Section):
            return self.kind.cls
        return None


@cache
def keys(section: type[Section]) -> Mapping[str, Key]:
    """The keys of a section, in the order of the tree."""
    info = inspect.type_info(section)
    if not isinstance(info, inspect.StructType):
        raise TypeError(section)
    return {field.encode_name: _key(field) for field in info.fields}


def exporter(component: str) -> type[Exporter] | None:
    """The section of an exporter's id (`type` or `type/name`); None if there is no such type."""
    kind = component.partition("/")[0]
    return exporter_types().get(ALIASES.get(kind, kind))


@cache
def exporter_types() -> Mapping[str, type[Exporter]]:
    """Type to section."""
    return {str(each.__struct_config__.tag): each for each in Exporter.__args__}


def walk(section: type[Section] = Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every built key that is not a section itself; exporters are left out."""
    for name, key in keys(section).items():
        if key.section:
            yield from walk(key.section, (*path, name))
        elif key.built and (*path, name) != ("exporters",):
            yield (*path, name)


def _key(field: inspect.Field) -> Key:
    kind, extra, schema = field.type, {}, {}
    if isinstance(kind, inspect.Metadata):
        extra, schema, kind = kind.extra or {}, kind.extra_json_schema or {}, kind.type
    if isinstance(kind, inspect.UnionType):
        said = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        kind = said[0] if len(said) == 1 else kind
    default = field.default_factory() if field.default_factory is not NODEFAULT else field.default
    return Key(
        name=field.encode_name,
        text=schema.get("description", ""),
        kind=kind,
        default=default,
        form=extra.get("form"),
        secret=extra.get("secret", False),
        later=extra.get("later", ()),
    )
