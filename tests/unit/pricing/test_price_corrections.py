"""Corrections do to imported rows what their files say; what makes no sense is refused."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("genai_prices")
from prices.build import correct
from prices.corrections import load
from prices.document import CorrectionError

REVIEWED = "because: a reason, source: https://example.com/prices, checked: 2026-11-23"
BATCH = {"processing": "batch"}
OCTOBER = "2026-10-14T00:00:00Z"


def rows() -> dict[str, Any]:
    """One provider as the import makes it: a dated row, a banded one, one with a variant."""
    return {
        "acme": {
            "models": [
                {
                    "id": "plain-1",
                    "prices": [
                        {"rates": {"input": "2", "output": "8"}},
                        {"from": "2026-06-01T00:00:00Z", "rates": {"input": "1", "output": "4"}},
                    ],
                },
                {
                    "id": "long-1",
                    "match": ["=long-1", "=long-latest"],
                    "prices": [
                        {
                            "rates": {"input": "4", "output": "20"},
                            "bands": [{"over": 272000, "rates": {"input": "8", "output": "30"}}],
                        }
                    ],
                    "variants": [{"when": BATCH, "from": OCTOBER, "rates": {"input": "2"}}],
                },
            ]
        }
    }


def corrected(folder: Path, text: str, name: str = "acme") -> dict[str, Any]:
    """The provider's content after one file of corrections; ids of models -> rows."""
    (folder / "book.yaml").write_text("date: 2026-11-23\n")
    text = textwrap.dedent(text).replace("$R", REVIEWED)
    (folder / f"{name}.yaml").write_text(f"provider: {name}\n{text}")
    providers = rows()
    correct(providers, load(folder).files)
    content: dict[str, Any] = providers[name]
    return content | {row["id"]: row for row in content["models"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: []", "acme.yaml:2: unknown key 'model', expected aliases, amend"),
        ("models:\n  - {id: x, $R}", "acme.yaml:3: there is no such row: expected `prices`"),
        (
            "models:\n  - {id: plain-1, because: a, checked: 2026-11-23}",
            "acme.yaml:3: models[0] plain-1: Object missing required field `source`",
        ),
        (
            "models:\n  - {id: plain-1, because: ' ', checked: 2026-11-23, source: https://a.b}",
            "acme.yaml:3: models[0] plain-1: expected a sentence in `because`, got nothing",
        ),
        (
            "models:\n  - {id: plain-1, because: a, checked: 2026-11-23, source: a page}",
            "expected `source` to be a URL or several, got 'a page'",
        ),
        (
            "models:\n  - {id: plain-1, $R, notes: x}",
            "models[0] plain-1: Object contains unknown field `notes`",
        ),
        (
            "models:\n  - id: plain-1\n    $R\n    prices:\n      - rates: {input: 2.5}",
            "acme.yaml:4: expected YAML",
        ),
        (
            "models:\n- {id: plain-1, $R, prices: [\n  {rates: {input: 2.5}}]}",
            "acme.yaml:4: models[0] plain-1: Expected `str`, got `float`: put quotes",
        ),
        (
            "models:\n- {id: plain-1, $R, prices: [{rates: {inputs: '2'}}]}",
            "unknown unit 'inputs', expected one of input, output",
        ),
        (
            "models:\n- {id: plain-1, $R, prices: [{rates: {input: '-2'}}]}",
            "input: expected a plain decimal like \"0.25\", got '-2'",
        ),
        (
            "models:\n- {id: plain-1, $R, prices: [{from: '2026-01-01', rates: {input: '2'}}]}",
            "expected an instant like \"2026-08-16T16:00:00Z\", got '2026-01-01'",
        ),
        (
            "models:\n- {id: plain-1, $R, prices: [{from: 2026-01-01, rates: {input: '2'}}]}",
            "Expected `str`, got `date`: put quotes around instants",
        ),
        (
            "amend:\n- {models: [plain-2], $R, rates: {input: '2'}}",
            "acme.yaml:3: no model of acme is called 'plain-2'",
        ),
        (
            "amend:\n- {models: ['plain*', 'other*'], $R, rates: {input: '2'}}",
            "no model of acme is called 'other*'",
        ),
        (
            "amend:\n- {models: ['!plain-1'], $R, rates: {input: '2'}}",
            "expected `models` to begin with a name or a glob",
        ),
        (
            "amend:\n- {models: [plain-1], $R}",
            "expected `rates`, `factors`, `bands` or `drop`",
        ),
        (
            "amend:\n- {models: [plain-1], $R, factors: {output: {cache_read: '2'}}}",
            "plain-1: output is a factor of cache_read, which has no rate",
        ),
        (
            (
                "amend:\n"
                "- {models: [plain-1], $R, rates: {input: '2'}, to: '2026-02-01T00:00:00Z'}\n"
                "- {models: ['*'], $R, rates: {input: '3'}, from: '2026-01-31T23:59:59Z'}"
            ),
            "acme.yaml:4: plain-1 input is amended for the same time at acme.yaml:3",
        ),
        (
            (
                "amend:\n- {models: [plain-1], $R, rates: {input: '2'},"
                " from: '2026-02-01T00:00:00Z', to: '2026-02-01T00:00:00Z'}"
            ),
            "expected `from` before `to`",
        ),
        (
            "variants:\n- {models: [plain-1], $R, when: {tier: flex}, factors: {input: '2'}}",
            "expected `when` with keys of processing, service_tier",
        ),
        (
            "variants:\n- {models: [plain-1], $R, when: {speed: fast}, factors: {images: '2'}}",
            "plain-1: no standard rate of images then",
        ),
        (
            (
                "variants:\n- {models: [long-1], $R, when: {processing: batch},"
                " factors: {input: '0.5'}, to: '2026-10-14T00:00:01Z'}"
            ),
            'long-1: there are rates for {"processing": "batch"} from 2026-10-14T00:00:00Z',
        ),
        (
            (
                "uplifts:\n"
                "- {models: [plain-1], $R, when: {geo: us}, multiplier: '1.1', units: tokens}\n"
                "- {models: ['*'], $R, when: {geo: [eu, 'u*']}, multiplier: '2', units: [input]}"
            ),
            'acme.yaml:4: plain-1 already has a factor for {"geo": "us"} then',
        ),
        ("aliases:\n- {model: plain-1, names: [plain-1], $R}", "already has the name"),
        ("calendars: {china: [2026-10-02, 2026-10-01]}", "calendar china: expected dates in order"),
        (
            (
                "models:\n- {id: plain-1, $R, prices: [{rates: {input: '1'}, hours: "
                "[{from: '01:00', to: '04:00', except_on: fiesta, rates: {input: '2'}}]}]}"
            ),
            "acme.yaml:3: plain-1: no calendar is called 'fiesta'",
        ),
        (
            "models:\n- {id: plain-1, $R}\n- {id: plain-1, $R}",
            "acme.yaml:4: plain-1 has an entry already, at acme.yaml:3",
        ),
        (
            (
                "aliases:\n"
                "- {model: plain-1, names: [new-1], $R}\n"
                "- {model: long-1, names: [New-1], $R}"
            ),
            "acme.yaml:4: 'new-1' is claimed by plain-1 too",
        ),
        ("provider: acme", "acme.yaml:2: the key 'provider' stands twice"),
        ("new: true", "acme.yaml:1: acme is in genai-prices: it can't be `new: true`"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(CorrectionError) as refused:
        corrected(tmp_path, text)

    assert expected in str(refused.value)


def test_every_fault_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    text = """\
        models:
          - {id: plain-1, prices: []}
          - {id: plain-1, $R, prices: [{rates: {input: 1}}]}
        calendars: {china: [tomorrow]}
        """
    with pytest.raises(CorrectionError) as refused:
        corrected(tmp_path, text)

    places = [sentence.split()[0] for sentence in refused.value.sentences]
    assert places == ["acme.yaml:3:", "acme.yaml:4:", "acme.yaml:5:"]


def test_a_misspelt_provider_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        CorrectionError, match="acmee is not in genai-prices, the nearest is 'acme'"
    ):
        corrected(tmp_path, "", name="acmee")


def test_a_provider_of_our_own_says_so(tmp_path: Path) -> None:
    text = """\
        new: true
        models:
          - {id: v-1, $R, prices: [{rates: {search_unit: "2"}}]}
        """
    assert corrected(tmp_path, text, name="voya")["v-1"]["prices"] == [
        {"rates": {"search_unit": "2"}}
    ]


def test_a_row_is_corrected_in_parts(tmp_path: Path) -> None:
    """Prices are replaced; a variant with the same `when` and `from` too, others stay."""
    text = """\
        models:
          - id: long-1
            because: a reason
            source: [https://example.com/a, https://example.com/b]
            checked: 2026-11-23
            prices:
              - rates: {output: "5", input: "1"}
              - {from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z", rates: {input: "2"}}
            variants:
              - {when: {processing: batch}, from: "2026-10-14T00:00:00Z", rates: {input: "0.5"}}
              - {when: {service_tier: [flex, slow]}, rates: {input: "0.4"}}
            billed: {audio_seconds: {least: 10}}
        """
    assert corrected(tmp_path, text)["long-1"] == {
        "id": "long-1",
        "match": ["=long-1", "=long-latest"],
        "prices": [
            {"rates": {"input": "1", "output": "5"}},
            {
                "from": "2026-01-01T00:00:00Z",
                "to": "2026-02-01T00:00:00Z",
                "rates": {"input": "2"},
            },
        ],
        "variants": [
            {"when": BATCH, "from": OCTOBER, "rates": {"input": "0.5"}},
            {"when": {"service_tier": ("flex", "slow")}, "rates": {"input": "0.4"}},
        ],
        "billed": {"audio_seconds": {"least": 10, "most": None}},
    }


def test_a_new_row_stands_in_front_where_its_patterns_win(tmp_path: Path) -> None:
    text = "models:\n  - {id: a-1, $R, match: ['^plain'], prices: [{rates: {input: '1'}}]}"

    assert [row["id"] for row in corrected(tmp_path, text)["models"]] == [
        "a-1",
        "plain-1",
        "long-1",
    ]


def test_an_amendment_cuts_prices_at_its_edges(tmp_path: Path) -> None:
    text = """\
        amend:
          - models: ["plain*"]
            rates: {cache_read: "0.5"}
            drop: [output]
            from: "2026-05-01T00:00:00Z"
            to: "2026-07-01T00:00:00Z"
            because: a reason
            source: https://example.com
            checked: 2026-11-23
        """
    assert corrected(tmp_path, text)["plain-1"]["prices"] == [
        {"rates": {"input": "2", "output": "8"}},
        {"from": "2026-05-01T00:00:00Z", "rates": {"input": "2", "cache_read": "0.5"}},
        {"from": "2026-06-01T00:00:00Z", "rates": {"input": "1", "cache_read": "0.5"}},
        {"from": "2026-07-01T00:00:00Z", "rates": {"input": "1", "output": "4"}},
    ]


def test_an_amendment_keeps_the_end_of_a_price(tmp_path: Path) -> None:
    text = """\
        models:
          - id: plain-1
            <<: {$R}
            prices: [{rates: {input: "2"}, to: "2026-06-01T00:00:00Z"}]
        amend:
          - {models: [plain-1], $R, rates: {output: "9"}, from: "2026-05-01T00:00:00Z"}
        """
    assert corrected(tmp_path, text)["plain-1"]["prices"] == [
        {"rates": {"input": "2"}},
        {
            "from": "2026-05-01T00:00:00Z",
            "to": "2026-06-01T00:00:00Z",
            "rates": {"input": "2", "output": "9"},
        },
    ]


def test_factors_of_an_amendment_apply_in_bands_too(tmp_path: Path) -> None:
    """2.5 x 4 = 10, and over 272 000 tokens 2.5 x 8 = 20; a band may get a rate of its own."""
    text = """\
        amend:
          - models: [long-1]
            factors: {cache_write_12h: {input: "2.5"}}
            bands: {272000: {cache_read: "0.8"}, 500000: {output: "40"}}
            because: a reason
            source: https://example.com
            checked: 2026-11-23
        """
    assert corrected(tmp_path, text)["long-1"]["prices"] == [
        {
            "rates": {"input": "4", "output": "20", "cache_write_12h": "10"},
            "bands": [
                {
                    "over": 272000,
                    "rates": {
                        "input": "8",
                        "output": "30",
                        "cache_read": "0.8",
                        "cache_write_12h": "20",
                    },
                },
                {"over": 500000, "rates": {"output": "40"}},
            ],
        }
    ]


def test_an_amendment_with_a_context_leaves_standard_prices_alone(tmp_path: Path) -> None:
    text = """\
        amend:
          - {models: [long-1], $R, when: {processing: batch}, rates: {output: "10"}}
        """
    row = corrected(tmp_path, text)["long-1"]
    assert row["variants"] == [
        {"when": BATCH, "from": OCTOBER, "rates": {"input": "2", "output": "10"}}
    ]
    assert row["prices"] == rows()["acme"]["models"][1]["prices"]


def test_a_rule_becomes_one_variant_for_each_price_that_it_meets(tmp_path: Path) -> None:
    """Half of 2 and 8 until June, half of 1 and 4 from then on; the rule's own edges hold."""
    text = """\
        variants:
          - models: [plain-1]
            <<: {$R}
            when: {processing: batch}
            factors: {input: "0.5", output: "0.50", cache_read: "1"}
            from: "2024-04-15T00:00:00Z"
            to: "2026-10-14T00:00:00Z"
        """
    assert corrected(tmp_path, text)["plain-1"]["variants"] == [
        {
            "when": BATCH,
            "from": "2024-04-15T00:00:00Z",
            "to": "2026-06-01T00:00:00Z",
            "rates": {"input": "1", "output": "4"},
        },
        {
            "when": BATCH,
            "from": "2026-06-01T00:00:00Z",
            "to": OCTOBER,
            "rates": {"input": "0.5", "output": "2"},
        },
    ]


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        (
            "keep",
            {"rates": {"input": "1"}, "bands": [{"over": 272000, "rates": {"input": "2"}}]},
        ),
        # Output is in the band, so the variant has to name it: else the band would move it.
        ("drop", {"rates": {"input": "1", "output": "20"}}),
    ],
)
def test_bands_are_scaled_or_left_out(tmp_path: Path, bands: str, expected: dict[str, Any]) -> None:
    text = f"""\
        variants:
          - {{models: ["*", "!plain-1"], $R, when: {{speed: fast}}, factors: {{input: "0.25"}},
             bands: {bands}}}
        """
    assert (
        corrected(tmp_path, text)["long-1"]["variants"][-1]
        == {"when": {"speed": "fast"}} | expected
    )


