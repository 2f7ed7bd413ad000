"""Shard row: the stored record of a partition's positions and of its deployments' watermarks and late rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.streams.windows.book import NEVER
from driftline.streams.windows.gaps import Gaps
from driftline.streams.windows.held import StateError
from driftline.streams.windows.late import LateDays

if TYPE_CHECKING:
    from driftline.streams.join.hot import Hot

Records = list[tuple[bytes, bytes | None]]
"""Keys and values of the stored state, in the order of writing; None is a tombstone."""

FORMAT: Final = 1
ROW_KEY: Final = b"r"


def write_row(topic_ids: tuple[str, str], **parts: object) -> bytes:
    """Give the bytes of a row.

    Args:
        topic_ids: of predictions and labels.
        parts: whatever else belongs to it, as plain values.
    """
    return msgspec.msgpack.encode({"format": FORMAT, "topic_ids": topic_ids, **parts})


def read_row(data: bytes, partition: int, topic_ids: tuple[str, str]) -> dict[str, Any]:
    """Read what `write_row` wrote.

    Raises:
        StateError: the state has another format, or was made from other topics.
    """
    row: dict[str, Any] = msgspec.msgpack.decode(data)
    if row["format"] != FORMAT:
        raise StateError(
            f"the state of accuracy, partition {partition}, has format {row['format']}, this release reads {FORMAT}: "
            "run the release that wrote it"
        )
    if topic_ids != tuple(row["topic_ids"]):
        raise StateError(
            f"topics predictions and labels are others than the state of accuracy, partition {partition}, was made "
            "from: use another DRIFTLINE_KAFKA_TOPIC_PREFIX, or delete the topic driftline-accuracy-state"
        )
    return row


def hot_parts(hot: Hot) -> tuple[object, ...]:
    """Give what is stored of a deployment."""
    times = hot.watermark_ms, hot.newest_ms, hot.heard_ms
    return (hot.name, *times, hot.floors_ms, hot.late.to_list(), hot.gaps.to_list(), hot.days_ms)


def take_up(hot: Hot, parts: list[Any]) -> None:
    """Let a deployment go on from what was stored of it."""
    _, watermark, newest, heard, floors, late, *more = parts
    hot.watermark_ms = hot.closed_ms = watermark
    hot.newest_ms, hot.heard_ms, hot.floors_ms = newest, heard, floors
    # An earlier release counted late rows, and did not say where they lie.
    hot.late = LateDays() if isinstance(late, int) else LateDays.from_list(late)
    # Nor did it know of gaps, and a later one not of the days that are gone.
    hot.gaps = Gaps.from_list(more[0]) if more else Gaps()
    hot.days_ms = more[1] if len(more) > 1 else NEVER
    hot.is_restored = True
