"""The nearest model of the same family, for rate cards that prefer an estimate to nothing."""

from __future__ import annotations

import re

from costspan_pricing.book import Catalogue, Model

_PARTS = re.compile(r"[^a-z0-9]+")
_FEWEST = 2  # `claude-opus`, `gpt-5`: one word alone is a vendor, no family


def nearest(catalogue: Catalogue, name: str) -> Model | None:
    """The model that shares the longest beginning of its name, in whole words, two at least.

    Of equals the one with the highest version, then the shortest name: the plain, newest one.
    """
    wanted = _words(name)
    best: tuple[tuple[object, ...], Model] | None = None
    for model in catalogue.models:
        words = _words(model.id)
        shared = _shared(wanted, words)
        key = (shared, _version(words[shared:]), -len(words))
        if shared >= _FEWEST and (best is None or key > best[0]):
            best = (key, model)
    return best[1] if best else None


def _words(name: str) -> list[str]:
    return [word for word in _PARTS.split(name.lower()) if word]


def _shared(one: list[str], other: list[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _version(words: list[str]) -> tuple[int, ...]:
    """The numbers that a name goes on with; dates are none."""
    numbers = []
    for word in words:
        if not word.isdigit() or len(word) > _FEWEST:
            break
        numbers.append(int(word))
    return tuple(numbers)
