"""Durations, sizes and addresses: what is written comes back, what is not one is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.config import forms
from costspan.config.forms import Address


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6s", 6.0), ("200ms", 0.2), ("1m30s", 90.0), ("1.5h", 5400.0), ("0", 0.0), ("0.1s", 0.1)],
)
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float) -> None:
    assert seconds == forms.DURATION.parse(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_survives_being_shown(milliseconds: int) -> None:
    seconds = milliseconds / 1000

    assert seconds == forms.DURATION.parse(forms.DURATION.render(seconds))


@pytest.mark.parametrize(
    ("text", "size"),
    [("16MiB", 16 << 20), ("1GiB", 1 << 30), ("10MB", 10_000_000), ("512", 512), ("1 KiB", 1024)],
)
def test_a_size_tells_binary_from_decimal_units(text: str, size: int) -> None:
    assert size == forms.SIZE.parse(text)


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_size_survives_being_shown(size: int) -> None:
    assert size == forms.SIZE.parse(forms.SIZE.render(size))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4317", Address("127.0.0.1", 4317)),
        ("[::1]:4318", Address("::1", 4318)),
        ("localhost:0", Address("localhost", 0)),
    ],
)
def test_an_address_survives_being_shown(text: str, address: Address) -> None:
    assert address == forms.ADDRESS.parse(text)
    assert text == str(address)


def test_brackets_serve_pods_of_both_families() -> None:
    """`[${env:POD_IP}]:13133` is how the Collector's charts write it; Go takes either address."""
    assert Address("10.0.0.7", 13133) == forms.ADDRESS.parse("[10.0.0.7]:13133")
    assert Address("fd00::7", 13133) == forms.ADDRESS.parse("[fd00::7]:13133")


@pytest.mark.parametrize(
    "text",
    [
        "4317",
        ":4317",
        "h:70000",
        "h:x",
        "http://h:1",
        "h:1/x",
        "a b:1",
        "fd00::7:13133",
        "x[1.2.3.4]:1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whose text the loader replaces
        forms.ADDRESS.parse(text)


@given(
    st.sampled_from(
        [forms.DURATION, forms.SIZE, forms.ADDRESS, forms.TARGET, forms.URL, forms.DSN]
    ),
    st.text(max_size=20) | st.from_regex(r"[a-z]{0,5}(://)?[\[\]@:/0-9a-z.]{0,15}"),
)
def test_a_form_refuses_with_value_error_only(form: forms.Form, text: str) -> None:
    """Anything may stand in a file; the loader expects exactly this exception."""
    try:
        value = form.parse(text)
    except ValueError:
        return

    assert value == form.parse(form.render(value))
