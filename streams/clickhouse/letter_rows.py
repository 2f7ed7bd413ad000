"""Rows of `dead_letters`: what was refused, and what was mended by sending it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPEN = "open"
MENDED = "mended"
_TIME = pa.timestamp("ms", "UTC")
_HEADERS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One row. `version` orders the judgements of one dead letter: the broker's time of the record last judged, ms."""

    topic: str
    partition: int
    offset: int
    state: str
    reason: str
    detail: str
    attempts: int
    version: int
    refused_ms: int
    refused_by: str
    arrived_ms: int
    record_ms: int | None = None
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def refused(record: Mapping[str, Any], attempts: int, arrived_ms: int) -> LetterRow:
    """Give the row of a DeadLetter record that was judged `attempts` times."""
    at = record["source_time_ms"]
    return LetterRow(
        topic=record["source_topic"],
        partition=record["source_partition"],
        offset=record["source_offset"],
        state=OPEN,
        reason=record["reason"],
        detail=record["detail"],
        attempts=attempts,
        version=max(at, 0),
        refused_ms=record["refused_ms"],
        refused_by=record["refused_by"],
        arrived_ms=arrived_ms,
        record_ms=at if at >= 0 else None,
        key=record["key"],
        value=record["value"],
        headers=tuple((header["name"], header["value"]) for header in record["headers"]),
    )


def letter_rows(letters: Sequence[LetterRow]) -> pa.Table:
    """Give the rows of `dead_letters`."""
    headers = [[{"name": name, "value": value} for name, value in letter.headers] for letter in letters]
    return pa.table(
        {
            "topic": [letter.topic for letter in letters],
            "partition": pa.array([max(letter.partition, 0) for letter in letters], pa.uint32()),
            "offset": pa.array([letter.offset for letter in letters], pa.int64()),
            "state": [letter.state for letter in letters],
            "reason": [letter.reason for letter in letters],
            "detail": [letter.detail for letter in letters],
            "attempts": pa.array([letter.attempts for letter in letters], pa.uint32()),
            "record_time": pa.array([letter.record_ms for letter in letters], _TIME),
            "refused_at": pa.array([letter.refused_ms for letter in letters], _TIME),
            "refused_by": [letter.refused_by for letter in letters],
            "key": pa.array([letter.key for letter in letters], pa.binary()),
            "value": pa.array([letter.value for letter in letters], pa.binary()),
            "headers": pa.array(headers, _HEADERS),
            "arrived": pa.array([letter.arrived_ms for letter in letters], _TIME),
            "version": pa.array([letter.version for letter in letters], pa.uint64()),
        },
    )
