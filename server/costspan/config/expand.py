"""`${env:X}`, `${env:X:-default}`, `${file:/path}` and `$$` in a value. Nothing else expands.

What a reference brings in is not read for references again. As in the Collector, `${X}` is
`${env:X}`, a default may hold references itself, and a dollar that starts neither `${` nor `$$` is
a dollar. As in shells, an empty variable takes the default too: an unset field of a pod template
arrives as "".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_MAX_FILE_BYTES = 65_536  # a secret, not a data set


class Unresolved(Exception):
    """A reference that can't be followed; the text says what was expected."""


def expand(text: str, env: Mapping[str, str]) -> str:
    """The text with every reference replaced. Raises Unresolved."""
    parts: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        if text.startswith("${", dollar):
            end = _closing_brace(text, dollar + 2)
            parts.append(_resolve(text[dollar + 2 : end], env))
            position = end + 1
        else:
            parts.append("$")
            position = dollar + (2 if text.startswith("$$", dollar) else 1)
    parts.append(text[position:])
    return "".join(parts)


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for position in range(start, len(text)):
        if text[position] == "{" and text[position - 1] == "$":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if not depth:
                return position
    raise Unresolved("expected a closing brace after '${'")


def _resolve(reference: str, env: Mapping[str, str]) -> str:
    if reference.startswith("file:"):
        return _file(expand(reference.removeprefix("file:"), env))
    match = _VARIABLE.fullmatch(reference)
    if not match:
        raise Unresolved(
            "expected ${env:NAME}, ${env:NAME:-default} or ${file:/path},"
            f" saw ${{{reference.partition(':-')[0]}}}"
        )
    name, default = match.groups()
    if default is not None:
        return env.get(name) or expand(default, env)
    if name not in env:
        raise Unresolved(f"environment variable {name} is not set and has no default")
    return env[name]


def _file(path: str) -> str:
    """A secret's file; a final line break is the editor's, not the secret's."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
        text = data.decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise Unresolved(f"file {path} can't be read: {reason}") from error
    if len(data) > _MAX_FILE_BYTES:
        raise Unresolved(f"file {path} is larger than {_MAX_FILE_BYTES} bytes")
    return text.rstrip("\r\n")
