"""Rows of `predictions` and `prediction_lookup` from batches of predictions."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.schemas.shapes import Category, NumericBlock, PredictionColumns
    from driftline.streams.clickhouse.source import Source


def prediction_rows(batches: Sequence[PredictionColumns], sources: Source) -> pa.Table:
    """Give the rows of `predictions`.

    Columns whose policy is `counters_only` are left out: the emitter was told that they must not be kept.

    Args:
        batches: decoded batches, in the order of the log.
        sources: where and when each came from.
    """
    kept = [_Kept(batch) for batch in batches]
    counts = sources.counts
    gaps = [
        [gap for gap in batch.gaps if gap.name not in part.hidden]
        for batch, part in zip(batches, kept, strict=True)
    ]
    return pa.table(
        {
            "deployment": arrow.repeated([batch.deployment for batch in batches], counts),
            "model_version": arrow.repeated([batch.model_version for batch in batches], counts),
            "slot": arrow.repeated([batch.slot for batch in batches], counts),
            "ts": arrow.times(_joined(batch.times_ms for batch in batches)),
            "prediction_id": arrow.ids([batch.ids for batch in batches]),
            "original_id": arrow.originals([batch.original_ids for batch in batches], counts),
            "float_names": arrow.repeated([_names(part.floats) for part in kept], counts),
            "floats": arrow.numeric_lists([_values(part.floats) for part in kept], counts, np.float32),
            "double_names": arrow.repeated([_names(part.doubles) for part in kept], counts),
            "doubles": arrow.numeric_lists([_values(part.doubles) for part in kept], counts, np.float64),
            "category_names": arrow.repeated([_titles(part.categories) for part in kept], counts),
            "categories": arrow.text_lists([part.categories for part in kept], counts),
            "nulls": arrow.named_rows(
                [[(g.name, g.nulls) for g in part if g.nulls is not None] for part in gaps], counts
            ),
            "wrong": arrow.named_rows(
                [[(g.name, g.wrong) for g in part if g.wrong is not None] for part in gaps], counts
            ),
            "score_names": arrow.repeated([_names(batch.scores) for batch in batches], counts),
            "scores": arrow.numeric_lists([_values(batch.scores) for batch in batches], counts, np.float64),
            "predicted": arrow.categories([batch.predicted for batch in batches], counts),
            "segment_names": arrow.repeated([_titles(part.segments) for part in kept], counts),
            "segments": arrow.text_lists([part.segments for part in kept], counts),
            "latency_ms": arrow.floats([batch.latency_ms for batch in batches], counts, np.float32),
            "status": arrow.categories([batch.status for batch in batches], counts),
            **sources.columns(),
        },
    )


def lookup_rows(batches: Sequence[PredictionColumns], sources: Source) -> pa.Table:
    """Give the rows of `prediction_lookup`; arguments as `prediction_rows`."""
    counts = sources.counts
    return pa.table(
        {
            "deployment": arrow.repeated([batch.deployment for batch in batches], counts),
            "prediction_id": arrow.ids([batch.ids for batch in batches]),
            "ts": arrow.times(_joined(batch.times_ms for batch in batches)),
            "model_version": arrow.repeated([batch.model_version for batch in batches], counts),
            "slot": arrow.repeated([batch.slot for batch in batches], counts),
            **sources.columns(),
        },
    )


class _Kept:
    """The columns of a batch that may be stored, sorted by how they are stored."""

    __slots__ = ("categories", "doubles", "floats", "hidden", "segments")

    def __init__(self, batch: PredictionColumns) -> None:
        self.hidden = frozenset(batch.counters_only)
        blocks = [_without(block, self.hidden) for block in batch.features] if self.hidden else batch.features
        self.floats = [block for block in blocks if block.values.dtype == np.float32]
        self.doubles = [block for block in blocks if block.values.dtype == np.float64]
        self.categories = [column for column in batch.categories if column.name not in self.hidden]
        self.segments = [column for column in batch.segments if column.name not in self.hidden]


def _without(block: NumericBlock, hidden: frozenset[str]) -> NumericBlock:
    """Give a block without its hidden columns."""
    held = [index for index, name in enumerate(block.names) if name not in hidden]
    return type(block)(tuple(block.names[index] for index in held), block.values[held])


def _values(blocks: Sequence[NumericBlock]) -> list[np.ndarray]:
    return [block.values for block in blocks]


def _names(blocks: Sequence[NumericBlock]) -> str:
    """Give the names of numeric columns as one JSON list, in the order of their values."""
    return _json(tuple(name for block in blocks for name in block.names))


def _titles(columns: Sequence[Category]) -> str:
    """Give the names of text columns as one JSON list, in the order of their values."""
    return _json(tuple(column.name for column in columns))


@functools.lru_cache(maxsize=1_024)
def _json(names: tuple[str, ...]) -> str:
    """Write names as a JSON list; a deployment has few sets of them, and each batch asks."""
    return json.dumps(names, ensure_ascii=False)


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([*parts, np.empty(0, np.int64)])
