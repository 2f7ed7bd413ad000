"""Avro single-object encoding of every record in `schemas/events/`, read back whatever version wrote it.

A message is the two-byte marker C3 01, the CRC-64-AVRO fingerprint of the writer's schema in parsing
canonical form (8 bytes, little-endian), and the Avro binary body (Avro 1.12 specification, "Single-object
encoding"). No registry has to run: each published version of a schema stays in the tree as `name.vN.avsc`,
and a file laid there is enough.
"""

from __future__ import annotations

import functools
import importlib.readers  # noqa: F401 - `resources` reads by it; a fork while a thread imports it would cut it off
import io
import json
import re
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

import fastavro
from fastavro.schema import fingerprint as fastavro_fingerprint
from fastavro.schema import to_parsing_canonical_form

from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

MAGIC: Final = b"\xc3\x01"
HEADER_BYTES: Final = 10
# Largest encoded record by type. Decoding may need some 80 times as much memory (an array of empty columns),
# so this bounds what a hostile message can cost. Topics allow at least this much (driftline.schemas.topics).
DEFAULT_MAX_BYTES: Final = 1_000_000
MAX_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {"DeadLetter": 2_500_000, "WindowResult": 2_000_000, "Profile": 8_000_000},
)
_FILE_NAME: Final = re.compile(r"(?P<stem>[a-z][a-z0-9_]*)\.v(?P<version>[1-9][0-9]*)\.avsc")


@dataclass(frozen=True, slots=True)
class EventSchema:
    """One published version of one record type."""

    record_type: str
    version: int
    file_name: str
    text: str
    parsed: dict[str, Any]
    canonical: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every published schema: the newest of each record type, and all by fingerprint."""

    newest: Mapping[str, EventSchema]
    by_fingerprint: Mapping[bytes, EventSchema]


@functools.cache
def catalog() -> Catalog:
    """The schemas of this release, read and parsed once a process."""
    return read_catalog(resources.files("driftline.schemas") / "events")


def read_catalog(folder: Traversable) -> Catalog:
    """Read and parse each `name.vN.avsc` of a folder.

    Raises ValueError when a file there is misnamed or no record, or when two versions share a fingerprint.
    """
    newest: dict[str, EventSchema] = {}
    by_fingerprint: dict[bytes, EventSchema] = {}
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if not entry.name.endswith(".avsc"):
            continue
        schema = _parse(entry.name, entry.read_text(encoding="utf-8"))
        twin = by_fingerprint.setdefault(schema.fingerprint, schema)
        if twin is not schema:
            message = (
                f"{schema.file_name} and {twin.file_name} have one fingerprint; a new version must differ"
            )
            raise ValueError(message)
        held = newest.get(schema.record_type)
        if held is None or held.version < schema.version:
            newest[schema.record_type] = schema
    return Catalog(MappingProxyType(newest), MappingProxyType(by_fingerprint))


def schema_of(record_type: str) -> EventSchema:
    """The newest published schema of a record type; raises LookupError for a name without one."""
    try:
        return catalog().newest[record_type]
    except KeyError:
        known = ", ".join(sorted(catalog().newest))
        message = f"no schema for the record type {record_type!r}; there are {known}"
        raise LookupError(message) from None


def fingerprint(record_type: str) -> bytes:
    """CRC-64-AVRO of the newest schema's canonical form: 8 bytes, little-endian as they travel."""
    return schema_of(record_type).fingerprint


def max_bytes(record_type: str) -> int:
    """Largest encoded record of a type, in bytes, header included."""
    return MAX_BYTES.get(record_type, DEFAULT_MAX_BYTES)


def encode(record_type: str, record: Mapping[str, Any]) -> bytes:
    """Encode one record under the newest schema of its type; fields with a default may be left out.

    Raises Refused (`unsupported_type`, `too_large`) when the record does not fit its schema or its bound.
    """
    schema = schema_of(record_type)
    out = io.BytesIO()
    out.write(MAGIC)
    out.write(schema.fingerprint)
    try:
        fastavro.schemaless_writer(out, schema.parsed, record, strict_allow_default=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        detail = f"the record is no {record_type}: {_first_line(error)}"
        raise Refused("unsupported_type", detail) from error
    data = out.getvalue()
    _check_size(record_type, len(data))
    return data


def decode(data: bytes) -> tuple[str, dict[str, Any]]:
    """Decode one message into its record type and a record of the newest version of that type.

    Raises Refused (`bad_magic`, `unknown_schema`, `too_large`, `bad_bytes`) and nothing else, whatever the
    bytes.
    """
    schema = written_by(data)
    _check_size(schema.record_type, len(data))
    newest = schema_of(schema.record_type)
    body = io.BytesIO(data)
    body.seek(HEADER_BYTES)
    try:
        # Without a reader schema fastavro skips resolution, which is most of the time for small records.
        reader = None if newest is schema else newest.parsed
        record = fastavro.schemaless_reader(body, schema.parsed, reader)
    except Exception as error:  # the bytes come from anyone: whatever they break, the answer is the same
        detail = (
            f"the body does not decode as {schema.record_type} version {schema.version}: {_first_line(error)}"
        )
        raise Refused("bad_bytes", detail) from error
    if body.tell() != len(data):
        extra = len(data) - body.tell()
        raise Refused("bad_bytes", f"{extra} bytes follow the end of the {schema.record_type}")
    if not isinstance(record, dict):  # a schema that is no record; catalog() refuses those
        raise Refused("bad_bytes", f"the body of {schema.record_type} is no record")
    return schema.record_type, record


def decode_as(record_type: str, data: bytes) -> dict[str, Any]:
    """Decode one message that must be of a type; raises Refused as `decode`, and `unsupported_type` for another one."""
    found, record = decode(data)
    if found != record_type:
        article = "an" if record_type[0] in "AEIOU" else "a"
        raise Refused("unsupported_type", f"a {found} lies where {article} {record_type} belongs")
    return record


def written_by(data: bytes) -> EventSchema:
    """The schema that wrote a message; raises Refused (`bad_magic`, `unknown_schema`)."""
    if data[:2] != MAGIC:
        raise Refused("bad_magic", f"the message begins with {data[:2].hex() or 'nothing'}, not c301")
    schema = catalog().by_fingerprint.get(data[2:HEADER_BYTES])
    if schema is None:
        detail = (
            f"no schema has the fingerprint {data[2:HEADER_BYTES].hex()}; a newer release may have written it"
        )
        raise Refused("unknown_schema", detail)
    return schema


def _check_size(record_type: str, size: int) -> None:
    bound = max_bytes(record_type)
    if size > bound:
        raise Refused("too_large", f"a {record_type} of {size:,} bytes; at most {bound:,} are allowed")


def _parse(file_name: str, text: str) -> EventSchema:
    match = _FILE_NAME.fullmatch(file_name)
    if match is None:
        message = f"schemas/events/{file_name} is not named like prediction_batch.v1.avsc"
        raise ValueError(message)
    source = json.loads(text)
    if not isinstance(source, dict) or source.get("type") != "record":
        message = f"schemas/events/{file_name} is no Avro record"
        raise ValueError(message)
    parsed = cast("dict[str, Any]", fastavro.parse_schema(source))
    canonical = to_parsing_canonical_form(parsed)
    # fastavro gives the 8 bytes in the order in which they travel, as hexadecimal digits.
    crc = bytes.fromhex(fastavro_fingerprint(canonical, "CRC-64-AVRO"))
    return EventSchema(source["name"], int(match["version"]), file_name, text, parsed, canonical, crc)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + text[0][:200] if text else ''}"
