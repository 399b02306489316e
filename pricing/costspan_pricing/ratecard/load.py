"""Rate card files to checked cards, or every fault of them at once. The only file access here."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from costspan_pricing.document import decode, read
from costspan_pricing.faults import Faults, Mark
from costspan_pricing.ratecard import conflicts
from costspan_pricing.ratecard.build import Draft, build
from costspan_pricing.ratecard.reading import Reader, TooMany
from costspan_pricing.ratecard.shape import RateCard
from costspan_pricing.ratecard.tables import CARD


class RateCardError(ValueError):
    """Rate cards can't be used. `faults` has a sentence for everything that is wrong with them.

    A sentence begins with file:line:column and the key, and says what was expected and seen.
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def load_card(path: Path | str) -> RateCard:
    """The card in a file. Raises RateCardError, also if the file can't be read."""
    return load_cards((path,))[0]


def load_cards(paths: Iterable[Path | str]) -> tuple[RateCard, ...]:
    """The cards in several files, checked together. Raises RateCardError with all their faults."""
    faults = Faults()
    return _checked([_from_file(Path(path), faults) for path in paths], faults)


def read_card(text: str, source: str) -> RateCard:
    """The card in a text; `source` is its name in faults. Raises RateCardError."""
    faults = Faults()
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return _checked([_draft(text, source, digest, faults)], faults)[0]


def _from_file(path: Path, faults: Faults) -> Draft | None:
    source = str(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        faults.add(Mark(source), "", f"the file can't be read: {reason}")
        return None
    text = decode(data, source, faults)
    return None if text is None else _draft(text, source, sha256(data).hexdigest(), faults)


def _draft(text: str, source: str, digest: str, faults: Faults) -> Draft | None:
    document = read(text, source, faults)
    if document is None:
        return None
    try:
        entry = Reader(faults).section(document, CARD)
    except TooMany:
        return None
    return build(entry, source, digest, faults)


def _checked(drafts: Iterable[Draft | None], faults: Faults) -> tuple[RateCard, ...]:
    """The cards, if neither one of them nor all together have a fault."""
    found = [draft for draft in drafts if draft is not None]
    _check_ids(found, faults)
    conflicts.report((claim for draft in found for claim in draft.claims), faults)
    if len(faults):
        raise RateCardError(faults.sentences())
    return tuple(draft.card for draft in found)


def _check_ids(drafts: Iterable[Draft], faults: Faults) -> None:
    """An id stands in price references: two cards of one name could not be told apart."""
    seen: dict[str, str] = {}
    for draft in drafts:
        name = draft.card.id
        if name in seen:
            sentence = f"the id {name!r} is already that of {seen[name]}: each card has its own"
            faults.add(draft.entry.at("id"), "id", sentence)
        elif name:
            seen[name] = draft.card.source
