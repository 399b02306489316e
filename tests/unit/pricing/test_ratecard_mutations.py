"""Three complete cards, damaged at every place in every way: each damage is a fault at that place.

The places are found by PyYAML, not by the reader that is tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from costspan_pricing.ratecard.load import RateCardError, read_card
from costspan_pricing.ratecard.shape import RateCard
from ratecards import EXAMPLES

NAMES_OF_THEIRS = ("resource",)  # keys below these are the customer's own words
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


class Pair(NamedTuple):
    """A key, its value, and the path of keys that lead there."""

    path: tuple[str, ...]
    key: yaml.ScalarNode
    value: yaml.Node


def pairs(node: yaml.Node, path: tuple[str, ...] = ()) -> Iterator[Pair]:
    """Every key of a document, in its order."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from pairs(each, path)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield Pair((*path, key.value), key, value)
            yield from pairs(value, (*path, key.value))


def of_file(path: Path) -> tuple[str, list[Pair]]:
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    return text, list(pairs(root))


def cut(text: str, node: yaml.Node, instead: str) -> str:
    """The text with something else where a node stands."""
    return text[: node.start_mark.index] + instead + text[node.end_mark.index :]


def place(node: yaml.Node) -> str:
    return f"card.yaml:{node.start_mark.line + 1}:{node.start_mark.column + 1}: "


def faults(text: str) -> tuple[str, ...]:
    try:
        read_card(text, "card.yaml")
    except RateCardError as error:
        return error.faults
    return ()


def without_hash(card: RateCard) -> RateCard:
    return card._replace(sha256="")


def typos(word: str) -> set[str]:
    """What fingers do: a letter missing, doubled, swapped, wrong."""
    middle = len(word) // 2
    return {
        word[:middle] + word[middle + 1 :],
        word[:middle] + word[middle] + word[middle:],
        word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :],
        word[:-1] + ("x" if word[-1] != "x" else "y"),
    } - {word}


def decimals(found: list[Pair]) -> list[yaml.ScalarNode]:
    """Every price and every factor: the quoted numbers but for the revision."""
    return [
        value
        for path, _, value in found
        if isinstance(value, yaml.ScalarNode)
        and value.style == '"'
        and re.fullmatch(r"[\d.]+", value.value)
        and path != ("revision",)
    ]


@each_example
def test_every_typo_in_a_key_is_found_where_it_is(path: Path) -> None:
    text, found = of_file(path)
    # of geo:us and the like only what stands before the colon is a word of ours
    known = [pair for pair in found if not {*pair.path[:-1]} & {*NAMES_OF_THEIRS}]
    missed = [
        (typo, faults(damaged))
        for _, key, _ in known
        for typo in typos(key.value.partition(":")[0])
        if typo
        for damaged in [cut(text, key, typo + "".join(key.value.partition(":")[1:]))]
        if not any(each.startswith(place(key)) for each in faults(damaged))
    ]

    assert len(known) > 30
    assert missed == []


@each_example
def test_the_key_that_was_meant_is_suggested(path: Path) -> None:
    """A letter missing in the middle of the key."""
    text, found = of_file(path)
    words = [pair for pair in found if not {*pair.path} & {*NAMES_OF_THEIRS, "context"}]
    missed = []
    for _, key, _ in words:
        middle = len(key.value) // 2
        typo = key.value[:middle] + key.value[middle + 1 :]
        told = [each for each in faults(cut(text, key, typo)) if each.startswith(place(key))]
        if len(key.value) > 2 and not any(f"the nearest is {key.value!r}" in each for each in told):
            missed.append((key.value, told))

    assert missed == []


@each_example
def test_a_mapping_in_place_of_a_value_is_found_where_it_is(path: Path) -> None:
    text, found = of_file(path)
    values = [pair.value for pair in found if isinstance(pair.value, yaml.ScalarNode)]
    missed = [
        value.value
        for value in values
        if not any(
            each.startswith(place(value)) and "saw a mapping" in each
            for each in faults(cut(text, value, "{not: this}"))
        )
    ]

    assert len(values) > 20
    assert missed == []


@each_example
def test_a_word_in_place_of_a_mapping_or_of_a_list_is_found(path: Path) -> None:
    """But for lists of names, which may be a single one."""
    text, found = of_file(path)
    missed = []
    for keys, _, value in found:
        names = keys[-1] in ("model", "provider", "applies_to") or "resource" in keys[:-1]
        listed = isinstance(value, yaml.SequenceNode) and names
        if isinstance(value, yaml.ScalarNode) or listed:
            continue
        # a block ends where the next key begins, so that its indentation is cut too
        flow = isinstance(value, yaml.CollectionNode) and value.flow_style
        damaged = cut(text, value, "word" if flow else f"word\n{' ' * value.end_mark.column}")
        if not any(each.startswith(place(value)) for each in faults(damaged)):
            missed.append(keys)

    assert missed == []


@each_example
@pytest.mark.parametrize(
    "damage", ["-{}", "${}", "{} USD", "{}%", "1_000", "1,5", "NaN", "inf", "", "0x1", "11e9e9"]
)
def test_a_damaged_decimal_is_found_where_it_is(path: Path, damage: str) -> None:
    text, found = of_file(path)
    numbers = decimals(found)
    missed = [
        value.value
        for value in numbers
        if not any(
            each.startswith(place(value))
            for each in faults(cut(text, value, f'"{damage.format(value.value)}"'))
        )
    ]

    assert len(numbers) >= 9
    assert missed == []


@each_example
def test_a_decimal_without_quotes_is_the_same_decimal(path: Path) -> None:
    """To the last digit: no float is in between."""
    text, found = of_file(path)
    whole = without_hash(read_card(text, "card.yaml"))

    for value in decimals(found):
        bare = read_card(cut(text, value, value.value), "card.yaml")
        assert whole == without_hash(bare)


@each_example
def test_a_required_key_that_is_gone_is_missed_by_name(path: Path) -> None:
    required = {
        "apiVersion", "id", "match", "multiplier", "sku", "over", "usd_per_hour", "name", "unit",
        "usd", "policy",
    }  # fmt: skip
    text, found = of_file(path)
    removed = 0
    for index, (keys, key, _) in enumerate(found):
        aliases = keys == ("aliases", "model")
        per_hour = keys[-1] == "usd_per_hour" and "amortise" not in keys
        if (keys[-1] not in required and not aliases) or per_hour:
            continue
        told = faults(_without(text, index))
        assert any(f".{key.value}: the key is missing" in each for each in told) or any(
            f" {key.value}: the key is missing" in each for each in told
        ), (keys, told)
        removed += 1

    assert removed >= 7


def _without(text: str, index: int) -> str:
    """The document without one of its keys. Written anew, so that block style stays well-formed."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    gone = list(pairs(root))[index].key
    for node in _mappings(root):
        node.value = [pair for pair in node.value if pair[0] is not gone]
    return str(yaml.serialize(root))


def _mappings(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _mappings(each)
