"""Batches made by hand, and an oracle of what must be counted of them: plain Python, value by value."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np

from driftline.schemas.profile import Profile
from driftline.schemas.profile_column import ProfileColumn
from driftline.schemas.shapes import Category, Gap, NumericBlock, PredictionColumns
from driftline.streams.windows.profiling import build_profile


def category(name: str, values: Sequence[str | None]) -> Category:
    """Code strings by their first appearance; None is null."""
    levels = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = [-1 if value is None else levels.index(value) for value in values]
    return Category(name, levels, np.array(codes, np.int32))


def batch(
    numbers: Mapping[str, Sequence[float] | np.ndarray] | None = None,
    categories: Mapping[str, Sequence[str | None]] | None = None,
    *,
    dtype: str = "float64",
    times_ms: Sequence[int] | np.ndarray | None = None,
    gaps: Sequence[Gap] = (),
    scores: Mapping[str, Sequence[float] | np.ndarray] | None = None,
    predicted: Sequence[str | None] | None = None,
    segments: Mapping[str, Sequence[str | None]] | None = None,
    latency_ms: Sequence[float] | None = None,
    status: Sequence[str | None] | None = None,
) -> PredictionColumns:
    """Make a batch of columns given by name; every given column has as many rows as the first."""
    first = [
        *(numbers or {}).values(),
        *(categories or {}).values(),
        *(scores or {}).values(),
        predicted or [],
    ]
    rows = len(first[0])
    return PredictionColumns(
        deployment="churn",
        model_version="1",
        slot="champion",
        rows=rows,
        identity=None,
        ids=np.zeros((rows, 16), np.uint8),
        original_ids=None,
        times_ms=np.arange(rows, dtype=np.int64) if times_ms is None else np.asarray(times_ms, np.int64),
        features=_blocks(numbers, dtype),
        categories=[category(name, values) for name, values in (categories or {}).items()],
        gaps=list(gaps),
        scores=_blocks(scores, dtype),
        predicted=None if predicted is None else category("predicted", predicted),
        segments=[category(name, values) for name, values in (segments or {}).items()],
        latency_ms=None if latency_ms is None else np.array(latency_ms, np.float32),
        status=None if status is None else category("status", status),
    )


def profile_of(*batches: PredictionColumns, **options: object) -> Profile:
    """Build a profile with a fixed seed and time."""
    return build_profile(batches, rng=np.random.default_rng(0), created_at_ms=0, **options)  # type: ignore[arg-type]


def expected_counts(column: ProfileColumn, values: Sequence[float] | np.ndarray) -> list[int]:
    """Count finite values, as they travel, into the column's fine bins, one by one."""
    edges = column.edges.tolist()
    counts = [0] * (len(edges) + 1)
    for value in _travelled(column, values):
        if math.isfinite(value):
            counts[bisect_left(edges, value)] += 1
    return counts


def expected_sums(column: ProfileColumn, values: Sequence[float] | np.ndarray) -> list[int]:
    """Add the terms of finite values, as they travel, per fine bin, in Python's unbounded integers."""
    edges = column.edges.tolist()
    sums = [0] * (len(edges) + 1)
    for value in _travelled(column, values):
        if not math.isfinite(value):
            continue
        term = (value - column.mean) * (2.0**40 / column.unit)
        # Python rounds halves to even, as IEEE 754 does.
        whole = round(max(-(2.0**60), min(2.0**60, term)))
        sums[bisect_left(edges, value)] += whole
    return sums


def _travelled(column: ProfileColumn, values: Sequence[float] | np.ndarray) -> list[float]:
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(column.dtype).astype(np.float64).tolist()


def _blocks(numbers: Mapping[str, Sequence[float] | np.ndarray] | None, dtype: str) -> list[NumericBlock]:
    if not numbers:
        return []
    with np.errstate(over="ignore"):
        values = np.stack([np.asarray(column, np.float64) for column in numbers.values()]).astype(dtype)
    return [NumericBlock(tuple(numbers), values)]
