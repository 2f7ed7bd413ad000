"""Rows of `windows` from window results: figures become parallel arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.window import WindowResult

_TEXT = pa.string()
_NUMBER = pa.float64()
_WHOLE = pa.int64()
# Field of a figure → (its column below `figures.`, its Arrow type).
_FIGURES: dict[str, tuple[str, pa.DataType]] = {
    "kind": ("kind", _TEXT),
    "feature": ("feature", _TEXT),
    "metric": ("metric", _TEXT),
    "value": ("value", _NUMBER),
    "null": ("threshold_null", _NUMBER),
    "floor": ("floor", _NUMBER),
    "block": ("block", _NUMBER),
    "verdict": ("verdict", _TEXT),
    "reason": ("reason", _TEXT),
    "rows": ("rows", _WHOLE),
    "reference_rows": ("reference_rows", _WHOLE),
    "level": ("level", _NUMBER),
    "low": ("low", _NUMBER),
    "high": ("high", _NUMBER),
    "interval": ("interval", _TEXT),
    "segment": ("segment", _TEXT),
}


def window_rows(results: Sequence[WindowResult], offsets: Sequence[int], times_ms: Sequence[int]) -> pa.Table:
    """Give the rows of `windows`.

    Args:
        results: what came, in the order of the log.
        offsets: where each lies in the topic.
        times_ms: when each came, ms since 1970.
    """
    texts = ("deployment", "model_version", "slot", "resolution", "run", "profile_digest")
    wholes = ("version", "settings_revision", "partition", "absorbed", "rows", "late_rows", "labels")
    moments = {
        "window_start": "window_start_ms",
        "window_end": "window_end_ms",
        "watermark": "watermark_ms",
        "computed_at": "computed_at_ms",
    }
    columns: dict[str, Any] = {name: pa.array([getattr(r, name) for r in results], _TEXT) for name in texts}
    columns |= {name: pa.array([getattr(r, name) for r in results], _WHOLE) for name in wholes}
    columns |= {name: _times([getattr(r, source) for r in results]) for name, source in moments.items()}
    columns["final"] = pa.array([result.final for result in results], pa.bool_())
    columns["provisional"] = pa.array([result.provisional for result in results], pa.bool_())
    # Rows from before there were roles are drift's and have none: a new one must take their place.
    columns["role"] = pa.array(["" if r.role == "drift" else r.role for r in results], _TEXT)
    columns |= {
        name: pa.array([getattr(r, name) for r in results], _NUMBER)
        for name in ("delay_p50_s", "delay_p90_s")
    }
    columns["restated"] = pa.array([result.restated for result in results], pa.bool_())
    columns["counts"] = pa.array([result.counts for result in results], pa.binary())
    columns["src_offset"] = pa.array(offsets, _WHOLE)
    columns["arrived"] = _times(times_ms)
    for name, (column, kind) in _FIGURES.items():
        lists = [[getattr(figure, name) for figure in result.figures] for result in results]
        columns[f"figures.{column}"] = pa.array(lists, pa.list_(kind))
    return pa.table(columns)


def _times(values_ms: Sequence[int]) -> pa.Array:
    """Give a column of times; a watermark that is not set yet (far in the past) is shown as 1970."""
    return arrow.times(np.maximum(np.array(values_ms, np.int64), 0))
