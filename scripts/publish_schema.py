"""Publish schema versions: write golden bytes of each new `schemas/events/*.avsc` and pin its text.

Usage: scripts/publish_schema.py [--again FILE.avsc ...]; --again renews files of no release yet.
A published version is never edited: a change is a new file, name.v2.avsc, with a default for each new field.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fastavro

from driftline.schemas.codec import MAGIC, EventSchema, catalog
from driftline.schemas.compatibility import faults

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "contract" / "schemas"
PINS = FOLDER / "published.json"
NUMBERS: dict[str, object] = {
    "int": 7,
    "long": 1_234_567_890_123,
    "float": 0.5,
    "double": 0.1,
    "boolean": True,
    "null": None,
}


def main(arguments: Sequence[str]) -> int:
    """Publish what is not pinned yet; a published file whose text has changed is named and left alone."""
    again = set(arguments[1:]) if arguments[:1] == ["--again"] else set()
    pins: dict[str, dict[str, str]] = json.loads(PINS.read_text(encoding="utf-8")) if PINS.exists() else {}
    for schema in sorted(catalog().by_fingerprint.values(), key=lambda each: each.file_name):
        pin = pin_of(schema)
        held = pins.get(schema.file_name)
        if held == pin:
            continue
        if held is not None and schema.file_name not in again:
            print(f"{schema.file_name} is published and was edited: add a new version", file=sys.stderr)
            return 1
        older = [each for each in catalog().by_fingerprint.values() if each.record_type == schema.record_type]
        wrong = [fault for each in older for fault in faults(each.parsed, schema.parsed)]
        if wrong:
            print(f"{schema.file_name}: {wrong[0]}", file=sys.stderr)
            return 1
        record = sample(schema.parsed, schema.record_type, {})
        stem = schema.file_name.removesuffix(".avsc")
        (FOLDER / "golden" / f"{stem}.bin").write_bytes(encoded(schema, record))
        (FOLDER / "golden" / f"{stem}.json").write_text(avro_json(schema, record), encoding="utf-8")
        pins[schema.file_name] = pin
        print(f"published {schema.file_name}")
    PINS.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return 0


def pin_of(schema: EventSchema) -> dict[str, str]:
    """Return what identifies a published version: digest of its text, and fingerprint as it travels."""
    digest = hashlib.sha256(schema.text.encode("utf-8")).hexdigest()
    return {"fingerprint": schema.fingerprint.hex(), "sha256": digest}


def encoded(schema: EventSchema, record: object) -> bytes:
    """Return the message of a record under exactly this version."""
    out = io.BytesIO()
    out.write(MAGIC + schema.fingerprint)
    fastavro.schemaless_writer(out, schema.parsed, record)
    return out.getvalue()


def avro_json(schema: EventSchema, record: object) -> str:
    """Return the record in Avro's JSON encoding, which Java reads too."""
    out = io.StringIO()
    fastavro.json_writer(out, schema.parsed, [record])
    return out.getvalue() + "\n"


def sample(schema: Any, name: str, named: dict[str, Any]) -> object:  # noqa: ANN401 - a schema is any JSON
    """Return a value with every field filled: the last branch of a union, one item in each array and map."""
    if isinstance(schema, list):
        return sample(schema[-1], name, named)
    if isinstance(schema, str):
        if schema in named:
            return sample(named[schema], name, named)
        return NUMBERS[schema] if schema in NUMBERS else text_or_bytes(schema, name)
    return composite(schema, name, named)


def composite(schema: Mapping[str, Any], name: str, named: dict[str, Any]) -> object:
    """Return a sample of a named type, an array or a map."""
    kind = schema["type"]
    if "name" in schema:
        named[schema["name"]] = schema
    if kind == "record":
        return {each["name"]: sample(each["type"], each["name"], named) for each in schema["fields"]}
    if kind == "array":
        return [sample(schema["items"], name, named)]
    if kind == "map":
        return {f"key of {name}": sample(schema["values"], name, named)}
    if kind == "enum":
        return schema["symbols"][-1]
    if kind == "fixed":
        return bytes(range(schema["size"]))
    return sample(kind, name, named)


def text_or_bytes(kind: str, name: str) -> object:
    """Return a text beyond ASCII, or bytes that are no UTF-8."""
    return f"{name} é" if kind == "string" else b"\x00\xff" + name.encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
