"""Meters of Azure's retail price API become rows of corrections: names, deployments, regions."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
import yaml
from azure_meters.names import Name, parse
from azure_meters.rows import Unmapped, meters, rows
from azure_meters.text import render


def meter(
    name: str, price: str, *regions: str, product: str = "Azure OpenAI", per: str = "1K"
) -> Any:
    return {
        "productName": product,
        "meterName": name,
        "unitOfMeasure": per,
        "retailPrice": Decimal(price),
        "regions": list(regions) or ["eastus2"],
    }


def row(*items: Mapping[str, Any]) -> dict[str, Any]:
    (made,) = rows(meters(items))
    return made


def variants(made: Mapping[str, Any]) -> list[tuple[dict[str, Any], dict[str, str]]]:
    return [(each["when"], each["rates"]) for each in made.get("variants", ())]


GLOBAL = (
    meter("gpt 4.1 Inp glbl Tokens", "0.002", "eastus2", "uksouth"),
    meter("gpt 4.1 Outp glbl Tokens", "0.008", "eastus2", "uksouth"),
    meter("gpt 4.1 cached Inp glbl Tokens", "0.0005", "eastus2", "uksouth"),
)


@pytest.mark.parametrize(
    ("meter_name", "expected"),
    [
        ("GPT 5 Mini cchd Inpt DZone 1M Tokens", ("gpt 5 mini", "cache_read", "data-zone", "")),
        ("5.4 mini Inp Dz 1M Tokens", ("5.4 mini", "input", "data-zone", "")),
        ("5.6 luna ShortCo Cd Wr Std Gl 1M Tokens", ("5.6 luna", "cache_write_5m", "global", "")),
        ("gpt-4o-0806-Inp-regnl Tokens", ("gpt 4o 0806", "input", "regional", "")),
        (
            "gpt 4o mini0718 BatchOutp DataZone Tokens",
            ("gpt 4o mini0718", "output", "data-zone", "batch"),
        ),
        ("4.1 pp opt Gl Tokens", ("4.1", "output", "global", "priority")),
        (
            "gpt rt aud 0828 cchd Inp DZn Tokens",
            ("gpt rt 0828", "cache_read_audio", "data-zone", ""),
        ),
        ("gpt4omini-rt-txt1217 Outp glbl Tokens", ("gpt4omini rt 1217", "output", "global", "")),
        ("gpt img 1.5 out img gl 1M Tokens", ("gpt img 1.5", "image_output", "global", "")),
        ("text embedding 3 large DZ Tokens", ("embedding 3 large", "input", "data-zone", "")),
    ],
)
def test_a_name_is_taken_apart(meter_name: str, expected: tuple[str, str, str, str]) -> None:
    assert parse(meter_name) == Name(*expected, long=False)


def test_long_context_has_meters_of_its_own() -> None:
    assert parse("5.4 longco opt Dz 1M Tokens").long
    assert not parse("5.5 ShortCo opt Gl 1M Tokens").long


def test_the_standard_price_is_that_of_the_global_deployment() -> None:
    made = row(*GLOBAL)

    assert made["prices"] == [{"rates": {"cache_read": "0.5", "input": "2", "output": "8"}}]
    assert "variants" not in made


def test_a_data_zone_is_one_context_and_its_exceptions_are_others() -> None:
    made = row(
        *GLOBAL,
        *(
            meter(f"gpt 4.1 {unit} Data Zone Tokens", price, region)
            for region, prices in (("eastus2", ("0.0022", "0.0088", "0.00055")),
                                   ("japaneast", ("0.0024", "0.0096", "0.0006")))
            for unit, price in zip(("Inp", "Outp", "cached Inp"), prices, strict=True)
        ),
    )  # fmt: skip

    assert variants(made) == [
        ({"deployment": "data-zone"}, {"cache_read": "0.55", "input": "2.2", "output": "8.8"}),
        (
            {"deployment": "data-zone", "region": ["japaneast"]},
            {"cache_read": "0.6", "input": "2.4", "output": "9.6"},
        ),
    ]


def test_a_regional_price_always_names_its_regions() -> None:
    made = row(
        meter("gpt 4o 0513 Input global Tokens", "0.005"),
        meter("gpt 4o 0513 Output global Tokens", "0.015"),
        meter("gpt 4o 0513 Input regional Tokens", "0.005", "eastus", "westus"),
        meter("gpt 4o 0513 Output regional Tokens", "0.015", "eastus", "westus"),
    )

    when = {"deployment": "regional", "region": ["eastus", "westus"]}
    assert variants(made) == [(when, {"input": "5", "output": "15"})]


def test_cached_tokens_of_a_batch_without_a_meter_are_counted_as_input() -> None:
    made = row(
        *GLOBAL,
        meter("gpt 4.1 Batch Inp glbl Tokens", "0.001"),
        meter("gpt 4.1 Batch Outp glbl Tokens", "0.004"),
    )

    rates = {"cache_read": "1", "input": "1", "output": "4"}
    assert variants(made) == [({"processing": "batch"}, rates)]


def test_a_government_region_without_global_needs_no_deployment_to_be_stated() -> None:
    made = row(
        *GLOBAL,
        meter("gpt 4.1 Inp regnl Tokens", "0.00275", "usgovvirginia"),
        meter("gpt 4.1 Outp regnl Tokens", "0.011", "usgovvirginia"),
        meter("gpt 4.1 cached Inp regnl Tokens", "0.000688", "usgovvirginia"),
    )

    assert [when for when, _ in variants(made)] == [
        {"deployment": "regional", "region": ["usgovvirginia"]},
        {"region": ["usgovvirginia"]},
    ]


def test_half_of_a_price_is_no_price() -> None:
    """A region that lists input but no output would otherwise give output away at another rate."""
    made = row(*GLOBAL, meter("gpt 4.1 Inp regnl Tokens", "0.0099", "eastus"))

    assert variants(made) == []


def test_a_meter_that_nobody_mapped_stops_the_import() -> None:
    with pytest.raises(Unmapped, match="GPT 9 Inp glbl"):
        meters([meter("GPT 9 Inp glbl Tokens", "0.002")])


def test_what_is_not_sold_by_the_token_is_left_out() -> None:
    left_out = ("gpt-4.1-ft hosting global Unit", "Provisioned Managed Global Unit")

    assert meters([meter(name, "1.7") for name in left_out]) == []


def test_prices_by_the_hour_and_by_the_thousand_searches() -> None:
    hour = row(meter("Speech-to-Text-Batch-Whisper-glbl Unit", "0.36", per="1 Hour"))
    search = row(meter("Rerank v4 Pro Glbl Search", "0.0025", product="Cohere Models", per="1"))

    assert hour["prices"] == [{"rates": {"audio_seconds": "0.36"}}]
    assert search["prices"] == [{"rates": {"search_unit": "2.5"}}]


def test_the_text_reads_back_as_what_was_rendered() -> None:
    made = list(rows(meters(GLOBAL)))

    (read,) = yaml.safe_load(render(made, "2026-08-11"))["models"]

    assert read["match"] == ["=gpt-4.1", "=gpt-4.1-2025-04-14"]
    assert json.loads(json.dumps(read["prices"])) == made[0]["prices"]
    assert read["because"]
    assert read["source"]
