"""Columns of predictions and labels from stored rows: what `prediction_rows` and `label_rows` wrote, read back.

What was counted of a batch is counted of its stored rows too, `==`, with two exceptions. Columns whose policy is
`counters_only` were never stored. And a batch whose predicted class, or status, is null in every row is taken for one
that has no such column: the table does not tell them apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline.schemas.ids import ID_BYTES
from driftline.schemas.shapes import Category, Gap, LabelColumns, NumericBlock, PredictionColumns

KEYS: Final = (
    "model_version",
    "slot",
    "float_names",
    "double_names",
    "category_names",
    "score_names",
    "segment_names",
)
"""Columns that hold one value for all rows of a batch: rows that share them are one batch again."""


def prediction_columns(rows: pa.RecordBatch, deployment: str) -> Iterator[tuple[int, PredictionColumns]]:
    """Give stored predictions of one deployment as batches, each with the greatest offset of its rows.

    Args:
        rows: columns of the table `predictions`; those that are not asked for are left empty.
        deployment: its name.
    """
    for offsets, cols in placed_columns(rows, deployment):
        yield int(offsets.max()), cols


def placed_columns(
    rows: pa.RecordBatch, deployment: str
) -> Iterator[tuple[NDArray[np.int64], PredictionColumns]]:
    """Give the same, each batch with the offset of each of its rows."""
    for part in _alike(rows):
        held = {name: part.column(name) for name in part.schema.names}
        names = {name: _names(held[name][0].as_py()) for name in KEYS[2:] if name in held}
        count = part.num_rows
        floats = _block(held.get("floats"), names.get("float_names", ()), np.float32)
        doubles = _block(held.get("doubles"), names.get("double_names", ()), np.float64)
        cols = PredictionColumns(
            deployment=deployment,
            model_version=str(held["model_version"][0].as_py()),
            slot=str(held["slot"][0].as_py()),
            rows=count,
            identity=None,
            ids=_ids(held["prediction_id"]),
            original_ids=None,
            times_ms=_times(held["ts"]),
            features=[*floats, *doubles],
            categories=_categories(held.get("categories"), names.get("category_names", ())),
            gaps=_gaps(held.get("nulls"), held.get("wrong"), count),
            scores=_block(held.get("scores"), names.get("score_names", ()), np.float64),
            predicted=_category("predicted", held.get("predicted")),
            segments=_categories(held.get("segments"), names.get("segment_names", ())),
            latency_ms=_latency(held.get("latency_ms")),
            status=_category("status", held.get("status")),
        )
        yield _numbers(held["src_offset"]), cols


def label_columns(rows: pa.RecordBatch, deployment: str) -> LabelColumns:
    """Give stored labels of one deployment as a batch: `prediction_id`, `known_at`, `number`, `class`, `withdrawn`."""
    number = rows.column("number").cast(pa.float64()).fill_null(np.nan)
    return LabelColumns(
        deployment=deployment,
        rows=rows.num_rows,
        identity=None,
        ids=_ids(rows.column("prediction_id")),
        original_ids=None,
        known_at_ms=_times(rows.column("known_at")),
        numbers=number.to_numpy(zero_copy_only=False),
        classes=_category("classes", rows.column("class")),
        withdrawn=rows.column("withdrawn").cast(pa.bool_()).to_numpy(zero_copy_only=False),
    )


def _alike(rows: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Part rows so that each part has one make-up."""
    if not rows.num_rows:
        return []
    group = np.zeros(rows.num_rows, np.int64)
    for name in KEYS:
        if name in rows.schema.names:
            codes, levels = _encoded(rows.column(name))
            group = group * (len(levels) + 1) + codes
    _, batch = np.unique(_numbers(rows.column("src_offset")), return_inverse=True)
    for name in ("predicted", "status"):
        if name in rows.schema.names:
            given = rows.column(name).is_valid().to_numpy(zero_copy_only=False)
            group = group * 2 + (np.bincount(batch, weights=given) > 0)[batch]
    found, which = np.unique(group, return_inverse=True)
    if len(found) == 1:
        return [rows]
    return [rows.take(pa.array(np.flatnonzero(which == at))) for at in range(len(found))]


@lru_cache(maxsize=1_024)
def _names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text else ()


def _numbers(column: pa.Array) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.int64)


def _times(column: pa.Array) -> np.ndarray:
    """Times as int64 ms since 1970."""
    in_ms = column.cast(pa.timestamp("ms", "UTC")) if pa.types.is_timestamp(column.type) else column
    return np.asarray(in_ms.cast(pa.int64()).to_numpy(zero_copy_only=False))


def _ids(column: pa.Array) -> np.ndarray:
    """Ids as uint8 (rows, 16)."""
    plain = column.cast(pa.binary(ID_BYTES))
    data = np.frombuffer(plain.buffers()[1], np.uint8)
    at = plain.offset * ID_BYTES
    return data[at : at + len(plain) * ID_BYTES].reshape(len(plain), ID_BYTES)


def _encoded(column: pa.Array) -> tuple[np.ndarray, list[str]]:
    """Codes int64 (rows,), -1 for null, and what they mean."""
    coded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    codes = np.asarray(coded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False))
    return codes, coded.dictionary.cast(pa.string()).to_pylist()


def _block(column: pa.Array | None, names: Sequence[str], dtype: type[np.floating]) -> list[NumericBlock]:
    if column is None or not names:
        return []
    lying = np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(-1, len(names))
    return [NumericBlock(tuple(names), np.ascontiguousarray(lying.T.astype(dtype, copy=False)))]


def _categories(column: pa.Array | None, names: Sequence[str]) -> list[Category]:
    if column is None or not names:
        return []
    codes, levels = _encoded(column.flatten())
    return [
        _used(name, part, levels) for name, part in zip(names, codes.reshape(-1, len(names)).T, strict=True)
    ]


def _category(name: str, column: pa.Array | None) -> Category | None:
    if column is None or column.null_count == len(column):
        return None
    return _used(name, *_encoded(column))


def _used(name: str, codes: np.ndarray, levels: Sequence[str]) -> Category:
    """Make a column of the levels that it uses: those of a block are the levels of all its columns."""
    used = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(levels)))
    # One place more than levels, so that -1 picks the last, which is -1.
    table = np.full(len(levels) + 1, -1, np.int32)
    table[used] = np.arange(len(used))
    return Category(name, tuple(levels[at] for at in used.tolist()), table[codes])


def _latency(column: pa.Array | None) -> np.ndarray | None:
    if column is None or column.null_count == len(column):
        return None
    return np.asarray(column.fill_null(np.nan).to_numpy(zero_copy_only=False)).astype(np.float32)


def _gaps(nulls: pa.Array | None, wrong: pa.Array | None, rows: int) -> list[Gap]:
    of = [{} if one is None else _masks(one, rows) for one in (nulls, wrong)]
    return [Gap(name, of[0].get(name), of[1].get(name)) for name in sorted({*of[0], *of[1]})]


def _masks(column: pa.Array, rows: int) -> dict[str, np.ndarray]:
    """Which rows name what: bool (rows,) by name."""
    lengths = np.asarray(column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    if not lengths.any():
        return {}
    codes, levels = _encoded(column.flatten())
    at = np.repeat(np.arange(rows), lengths)
    masks = {}
    for code in np.unique(codes).tolist():
        mask = np.zeros(rows, np.bool_)
        mask[at[codes == code]] = True
        masks[levels[code]] = mask
    return masks
