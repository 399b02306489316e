"""The schema agrees with the loader, every key has a sentence, and nothing secret is shown."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from costspan.config import json_schema, load, show
from costspan.config.section import Section
from costspan.config.shape import exporter_types, keys
from costspan.config.tree import Tree

HERE = Path(__file__).parent
# faults of one key, as opposed to faults between keys or in the text
KEY_FAULTS = ("unknown_keys", "values")


def sections(section: type[Section] = Tree) -> list[type[Section]]:
    below = [key.section for key in keys(section).values() if key.section]
    return [section, *(each for child in below for each in sections(child))]


def every_section() -> list[type[Section]]:
    return sections() + [each for kind in exporter_types().values() for each in sections(kind)]


def test_every_key_and_every_section_has_a_sentence() -> None:
    for section in every_section():
        assert section.__doc__
        for key in keys(section).values():
            assert key.text.endswith("."), key.name


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", sorted((HERE / "good").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_schema_takes_what_the_loader_takes(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()) or {}, json_schema())


@pytest.mark.parametrize("name", [*KEY_FAULTS, "not_built", "components", "pipelines"])
def test_the_schema_refuses_what_the_loader_refuses(name: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            yaml.safe_load((HERE / "bad" / f"{name}.yaml").read_text()), json_schema()
        )


def test_what_is_shown_loads_to_the_same_tree(tmp_path: Path) -> None:
    """But for the secrets, `config show` is a configuration."""
    source = HERE / "good" / "as_the_collector_writes_it.yaml"
    config = load(str(source), {}, embedded=lambda: True)
    again = tmp_path / "shown.yaml"
    again.write_text(yaml.safe_dump(show(config), sort_keys=False))

    assert config == load(str(again), {}, embedded=lambda: True)


def test_secrets_are_not_shown() -> None:
    text = """
    exporters:
      otlp: {endpoint: "a:1", headers: {authorization: hunter2}}
      clickhouse: {endpoint: "http://u:hunter2@c:8123/?password=hunter2"}
      clickhouse/b: {endpoint: "http://c:8123", password: hunter2}
    """
    shown = yaml.safe_dump(show(load("env:CONFIG", {"CONFIG": text})))

    assert "hunter2" not in shown
    assert "authorization" in shown
