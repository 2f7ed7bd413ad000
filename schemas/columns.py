"""Predictions and labels between bytes and columns: what emitters pack and every worker reads.

`pack_*` and `read_*` hold the same rules, so whatever one packs the other reads. A record that breaks one is
refused whole (`Refused`, with a reason); NaN, infinities, nulls, wrong types of a value and unseen levels are
data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from driftline.schemas import codec, wire
from driftline.schemas.ids import ID_BYTES
from driftline.schemas.plain import label_columns, prediction_columns
from driftline.schemas.refusal import Refused
from driftline.schemas.rules import check_gaps, check_labels, check_predictions
from driftline.schemas.shapes import (
    Category,
    Gap,
    Identity,
    LabelColumns,
    NumericBlock,
    PredictionColumns,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

__all__ = [
    "ID_BYTES",
    "Category",
    "Gap",
    "Identity",
    "LabelColumns",
    "NumericBlock",
    "PredictionColumns",
    "pack_labels",
    "pack_predictions",
    "read_labels",
    "read_predictions",
]


def pack_predictions(cols: PredictionColumns) -> bytes:
    """Encode a PredictionBatch. Raises Refused when a shape, type, name, time or size is not allowed."""
    rows = cols.rows
    wire.check_rows(rows)
    check_predictions(cols)
    base, deltas = wire.write_times("times_ms", cols.times_ms, rows)
    record = {
        "deployment": cols.deployment,
        "model_version": cols.model_version,
        "slot": cols.slot,
        **_seal(cols.identity),
        "rows": rows,
        "ids": wire.write_ids(cols.ids, rows),
        "original_ids": cols.original_ids,
        "time_base_ms": base,
        "time_deltas": deltas,
        "features": wire.write_blocks("features", cols.features, rows),
        "categories": wire.write_categories("category", cols.categories, rows),
        "gaps": [
            {
                "name": gap.name,
                "nulls": wire.write_bitmap(f"nulls of {gap.name!r}", gap.nulls, rows),
                "wrong": wire.write_bitmap(f"wrong of {gap.name!r}", gap.wrong, rows),
            }
            for gap in cols.gaps
        ],
        "scores": wire.write_blocks("scores", cols.scores, rows),
        "predicted": _one(wire.write_categories("predicted", _list(cols.predicted), rows)),
        "segments": wire.write_categories("segment", cols.segments, rows),
        "latency_ms": wire.write_floats("latency_ms", cols.latency_ms, rows, "float32"),
        "status": _one(wire.write_categories("status", _list(cols.status), rows)),
        "counters_only": list(cols.counters_only),
    }
    check_gaps(cols)
    return codec.encode("PredictionBatch", record)


def read_predictions(data: bytes) -> PredictionColumns:
    """Decode a PredictionBatch or a plain Prediction (one row) and check all of it; raises only Refused.

    Arrays share memory with `data` where they can (ids, numeric blocks, latency) and are then read-only.
    """
    record_type, record = codec.decode(data)
    if record_type == "Prediction":
        cols = prediction_columns(record)
        check_predictions(cols)
        return cols
    if record_type != "PredictionBatch":
        raise Refused("unsupported_type", f"a {record_type} where predictions are expected")
    rows = record["rows"]
    wire.check_rows(rows)
    # One call for every category of the batch: numpy's cost a call would otherwise be most of the time.
    features, segments = record["categories"], record["segments"]
    single = [record[key] for key in ("predicted", "status") if record[key] is not None]
    columns = wire.read_categories("category", [*features, *segments, *single], rows)
    after = len(features) + len(segments)
    cols = PredictionColumns(
        deployment=record["deployment"],
        model_version=record["model_version"],
        slot=record["slot"],
        rows=rows,
        identity=_identity(record),
        ids=wire.read_ids(record["ids"], rows),
        original_ids=record["original_ids"],
        times_ms=wire.read_times("times_ms", record["time_base_ms"], record["time_deltas"], rows),
        features=wire.read_blocks("features", record["features"], rows),
        categories=columns[: len(features)],
        gaps=[
            Gap(
                gap["name"],
                wire.read_bitmap(f"nulls of {gap['name']!r}", gap["nulls"], rows),
                wire.read_bitmap(f"wrong of {gap['name']!r}", gap["wrong"], rows),
            )
            for gap in record["gaps"]
        ],
        scores=wire.read_blocks("scores", record["scores"], rows),
        predicted=columns[after] if record["predicted"] is not None else None,
        segments=columns[len(features) : after],
        latency_ms=wire.read_floats("latency_ms", record["latency_ms"], rows, "float32"),
        status=columns[-1] if record["status"] is not None else None,
        counters_only=tuple(record["counters_only"]),
    )
    check_predictions(cols)
    check_gaps(cols)
    return cols


def pack_labels(cols: LabelColumns) -> bytes:
    """Encode a LabelBatch. Raises Refused when a shape, type, name, time or size is not allowed."""
    rows = cols.rows
    wire.check_rows(rows)
    base, deltas = wire.write_times("known_at_ms", cols.known_at_ms, rows)
    record = {
        "deployment": cols.deployment,
        **_seal(cols.identity),
        "rows": rows,
        "ids": wire.write_ids(cols.ids, rows),
        "original_ids": cols.original_ids,
        "known_base_ms": base,
        "known_deltas": deltas,
        "numbers": wire.write_floats("numbers", cols.numbers, rows, "float64"),
        "classes": _one(wire.write_categories("classes", _list(cols.classes), rows)),
        "withdrawn": wire.write_bitmap("withdrawn", cols.withdrawn, rows),
    }
    check_labels(cols)
    return codec.encode("LabelBatch", record)


def read_labels(data: bytes) -> LabelColumns:
    """Decode a LabelBatch or a plain Label (one row) and check all of it; raises only Refused."""
    record_type, record = codec.decode(data)
    if record_type == "Label":
        cols = label_columns(record)
    elif record_type == "LabelBatch":
        rows = record["rows"]
        wire.check_rows(rows)
        cols = LabelColumns(
            deployment=record["deployment"],
            rows=rows,
            identity=_identity(record),
            ids=wire.read_ids(record["ids"], rows),
            original_ids=record["original_ids"],
            known_at_ms=wire.read_times("known_at_ms", record["known_base_ms"], record["known_deltas"], rows),
            numbers=wire.read_floats("numbers", record["numbers"], rows, "float64"),
            classes=next(iter(wire.read_categories("classes", _list(record["classes"]), rows)), None),
            withdrawn=wire.read_bitmap("withdrawn", record["withdrawn"], rows),
        )
    else:
        raise Refused("unsupported_type", f"a {record_type} where labels are expected")
    check_labels(cols)
    return cols


def _identity(record: dict[str, Any]) -> Identity | None:
    instance = record["instance"]
    return None if instance is None else Identity(instance, record["epoch"], record["seq"])


def _seal(identity: Identity | None) -> dict[str, Any]:
    if identity is None:
        return {}
    return {"instance": identity.instance, "epoch": identity.epoch, "seq": identity.seq}


def _list(value: T | None) -> list[T]:
    return [] if value is None else [value]


def _one(records: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return records[0] if records else None
