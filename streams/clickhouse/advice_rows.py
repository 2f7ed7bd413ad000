"""Rows of `advice` from changes of advice: what is asked for in columns, and the whole as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.advice import Advice

_TEXT: Final = pa.string()
_COLUMNS: Final = {
    **dict.fromkeys(("deployment", "model_version", "slot", "id", "resolution", "advice"), _TEXT),
    **dict.fromkeys(("labels", "settings_revision"), pa.int64()),
    **dict.fromkeys(("coverage", "expected_per_year"), pa.float64()),
}
_TIMES: Final = ("window_start", "window_end", "since", "made_at")


def advice_rows(advices: Sequence[Advice], offsets: Sequence[int], times_ms: Sequence[int]) -> pa.Table:
    """Give the rows of `advice`.

    Args:
        advices: what came, in the order of the log.
        offsets: where each lies in the topic.
        times_ms: when each came, ms since 1970.
    """
    columns: dict[str, Any] = {
        name: pa.array([getattr(one, name) for one in advices], kind) for name, kind in _COLUMNS.items()
    }
    for name in _TIMES:
        columns[name] = _times([getattr(one, f"{name}_ms") for one in advices])
    for name in ("code", "sentence"):
        lists = [[getattr(reason, name) for reason in one.reasons] for one in advices]
        columns[f"reasons.{name}"] = pa.array(lists, pa.list_(_TEXT))
    columns["routes"] = pa.array([list(one.routes) for one in advices], pa.list_(_TEXT))
    columns["record"] = pa.array([msgspec.json.encode(one).decode() for one in advices], _TEXT)
    columns["src_offset"] = pa.array(offsets, pa.int64())
    columns["arrived"] = _times(times_ms)
    return pa.table(columns)


def _times(values_ms: Sequence[int]) -> pa.Array:
    return arrow.times(np.maximum(np.array(values_ms, np.int64), 0))