def test_a_rule_without_an_end_ends_where_imported_variants_begin(tmp_path: Path) -> None:
    text = """\
        variants:
          - {models: ["*"], $R, when: {processing: batch}, factors: {output: "0.5"}}
        """
    content = corrected(tmp_path, text)
    assert content["long-1"]["variants"] == [
        {
            "when": BATCH,
            "to": OCTOBER,
            "rates": {"output": "10"},
            "bands": [{"over": 272000, "rates": {"output": "15"}}],
        },
        {"when": BATCH, "from": OCTOBER, "rates": {"input": "2"}},
    ]
    assert "to" not in content["plain-1"]["variants"][-1]


def test_rules_see_amended_prices(tmp_path: Path) -> None:
    text = """\
        variants:
          - {models: [long-1], $R, when: {speed: fast}, factors: {cache_write_5m: "2"}}
        amend:
          - {models: [long-1], $R, factors: {cache_write_5m: {input: "1.25"}}}
        """
    assert corrected(tmp_path, text)["long-1"]["variants"][-1]["rates"] == {"cache_write_5m": "10"}


def test_a_rule_refuses_prices_that_depend_on_the_hour(tmp_path: Path) -> None:
    text = """\
        models:
          - {id: plain-1, $R, prices: [
              {rates: {input: "2"}, hours: [{from: "01:00", to: "04:00", rates: {input: "4"}}]}]}
        variants:
          - {models: [plain-1], $R, when: {speed: fast}, factors: {input: "2"}}
        """
    with pytest.raises(CorrectionError, match=r"yaml:6: plain-1: its price depends on the hour"):
        corrected(tmp_path, text)


