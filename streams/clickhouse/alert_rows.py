"""Rows of `alerts` from edges and acknowledgements: figures become parallel arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.alert import Alert

_TEXT, _NUMBER, _WHOLE, _TIME = pa.string(), pa.float64(), pa.int64(), pa.timestamp("ms", "UTC")
_TEXTS = ("id", "alert_id", "deployment", "rule", "about", "name", "segment", "slot", "state", "severity", "importance",
          "reason", "model_version", "resolution", "owner", "team", "runbook", "by", "comment")  # fmt: skip
_WHOLES = ("ordinal", "priority", "window_version", "rows", "settings_revision")
# Field of a figure → its Arrow type; `null` has another name as a column, which SQL could read.
_FIGURES = {"feature": _TEXT, "metric": _TEXT, "value": _NUMBER, "low": _NUMBER, "high": _NUMBER, "null": _NUMBER,
            "floor": _NUMBER, "block": _NUMBER, "verdict": _TEXT, "reason": _TEXT, "rows": _WHOLE}  # fmt: skip


def alert_rows(alerts: Sequence[Alert], offsets: Sequence[int], times_ms: Sequence[int]) -> pa.Table:
    """Give the rows of `alerts`.

    Args:
        alerts: what came, in the order of the log.
        offsets: where each lies in the topic.
        times_ms: when each came, ms since 1970.
    """
    columns: dict[str, Any] = {name: pa.array([getattr(a, name) for a in alerts], _TEXT) for name in _TEXTS}
    columns |= {name: pa.array([getattr(a, name) for a in alerts], _WHOLE) for name in _WHOLES}
    for name, source in (("window_start", "window_start_ms"), ("window_end", "window_end_ms")):
        columns[name] = pa.array([getattr(a, source) for a in alerts], _TIME)
    for name, source in (("since", "since_ms"), ("made_at", "made_at_ms")):
        columns[name] = _times([getattr(a, source) for a in alerts])
    columns["routes"] = pa.array([list(a.routes) for a in alerts], pa.list_(_TEXT))
    for name, kind in _FIGURES.items():
        lists = [[getattr(figure, name) for figure in a.figures] for a in alerts]
        columns[f"figures.{'threshold_null' if name == 'null' else name}"] = pa.array(lists, pa.list_(kind))
    columns["src_offset"] = pa.array(offsets, _WHOLE)
    columns["arrived"] = _times(times_ms)
    return pa.table(columns)


def _times(values_ms: Sequence[int]) -> pa.Array:
    return arrow.times(np.maximum(np.array(values_ms, np.int64), 0))
