"""Apache Avro for Java, which shares no code with ours, agrees about fingerprints and bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import fastavro
import numpy as np
from avro_records import as_written

from driftline.schemas import codec
from driftline.schemas.columns import (
    Category,
    Gap,
    Identity,
    NumericBlock,
    PredictionColumns,
    pack_predictions,
)

HERE = Path(__file__).resolve().parent
EVENTS = HERE.parents[2] / "schemas" / "events"
SCHEMAS = sorted(codec.catalog().by_fingerprint.values(), key=lambda schema: schema.file_name)
Ask = Callable[[Sequence[str]], list[str]]


def from_json(schema: codec.EventSchema, text: str) -> object:
    """Return the one record of a text in Avro's JSON encoding."""
    return next(iter(fastavro.json_reader(io.StringIO(text), schema.parsed)))


def golden(schema: codec.EventSchema, suffix: str) -> Path:
    """Return a committed file of a schema version."""
    return HERE / "golden" / schema.file_name.replace(".avsc", suffix)


def test_java_computes_our_fingerprints(avro_java: Ask) -> None:
    """SchemaNormalization.parsingFingerprint64 of each file is what our messages carry."""
    found = avro_java([f"fingerprint\t{EVENTS / schema.file_name}" for schema in SCHEMAS])
    assert found == [schema.fingerprint.hex() for schema in SCHEMAS]


def test_java_reads_our_bytes(avro_java: Ask) -> None:
    """BinaryMessageDecoder reads the committed messages, and finds in them what our reader finds."""
    messages = [golden(schema, ".bin").read_bytes() for schema in SCHEMAS]
    lines = [
        f"read\t{EVENTS / schema.file_name}\t{data.hex()}"
        for schema, data in zip(SCHEMAS, messages, strict=True)
    ]
    for schema, data, answer in zip(SCHEMAS, messages, avro_java(lines), strict=True):
        body = io.BytesIO(data[codec.HEADER_BYTES :])
        assert from_json(schema, answer) == fastavro.schemaless_reader(body, schema.parsed, None)


def test_we_read_what_java_writes(avro_java: Ask) -> None:
    """Messages that BinaryMessageEncoder wrote decode into what went into them."""
    texts = [golden(schema, ".json").read_text(encoding="utf-8").strip() for schema in SCHEMAS]
    lines = [
        f"write\t{EVENTS / schema.file_name}\t{text}" for schema, text in zip(SCHEMAS, texts, strict=True)
    ]
    for schema, text, answer in zip(SCHEMAS, texts, avro_java(lines), strict=True):
        record_type, record = codec.decode(bytes.fromhex(answer))
        expected = from_json(schema, text)
        assert record_type == schema.record_type
        assert isinstance(expected, dict)
        assert as_written(record, expected) == expected


def test_java_writes_our_columns_byte_for_byte(avro_java: Ask) -> None:
    """A packed batch that Java reads and writes again is the same bytes."""
    generator = np.random.default_rng(7)
    cols = PredictionColumns(
        deployment="arrivals",
        model_version="2013-03",
        slot="champion",
        rows=100,
        identity=Identity("host-1", 1, 2),
        ids=generator.integers(0, 256, (100, 16)).astype(np.uint8),
        original_ids=None,
        times_ms=np.arange(100, dtype=np.int64) * 1_000 + 1_700_000_000_000,
        features=[NumericBlock(("temp", "dewp"), np.full((2, 100), np.nan, np.float32))],
        categories=[Category("carrier", ("AA", "UA"), np.arange(100, dtype=np.int32) % 3 - 1)],
        gaps=[Gap("temp", np.arange(100) % 2 == 0, np.arange(100) % 2 == 1)],
    )
    data = pack_predictions(cols)
    path = EVENTS / codec.schema_of("PredictionBatch").file_name
    (text,) = avro_java([f"read\t{path}\t{data.hex()}"])
    (again,) = avro_java([f"write\t{path}\t{text}"])
    assert bytes.fromhex(again) == data


def test_java_finds_versions_compatible_both_ways(avro_java: Ask) -> None:
    """SchemaCompatibility calls every two versions of one record compatible, whichever reads."""
    pairs = [(one, two) for one in SCHEMAS for two in SCHEMAS if one.record_type == two.record_type]
    lines = [f"compatible\t{EVENTS / one.file_name}\t{EVENTS / two.file_name}" for one, two in pairs]
    assert set(avro_java(lines)) == {"COMPATIBLE COMPATIBLE"}
