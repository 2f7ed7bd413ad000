"""Rules: what the work on a partition is told about time and memory, from the settings of the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MONTH_DAYS: Final = 32
"""The days of a month, which the oldest day that takes facts may end, and one more."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a shard is told about time and memory.

    Attributes:
        out_of_orderness_ms: how far behind the newest event time the watermark stays.
        hot_windows: closed windows of each resolution that still take late rows.
        kept_days: closed day states kept for the merges to weeks and months: the hot ones and `MONTH_DAYS`.
        publish_seconds: how often an open window is published.
        working_bytes: decoded panes kept between checkpoints beside those at work, bytes.
        held_bytes: cap of the stored state of a partition, bytes; past it the oldest windows go cold.
    """

    out_of_orderness_ms: int = 60_000
    hot_windows: int = 3
    kept_days: int = 35
    publish_seconds: float = 10.0
    working_bytes: int = 4 * 1024 * 1024
    held_bytes: int = 256 * 1024 * 1024
