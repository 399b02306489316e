"""Money as text and the one rounding."""

import pytest

from costspan_pricing import format_usd, parse_usd
from costspan_pricing.money import ATTOS, divide


@pytest.mark.parametrize(
    ("attos", "text"),
    [
        (0, "0"),
        (ATTOS, "1"),
        (-ATTOS, "-1"),
        (12 * ATTOS, "12"),
        (1, "0.000000000000000001"),
        (-25 * 10**15, "-0.025"),
        (3_500_000 * 10**9, "0.0035"),
        (10**30 + 10**17, "1000000000000.1"),
    ],
)
def test_amounts_are_written_plainly_and_read_back(attos: int, text: str) -> None:
    assert format_usd(attos) == text
    assert parse_usd(text) == attos


@pytest.mark.parametrize(
    ("text", "attos"),
    [("2.50", 25 * 10**17), ("2.5e-6", 25 * 10**11), ("1E3", 1000 * ATTOS), (".5", 5 * 10**17),
     ("+1.", ATTOS), (" 0.1 ", 10**17), ("1.0000000000000000000", ATTOS)],
)  # fmt: skip
def test_other_spellings_of_a_decimal_are_read(text: str, attos: int) -> None:
    assert parse_usd(text) == attos


@pytest.mark.parametrize("text", ["0.0000000000000000001", "1e-19", "1.5e-18"])
def test_what_is_finer_than_an_atto_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="finer than"):
        parse_usd(text)


@pytest.mark.parametrize("text", ["", ".", "-", "nan", "inf", "1,5", "1_000", "$1", "1e9999", "٣"])
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a decimal"):
        parse_usd(text)


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (7, 3, 2), (8, 3, 3), (6, 3, 2)],
)
def test_halves_are_rounded_to_even(numerator: int, denominator: int, rounded: int) -> None:
    assert divide(numerator, denominator) == rounded
