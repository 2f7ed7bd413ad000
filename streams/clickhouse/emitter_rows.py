"""Rows of `emitters` and `adopted_spools` from heartbeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Heartbeat = tuple["Mapping[str, Any]", int]
_DROPPED = pa.map_(pa.string(), pa.int64())
_OF_LIFE = (
    "deployment",
    "instance",
    "epoch",
    "model_version",
    "slot",
    "host",
    "pid",
    "heartbeat_ms",
    "closed",
)
_OF_BUFFER = ("buffer_bytes", "buffer_cap_rows", "spool_bytes")
_OF_BOOK = ("topic", "next_seq", "announced_rows", "enqueued", "delivered", "spooled", "in_flight")


def emitter_rows(heartbeats: Sequence[Heartbeat]) -> pa.Table:
    """Give the rows of `emitters`, one a topic of each heartbeat.

    Args:
        heartbeats: EmitterStatus records with the broker's time of each, ms since 1970.
    """
    pairs = [(status, book, arrived) for status, arrived in heartbeats for book in status["books"]]
    columns: dict[str, Any] = {
        name: [status[name] for status, _, _ in pairs] for name in (*_OF_LIFE, *_OF_BUFFER)
    }
    columns |= {name: [book[name] for _, book, _ in pairs] for name in _OF_BOOK}
    columns["dropped"] = _dropped(book["dropped"] for _, book, _ in pairs)
    columns["heartbeat_at"] = _times(status["time_ms"] for status, _, _ in pairs)
    columns["started_at"] = _times(status["started_ms"] for status, _, _ in pairs)
    columns["oldest_spooled"] = pa.array(
        [s["oldest_spooled_ms"] for s, _, _ in pairs], pa.timestamp("ms", "UTC")
    )
    columns["arrived"] = _times(arrived for _, _, arrived in pairs)
    columns["version"] = [max(status["time_ms"], 0) for status, _, _ in pairs]
    return pa.table(columns)


def spool_rows(heartbeats: Sequence[Heartbeat]) -> pa.Table:
    """Give the rows of `adopted_spools`, one an ended life whose spool a heartbeat speaks of; arguments as above."""
    pairs = [(status, spool, arrived) for status, arrived in heartbeats for spool in status["adopted"]]
    names = ("instance", "epoch", "topic", "spooled", "delivered")
    columns: dict[str, Any] = {name: [spool[name] for _, spool, _ in pairs] for name in names}
    columns["deployment"] = [status["deployment"] for status, _, _ in pairs]
    columns["adopter_instance"] = [status["instance"] for status, _, _ in pairs]
    columns["adopter_epoch"] = [status["epoch"] for status, _, _ in pairs]
    columns["dropped"] = _dropped(spool["dropped"] for _, spool, _ in pairs)
    columns["heartbeat_at"] = _times(status["time_ms"] for status, _, _ in pairs)
    columns["arrived"] = _times(arrived for _, _, arrived in pairs)
    columns["version"] = [max(status["time_ms"], 0) for status, _, _ in pairs]
    return pa.table(columns)


def _dropped(maps: Iterable[Mapping[str, int]]) -> pa.Array:
    return pa.array([list(reasons.items()) for reasons in maps], _DROPPED)


def _times(values_ms: Iterable[int]) -> pa.Array:
    return arrow.times(np.maximum(np.array(list(values_ms), np.int64), 0))
