"""Published schema versions stay as they are, and what they wrote is read for ever."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import fastavro
import pytest
from avro_records import as_written

from driftline.schemas import codec
from driftline.schemas.compatibility import faults

HERE = Path(__file__).resolve().parent
PINS = json.loads((HERE / "published.json").read_text(encoding="utf-8"))
SCHEMAS = {schema.file_name: schema for schema in codec.catalog().by_fingerprint.values()}


def test_every_version_is_pinned() -> None:
    """Each schema file is published (scripts/publish_schema.py), and no published one has gone."""
    assert set(PINS) == set(SCHEMAS)


@pytest.mark.parametrize("name", sorted(PINS))
def test_a_published_version_is_never_edited(name: str) -> None:
    """A schema file has the digest and the fingerprint with which it was published."""
    digest = hashlib.sha256(SCHEMAS[name].text.encode("utf-8")).hexdigest()
    assert {"sha256": digest, "fingerprint": SCHEMAS[name].fingerprint.hex()} == PINS[name]


@pytest.mark.parametrize("name", sorted(PINS))
def test_old_bytes_are_read_by_the_newest_reader(name: str) -> None:
    """The committed bytes of a version decode today into the values that were written then."""
    stem = name.removesuffix(".avsc")
    written = io.StringIO((HERE / "golden" / f"{stem}.json").read_text(encoding="utf-8"))
    (expected,) = list(fastavro.json_reader(written, SCHEMAS[name].parsed))
    record_type, record = codec.decode((HERE / "golden" / f"{stem}.bin").read_bytes())
    assert record_type == SCHEMAS[name].record_type
    assert as_written(record, expected) == expected


@pytest.mark.parametrize("name", sorted(PINS))
def test_versions_of_a_record_are_fully_compatible(name: str) -> None:
    """Every two versions of one record read each other's bytes."""
    mine = SCHEMAS[name]
    others = [each for each in SCHEMAS.values() if each.record_type == mine.record_type]
    assert [fault for each in others for fault in faults(each.parsed, mine.parsed)] == []


@pytest.mark.parametrize("name", sorted(PINS))
def test_every_field_says_what_it_is(name: str) -> None:
    """Each record and field of a schema has a doc, since producers in other languages read nothing else."""

    def lacking(schema: object, path: str) -> list[str]:
        if isinstance(schema, list):
            return [each for branch in schema for each in lacking(branch, path)]
        if not isinstance(schema, dict):
            return []
        inner = [each for key in ("items", "values", "type") for each in lacking(schema.get(key), path)]
        for field in schema.get("fields", []):
            here = f"{path}.{field['name']}"
            inner += ([] if field.get("doc") else [here]) + lacking(field["type"], here)
        return inner + ([path] if schema.get("type") == "record" and not schema.get("doc") else [])

    assert lacking(json.loads(SCHEMAS[name].text), name) == []


@pytest.mark.parametrize("name", sorted(PINS))
def test_no_item_of_an_array_is_empty_on_the_wire(name: str) -> None:
    """Every array and map item takes a byte at least, or ten bytes could claim 2^60 items without an end."""

    def weightless(schema: object) -> bool:
        if isinstance(schema, dict) and schema["type"] == "record":
            return all(weightless(field["type"]) for field in schema["fields"])
        return schema == "null" or (isinstance(schema, dict) and schema == {"type": "null"})

    def items(schema: object) -> list[object]:
        if isinstance(schema, list):
            return [each for branch in schema for each in items(branch)]
        if not isinstance(schema, dict):
            return []
        own = [schema[key] for key in ("items", "values") if key in schema]
        fields = [each for field in schema.get("fields", []) for each in items(field["type"])]
        return own + [each for item in own for each in items(item)] + fields + items(schema["type"])

    assert [item for item in items(json.loads(SCHEMAS[name].text)) if weightless(item)] == []
