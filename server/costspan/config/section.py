"""What every section of the configuration is made of: its base, and the forms of its values."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

from costspan.config import forms
from costspan.config.forms import Address

Later: TypeAlias = None
Seconds = Annotated[float, Meta(extra={"form": forms.DURATION})]
Size = Annotated[int, Meta(extra={"form": forms.SIZE})]
Listen = Annotated[Address, Meta(extra={"form": forms.ADDRESS})]
MIB = 1 << 20


def about(text: str, **extra: Any) -> Meta:
    """The sentence of a key; `secret=True`: never shown; `later=(...)`: values not built yet."""
    return Meta(description=text, extra=extra or None)


class Section(Struct, frozen=True, kw_only=True):
    """Base of every section."""
