"""What the words of an Azure meter's name say: unit, deployment, mode. No models, no prices.

Azure writes the same thing in many ways: "GPT 5 Mini cchd Inpt DZone", "5.4 mini cd Inp Dz",
"gpt-4o-0806-Inp-regnl".
"""

from __future__ import annotations

import re
from typing import NamedTuple

_DEPLOYMENTS = {
    **dict.fromkeys(("glbl", "global", "gl", "glb"), "global"),
    **dict.fromkeys(("dz", "dzone", "dzn", "datazone"), "data-zone"),
    **dict.fromkeys(("regnl", "rgnl", "regional", "regn", "rg"), "regional"),
}
_MODES = {"batch": "batch", "pp": "priority"}
_KINDS = {
    **dict.fromkeys(("inp", "inpt", "input", "in"), "in"),
    **dict.fromkeys(("out", "outp", "outpt", "opt", "output"), "out"),
    **dict.fromkeys(("cd", "cchd", "ccchd", "cached", "cache", "ch"), "cached"),
    "wr": "write",
}
_STRENGTH = ("write", "cached", "out", "in")  # "cd inp" is cached, "cd wr" is written
_MEDIA = (("txt", "text"), ("text", "text"), ("img", "image"), ("image", "image"),
          ("aud", "audio"), ("audio", "audio"))  # fmt: skip
_NOISE = frozenset({"tokens", "1m", "std", "shortco", "unit", "characters"})
_UNITS = {
    ("in", "text"): "input", ("in", "audio"): "audio_input", ("in", "image"): "image_input",
    ("out", "text"): "output", ("out", "audio"): "audio_output", ("out", "image"): "image_output",
    ("cached", "text"): "cache_read", ("cached", "audio"): "cache_read_audio",
    ("cached", "image"): "cache_read_image", ("write", "text"): "cache_write_5m",
}  # fmt: skip
_GLUED = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=aud)(?=\d)|(?<=txt)(?=\d)")
_SEPARATOR = re.compile(r"[\s\-_/]+")


class Name(NamedTuple):
    """A name taken apart. `words` are those that are left to say which model it is."""

    words: str
    unit: str  # the book's; "" if the name does not say
    deployment: str  # global, data-zone, regional; "" if the name does not say
    mode: str  # "" standard, batch, priority
    long: bool  # for prompts over the model's long-context threshold


def parse(meter: str) -> Name:
    """Take a meter's name apart."""
    deployment = mode = ""
    long = False
    kinds: set[str] = set()
    left: list[str] = []
    for word in _words(meter):
        if word in _DEPLOYMENTS:
            deployment = _DEPLOYMENTS[word]
        elif word in _MODES:
            mode = _MODES[word]
        elif word in _KINDS:
            kinds.add(_KINDS[word])
        elif word in {"longco", "l"}:
            long = True
        elif word not in _NOISE:
            left.append(word)
    medium = _take_medium(left)
    return Name(" ".join(left), _unit(kinds, medium, left), deployment, mode, long)


def _words(meter: str) -> list[str]:
    text = _GLUED.sub(" ", meter).lower()
    for pair, joined in (("data zone", "datazone"), ("long co", "longco"), ("short co", "shortco")):
        text = text.replace(pair, joined)
    return [word for word in _SEPARATOR.split(text) if word]


def _take_medium(words: list[str]) -> str:
    """Take the word for text, image or audio out; without one it is text."""
    for word, medium in _MEDIA:
        if word in words:
            words.reverse()  # the last one: "gpt image 1 img", "gpt aud 0828"
            words.remove(word)
            words.reverse()
            return medium
    return "text"


def _unit(kinds: set[str], medium: str, words: list[str]) -> str:
    """The book's unit. An embedding has only input, so its meters do not say so."""
    kind = next((kind for kind in _STRENGTH if kind in kinds), "in" if "embed" in words else "")
    return _UNITS.get((kind or ("in" if "embedding" in words else ""), medium), "")
