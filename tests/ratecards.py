"""What tests of rate cards share: small cards, places in them, a reading as editors do it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from costspan_pricing.ratecard.load import RateCardError, read_card
from costspan_pricing.ratecard.shape import RateCard

EXAMPLES = sorted((Path(__file__).parent.parent / "deploy" / "rate-cards").glob("*.yaml"))
HEAD = "apiVersion: ratecard/v1\nid: acme\n"


def card(body: str = "") -> RateCard:
    """The smallest card with this below its head, which has two lines."""
    return read_card(HEAD + body, "card.yaml")


def faults(body: str, head: str = HEAD) -> list[str]:
    """What is wrong with a card, without the file's name: line:column: key: sentence."""
    with pytest.raises(RateCardError) as caught:
        read_card(head + body, "card.yaml")
    return [fault.removeprefix("card.yaml:") for fault in caught.value.faults]


def pointed(body: str, head: str = HEAD) -> tuple[str, list[str]]:
    """The place in the body that ▸ points to, as line:column, and the faults without the ▸."""
    lines = (head + body[: body.index("▸")]).split("\n")
    return f"{len(lines)}:{len(lines[-1]) + 1}", faults(body.replace("▸", ""), head)


class _Editor(yaml.SafeLoader):
    """YAML 1.2, as editors read it: no dates, and `on` is a word."""


_Editor.yaml_implicit_resolvers = {}
_Editor.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(~|null|)$"), ["~", "n", ""])
_Editor.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(true|false)$"), ["t", "f"])
_Editor.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?\d+$"), list("-0123456789"))
_Editor.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?\d+\.\d+$"), list("-0123456789")
)


def as_editors_read(text: str) -> Any:
    """The plain value that a JSON Schema is held against."""
    return yaml.load(text, Loader=_Editor)  # noqa: S506  a safe loader
