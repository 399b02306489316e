"""Laws of rate cards: reading is total, decimals are exact, specificity is an order.

Not laws: nothing is promised about cards that have a fault, but for where the fault is.
"""

from __future__ import annotations

import re
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from costspan_pricing.ratecard.kinds import ListOf
from costspan_pricing.ratecard.load import RateCardError, read_card
from costspan_pricing.ratecard.match import Names, rank
from costspan_pricing.ratecard.patterns import matches, pattern
from costspan_pricing.ratecard.shape import Match, Pattern, RateCard
from costspan_pricing.ratecard.tables import CARD
from costspan_pricing.usage import Unit
from ratecards import EXAMPLES, HEAD, card

TEXTS = [path.read_text() for path in EXAMPLES]
PLACE = re.compile(r"card\.yaml(:\d+:\d+)?: ")
LISTS = [key.kind for key in CARD.keys.values() if isinstance(key.kind, ListOf)]
digits = st.text("0123456789", min_size=1, max_size=15).map(lambda text: text.lstrip("0") or "0")
names = st.text("abgpt4o-.*?[]~^$(){}|+\\", min_size=1, max_size=30)
scalars = st.one_of(
    st.text(max_size=20),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.just("2026-01-01"),
)


def read(text: str) -> RateCard | None:
    """The card, or None if it is refused, with a place in each fault."""
    try:
        return read_card(text, "card.yaml")
    except RateCardError as error:
        faults = error.faults
    assert faults
    assert all(PLACE.match(fault) for fault in faults)
    return None


@given(st.text())
@example("\ud800")
@example("\x00")
@example('"\\UFFFFFFFF"')
@example("%YAML " + "9" * 5000 + ".1\n--- a")
@example("&a [*a]")
@example("? {a: b}\n: c")
@example("[" * 5000)
@example("{" * 500)
@example("!!python/object:os.system x")
def test_any_text_is_a_card_or_has_faults(text: str) -> None:
    assert read(text) is None  # no text that Hypothesis finds has an id and a version


@given(st.sampled_from(TEXTS), st.integers(0, 4000), st.integers(0, 40), st.text(max_size=8))
def test_an_edited_card_is_a_card_or_has_faults(text: str, at: int, length: int, new: str) -> None:
    """What editors do to a file: a piece is cut out, another put in."""
    at %= len(text)

    read(text[:at] + new + text[at + length :])


keys = st.sampled_from([*CARD.keys, *(name for each in LISTS for name in each.section.keys)])


@given(
    st.dictionaries(
        keys,
        st.recursive(
            scalars,
            lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(keys, below)),
            max_leaves=8,
        ),
    )
)
def test_known_keys_with_any_values_are_a_card_or_have_faults(body: dict[str, object]) -> None:
    flow = "".join(f"{key}: {_flow(value)}\n" for key, value in body.items())

    read(HEAD + flow)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "null" if value is None else str(value).lower()


@given(digits, st.text("0123456789", max_size=18), st.booleans())
def test_a_price_is_its_text(whole: str, rest: str, quoted: bool) -> None:  # noqa: FBT001  drawn
    """Exactly, with quotes and without."""
    text = f"{whole}.{rest}" if rest else whole
    written = f'"{text}"' if quoted else text

    rate = card(f"rates: [{{match: {{}}, usd_per_mtok: {{input: {written}}}}}]").rates[0]

    assert rate.usd == {Unit.INPUT: Fraction(int(whole + rest), 10 ** len(rest) * 10**6)}


@given(names, names)
def test_a_pattern_is_refused_with_a_sentence_or_matches_quickly(text: str, name: str) -> None:
    try:
        found = pattern(text)
    except ValueError as error:
        sentence = str(error)
    else:
        sentence = str(matches(found, name.lower()))
    assert sentence


@given(st.lists(st.sampled_from(["a", "a*", "*", "~a", "b"]), max_size=4), st.booleans())
def test_a_longer_list_of_names_is_never_less_specific(
    written: list[str],
    named: bool,  # noqa: FBT001  drawn
) -> None:
    """Adding a name to a match can only raise its rank."""
    call = Names("openai", "openai", ("a", "openai/a"))
    providers = ("openai",) if named else ()
    models: tuple[Pattern, ...] = ()
    last = -1
    for text in written:
        models = (*models, pattern(text))
        found = rank(Match(providers, models), call)
        assert found is None or found >= last
        last = last if found is None else found


def test_the_cards_that_are_edited_are_good() -> None:
    """Else the law above would hold for nothing."""
    assert len(TEXTS) == 3
    assert all(read(text) for text in TEXTS)
