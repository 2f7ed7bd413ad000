"""The plain records Prediction and Label, turned into columns of one row: workers know one shape.

double and long features become float64 (a long past 2^53 is rounded), strings and booleans ("true", "false")
become categories. A null does not say what the column is: it becomes a numeric NaN with a null gap, whatever
the profile says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.schemas import wire
from driftline.schemas.ids import id_of
from driftline.schemas.shapes import Category, Gap, LabelColumns, NumericBlock, PredictionColumns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def prediction_columns(record: Mapping[str, Any]) -> PredictionColumns:
    """Columns of one row from a decoded Prediction; raises Refused for a time outside 1970 to 2199."""
    numbers: dict[str, float] = {}
    categories: list[Category] = []
    gaps: list[Gap] = []
    for name, value in record["features"].items():
        if isinstance(value, (bool, str)):
            categories.append(_category(name, _text(value)))
            continue
        numbers[name] = np.nan if value is None else float(value)
        if value is None:
            gaps.append(_null(name))
    scores: dict[str, float] = {}
    for name, value in record["scores"].items():
        scores[name] = np.nan if value is None else value
        if value is None and name not in record["features"]:
            gaps.append(_null(name))
    ids, originals = _id(record["id"])
    latency = record["latency_ms"]
    return PredictionColumns(
        deployment=record["deployment"],
        model_version=record["model_version"],
        slot=record["slot"],
        rows=1,
        identity=None,
        ids=ids,
        original_ids=originals,
        times_ms=wire.read_times("time_ms", record["time_ms"], bytes(8), 1),
        features=_block(numbers),
        categories=categories,
        gaps=gaps,
        scores=_block(scores),
        predicted=None if record["predicted"] is None else _category("predicted", record["predicted"]),
        segments=[_category(name, value) for name, value in record["segments"].items()],
        latency_ms=None if latency is None else np.array([latency], np.float32),
        status=None if record["status"] is None else _category("status", record["status"]),
    )


def label_columns(record: Mapping[str, Any]) -> LabelColumns:
    """Columns of one row from a decoded Label; raises Refused for a time outside 1970 to 2199."""
    value = record["value"]
    ids, originals = _id(record["id"])
    text = isinstance(value, (bool, str))
    return LabelColumns(
        deployment=record["deployment"],
        rows=1,
        identity=None,
        ids=ids,
        original_ids=originals,
        known_at_ms=wire.read_times("known_at_ms", record["known_at_ms"], bytes(8), 1),
        numbers=None if text or value is None else np.array([value], np.float64),
        classes=_category("classes", _text(value)) if text else None,
        withdrawn=np.array([True]) if record["withdrawn"] else None,
    )


def _id(value: bytes | str) -> tuple[NDArray[np.uint8], list[str | None] | None]:
    """An id of 16 bytes, or the hash of the application's own with the original beside it."""
    if isinstance(value, str):
        return wire.read_ids(id_of(value), 1), [value]
    return wire.read_ids(value, 1), None


def _block(values: dict[str, float]) -> list[NumericBlock]:
    if not values:
        return []
    return [NumericBlock(tuple(values), np.array(list(values.values()), np.float64).reshape(-1, 1))]


def _category(name: str, value: str | None) -> Category:
    if value is None:
        return Category(name, (), np.array([-1], np.int32))
    return Category(name, (value,), np.array([0], np.int32))


def _null(name: str) -> Gap:
    return Gap(name, np.array([True]), None)


def _text(value: bool | str) -> str:  # noqa: FBT001 - it is the value itself, not a switch
    return value if isinstance(value, str) else str(value).lower()
