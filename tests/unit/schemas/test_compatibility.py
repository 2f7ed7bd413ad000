"""What full compatibility allows, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from driftline.schemas.compatibility import faults

BASE: dict[str, Any] = {
    "type": "record",
    "name": "Event",
    "namespace": "x",
    "fields": [
        {"name": "id", "type": {"type": "fixed", "name": "Id", "size": 16}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["a", "b"]}},
        {"name": "other", "type": ["null", "Kind"], "default": None},
        {"name": "parts", "type": {"type": "array", "items": {"type": "map", "values": "long"}}},
        {"name": "old", "type": "int", "default": 0},
    ],
}


def changed(**fields: object) -> dict[str, Any]:
    """Return the base schema with other types for some fields; None takes a field away."""
    kept = [{**each, "type": fields.get(each["name"], each["type"])} for each in BASE["fields"]]
    return {**BASE, "fields": [each for each in kept if each["type"] is not None]}


def test_a_schema_is_compatible_with_itself() -> None:
    """No version has a fault against itself, references to named types included."""
    assert faults(BASE, BASE) == []


def test_fields_with_a_default_come_and_go() -> None:
    """A field with a default may be added and taken away."""
    extra = {"name": "new", "type": "string", "default": ""}
    assert faults(BASE, {**BASE, "fields": [*changed(old=None)["fields"], extra]}) == []


def test_a_new_field_needs_a_default() -> None:
    """A new field without a default is a fault, since older bytes lack it."""
    new = {**BASE, "fields": [*BASE["fields"], {"name": "new", "type": "string"}]}
    assert faults(BASE, new) == ["new is new and has no default; older bytes lack it"]
    assert faults(new, BASE) == ["new is gone and had no default; older readers need it"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"id": {"type": "fixed", "name": "Id", "size": 8}}, "was 16 bytes and is 8"),
        ({"kind": {"type": "enum", "name": "Kind", "symbols": ["a", "b", "c"]}}, "kind has other symbols"),
        (
            {"parts": {"type": "array", "items": {"type": "map", "values": "int"}}},
            "parts[]{} was long and is int",
        ),
        ({"old": "long"}, "old was int and is long"),
        ({"other": ["null", "Kind", "string"]}, "other has another number of branches"),
        ({"id": {"type": "fixed", "name": "Key", "size": 16}}, "was named Id and is named Key"),
    ],
)
def test_what_cannot_be_read_both_ways_is_named(fields: dict[str, Any], words: str) -> None:
    """Another type, size, symbol, branch or name is a fault, and the sentence names the field."""
    found = faults(BASE, changed(**fields))
    assert words in next(iter(found), "")


def test_another_default_is_a_fault() -> None:
    """A changed default would make one missing field mean two things."""
    kept = [{**each, "default": 1} if each["name"] == "old" else each for each in BASE["fields"]]
    assert faults(BASE, {**BASE, "fields": kept}) == ["old has another default"]