def test_uplifts_name_their_rows_and_units(tmp_path: Path) -> None:
    text = """\
        uplifts:
          - {models: ["*", "!long-1"], $R, when: {geo: [us, "!eu"]}, multiplier: "1.1",
             units: [input, output], from: "2026-03-05T00:00:00Z"}
          - {models: ["*"], $R, when: {region: "eu-*"}, multiplier: "1.2", units: tokens}
        """
    first, second = corrected(tmp_path, text)["uplifts"]
    assert first == {
        "when": {"geo": ("us", "!eu")},
        "models": ["plain-1"],
        "multiplier": "1.1",
        "units": ["input", "output"],
        "from": "2026-03-05T00:00:00Z",
    }
    assert second["models"] == ["plain-1", "long-1"]
    assert {"input", "output", "cache_write_12h", "audio_input"} <= set(second["units"])
    assert {"web_search", "requests", "characters"}.isdisjoint(second["units"])


def test_a_name_moves_to_the_row_that_has_it_now(tmp_path: Path) -> None:
    text = "aliases:\n  - {model: plain-1, names: [Long-Latest, plain-one], $R}"
    content = corrected(tmp_path, text)
    assert content["plain-1"]["match"] == ["=plain-1", "=long-latest", "=plain-one"]
    assert content["long-1"]["match"] == ["=long-1"]


def test_a_row_without_a_name_of_its_own_goes(tmp_path: Path) -> None:
    """The names of long-1 mean plain-1 now, by its clauses or as more names."""
    for text in (
        "aliases:\n- {model: plain-1, names: [long-1, long-latest], $R}",
        "models:\n- {id: plain-1, $R, match: ['=plain-1', '=long-1', '=long-latest']}",
    ):
        content = corrected(tmp_path, text)

        assert [row["id"] for row in content["models"]] == ["plain-1"]
        assert content["plain-1"]["match"] == ["=plain-1", "=long-1", "=long-latest"]


def test_a_provider_may_have_several_files(tmp_path: Path) -> None:
    """They are applied together: the rule of one file meets the amended price of the other."""
    (tmp_path / "acme-rules.yaml").write_text(
        "provider: acme\nvariants:\n"
        f"- {{models: [plain-1], {REVIEWED}, when: {{speed: fast}}, factors: {{images: '2'}}}}"
    )
    text = "amend:\n- {models: [plain-1], $R, rates: {images: '0.04'}}"

    last = corrected(tmp_path, text)["plain-1"]["variants"][-1]

    assert last["rates"] == {"images": "0.08"}
