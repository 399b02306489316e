"""COSTSPAN_* and OTEL_* variables, written into the document before it is decoded.

A variable is `COSTSPAN_` and the path of the key: COSTSPAN_SERVICE_TELEMETRY_LOGS_LEVEL. It wins
over the file. Destinations come from variables only when there is no file. The OTEL_* variables
and their meaning are the OpenTelemetry specification's ("OpenTelemetry Protocol Exporter").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from msgspec import inspect

from costspan.config.section import Section
from costspan.config.shape import Key, exporter, keys, walk
from costspan.config.tree import Note, Tree
from costspan_pricing.document import Items, Node, Scalar, Table
from costspan_pricing.faults import Mark, nearest

PREFIX = "COSTSPAN_"
STORE_DIRECTORY = "./costspan-data"

_OTEL = "OTEL_EXPORTER_OTLP_"
_EXPORTER_IDS = ("otlp", "otlphttp", "clickhouse")
_PROTOCOLS = ("receivers", "otlp", "protocols")
_GRPC_PORT = 4317
Path = tuple[str, ...]


def apply(document: Table, env: Mapping[str, str], used: str, *, destinations: bool) -> list[Note]:
    """Write COSTSPAN_* into the document. `used` is a variable that holds the file itself."""
    known = variables()
    notes = []
    for name in sorted(env):
        if not name.startswith(PREFIX) or name == used:
            continue
        path = known.get(name)
        if path is None:
            close = nearest(name, known, cutoff=0.8)
            hint = f"; the nearest is {close}" if close else ""
            notes.append(Note("warning", f"environment variable {name} is not known{hint}"))
        elif path[0] == "exporters" and not destinations:
            text = f"environment variable {name} is ignored: the file names the destinations"
            notes.append(Note("warning", text))
        elif env[name]:
            _put(document, path, env[name], name)
    return notes


def destinations(document: Table, env: Mapping[str, str], *, embedded: bool) -> None:
    """Where spans go when no file says it: OTEL_* and, if it is installed, the embedded store.

    COSTSPAN_EXPORTERS_* that name a destination take the place of either.
    """
    if not any(env.get(f"{PREFIX}EXPORTERS_{each}_ENDPOINT") for each in ("OTLP", "OTLPHTTP")):
        _otel_destination(document, env)
    named = (env.get(f"{PREFIX}EXPORTERS_CLICKHOUSE_{each}") for each in ("ENDPOINT", "DIRECTORY"))
    if embedded and not any(named):
        _put(document, ("exporters", "clickhouse", "directory"), STORE_DIRECTORY, "")


def variables() -> dict[str, Path]:
    """Every COSTSPAN_* variable and the key that it sets."""
    paths = [path for path in walk() if _writable(path)]
    for each in _EXPORTER_IDS:
        section = exporter(each)
        if section:
            paths += [("exporters", each, *path) for path in walk(section)]
    return {PREFIX + "_".join(path).upper(): path for path in paths}


# --- OTEL_EXPORTER_OTLP_* ------------------------------------------------------------------------


def _otel_destination(document: Table, env: Mapping[str, str]) -> None:
    endpoint = env.get(f"{_OTEL}ENDPOINT", "")
    if not endpoint:
        return
    component = "otlphttp"
    if _speaks_grpc(endpoint, env.get(f"{_OTEL}PROTOCOL", "")):
        component, endpoint = "otlp", _without_path(endpoint)
    for name, path, text in _otel_values(endpoint, env):
        if text:
            _put(document, ("exporters", component, *path), text, _OTEL + name)


def _otel_values(endpoint: str, env: Mapping[str, str]) -> Iterator[tuple[str, Path, str]]:
    yield "ENDPOINT", ("endpoint",), endpoint
    yield "HEADERS", ("headers",), env.get(f"{_OTEL}HEADERS", "")
    timeout = env.get(f"{_OTEL}TIMEOUT", "")  # in milliseconds
    yield "TIMEOUT", ("timeout",), f"{timeout}ms" if timeout.isdecimal() else timeout
    yield "COMPRESSION", ("compression",), env.get(f"{_OTEL}COMPRESSION", "")
    yield "CERTIFICATE", ("tls", "ca_file"), env.get(f"{_OTEL}CERTIFICATE", "")
    yield "INSECURE", ("tls", "insecure"), env.get(f"{_OTEL}INSECURE", "").lower()


def _speaks_grpc(endpoint: str, protocol: str) -> bool:
    """The protocol says it; else only gRPC endpoints go without a scheme or use port 4317."""
    if protocol:
        return protocol == "grpc"
    return "://" not in endpoint or _port(endpoint) == _GRPC_PORT


def _port(endpoint: str) -> int | None:
    try:
        return urlsplit(endpoint).port
    except ValueError:
        return None


def _without_path(endpoint: str) -> str:
    """One variable serves SDKs of both transports, so a gRPC endpoint may carry a path."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}" if "://" in endpoint else endpoint


# --- writing into the document -------------------------------------------------------------------


def _put(document: Table, path: Path, text: str, variable: str) -> None:
    mark = Mark(f"environment variable {variable}" if variable else "the default")
    table = document
    for depth, name in enumerate(path[:-1], 1):
        below = table.entries.get(name, (mark, None))[1]
        if not isinstance(below, Table):
            below = Table(_both(mark) if path[:depth] == _PROTOCOLS else {}, mark)
            table.entries[name] = (mark, below)
        table = below
    table.entries[path[-1]] = (mark, _node(text, _key(path).kind, mark))


def _both(mark: Mark) -> dict[str, tuple[Mark, Node]]:
    """A variable that sets one transport must not switch the other off."""
    return {name: (mark, Scalar("", plain=True, mark=mark)) for name in ("grpc", "http")}


def _node(text: str, kind: inspect.Type, mark: Mark) -> Node:
    """Lists are written a,b and mappings a=b,c=d with %-escapes, as in OTEL_*_HEADERS."""
    if isinstance(kind, inspect.VarTupleType):
        return Items(tuple(_scalar(each, mark) for each in text.split(",") if each.strip()), mark)
    if isinstance(kind, inspect.DictType):
        pairs = [each.partition("=") for each in text.split(",") if each.strip()]
        values = {unquote(k.strip()): (mark, _scalar(unquote(v), mark)) for k, _, v in pairs}
        return Table(dict[str, tuple[Mark, Node]](values), mark)
    return _scalar(text, mark)


def _scalar(text: str, mark: Mark) -> Scalar:
    return Scalar(text.strip(), plain=False, mark=mark, literal=True)


def _writable(path: Path) -> bool:
    kind = _key(path).kind
    return not isinstance(kind, inspect.DictType) or not isinstance(
        kind.value_type, inspect.VarTupleType
    )


def _key(path: Path) -> Key:
    section: type[Section] | None = Tree
    rest = path
    if path[0] == "exporters":
        section, rest = exporter(path[1]), path[2:]
    for name in rest[:-1]:
        section = keys(section)[name].section if section else None
    if section is None:
        raise KeyError(path)
    return keys(section)[rest[-1]]
