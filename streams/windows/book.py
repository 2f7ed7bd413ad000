"""What is known of one deployment besides its panes: how far time has come, what was seen, what came too late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from driftline.schemas.columns import PredictionColumns
from driftline.streams.windows.gaps import Gaps
from driftline.streams.windows.held import book_key, seal, unseal
from driftline.streams.windows.late import LateDays
from driftline.streams.windows.marks import SequenceMarks
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.unprofiled import Unprofiled

WIDTHS_MS: Final = {"5m": 300_000, "1h": 3_600_000, "1d": DAY_MS}
"""The resolutions that are folded; wider ones are merges of days."""

NEVER: Final = -(2**62)
"""A watermark before anything was seen, ms."""

Times = npt.NDArray[np.int64]


def cold_before(floors_ms: Mapping[str, int], resolution: str, watermark_ms: int, hot_windows: int) -> int:
    """Say before which start (ms) windows of a resolution are cold: behind the hot ones, or pushed out."""
    floor = floors_ms.get(resolution, NEVER)
    if watermark_ms == NEVER:
        return floor
    width = WIDTHS_MS[resolution]
    return max(floor, watermark_ms // width * width - hot_windows * width)


def closed_by_clock(newest_ms: int, resolutions: Iterable[str], reached_ms: int) -> int:
    """Give the watermark of a stream that is silent: the end of its newest windows that the clock has reached."""
    ends = [(newest_ms // WIDTHS_MS[name] + 1) * WIDTHS_MS[name] for name in resolutions]
    return max((end for end in ends if end <= reached_ms), default=NEVER)


@dataclass(slots=True)
class Book:
    """One deployment's row in the state.

    Attributes:
        deployment: its name.
        absorbed: offset of the last message of this deployment that is in the row.
        watermark_ms: no event before this time is expected any more; a window is closed once its end is reached.
        newest_ms: the greatest event time seen.
        heard_ms: the broker's time of its last message.
        floors_ms: per resolution, windows that start before it were pushed out at the byte cap: cold.
        cold_ms: per resolution, windows that start before it were cold at the last checkpoint: they stay so, whatever
            number of them is to be hot now, for rows of them were left out.
        days_ms: the first day whose state was kept at the last checkpoint.
        seen: sequence marks.
        late: rows for windows already cold.
        gaps: windows that not all rows were counted of, and what each version is counted by.
        unprofiled: windows counted while no profile was known, until they are asked for.
        duplicates: batches skipped because they had been seen.
    """

    deployment: str
    absorbed: int = -1
    writes: int = 0
    watermark_ms: int = NEVER
    newest_ms: int = NEVER
    heard_ms: int = 0
    floors_ms: dict[str, int] = field(default_factory=dict)
    cold_ms: dict[str, int] = field(default_factory=dict)
    days_ms: int = NEVER
    seen: SequenceMarks = field(default_factory=SequenceMarks)
    late: LateDays = field(default_factory=LateDays)
    gaps: Gaps = field(default_factory=Gaps)
    unprofiled: Unprofiled = field(default_factory=Unprofiled)
    duplicates: int = 0

    def is_new(self, columns: PredictionColumns, record_time_ms: int) -> bool:
        """Whether this batch was not seen before; a record without a seal is always new (at least once)."""
        seal_ = columns.identity
        if seal_ is None or self.seen.see(seal_.instance, seal_.epoch, seal_.seq, record_time_ms):
            return True
        self.duplicates += 1
        return False

    def advance(self, columns: PredictionColumns, bound_ms: int) -> Times | None:
        """Move the watermark past a batch's events.

        Returns:
            For each row the watermark just before it, or None when the batch cannot have overtaken itself
            (then the watermark before the batch holds for all its rows).
        """
        oldest, newest = columns.span_ms
        before = self.watermark_ms
        self.newest_ms = max(self.newest_ms, newest)
        self.watermark_ms = max(before, newest - bound_ms)
        if self.watermark_ms == before or oldest >= self.watermark_ms:
            return None
        reached = np.maximum.accumulate(columns.times_ms) - bound_ms
        own = np.empty_like(reached)
        own[0] = before
        np.maximum(reached[:-1], before, out=own[1:])
        return own

    def cold_before(self, resolution: str, watermark_ms: int, hot_windows: int) -> int:
        """Windows of `resolution` that start before this time (ms) are cold when the watermark stands there."""
        edge_ms = cold_before(self.floors_ms, resolution, watermark_ms, hot_windows)
        return max(edge_ms, self.cold_ms.get(resolution, NEVER))

    def days_from(self, watermark_ms: int, kept_days: int) -> int:
        """Start of the first day whose state is kept, ms, when the watermark stands there."""
        return max(watermark_ms // DAY_MS * DAY_MS - kept_days * DAY_MS, self.days_left_ms)

    @property
    def days_left_ms(self) -> int:
        """Start of the first day whose state is there, ms, if it has rows: at the next checkpoint others may go."""
        return max(self.days_ms, self.floors_ms.get("1d", NEVER))

    def note_cold(self, rules: Rules) -> None:
        """Take down what is cold as the watermark stands, and which days are kept."""
        self.cold_ms = {
            name: self.cold_before(name, self.watermark_ms, rules.hot_windows) for name in WIDTHS_MS
        }
        self.days_ms = self.days_from(self.watermark_ms, rules.kept_days)

    @property
    def key(self) -> bytes:
        """The key of this row."""
        return book_key(self.deployment)

    def encode(self) -> bytes:
        """The row as it is stored; each call is one more write."""
        self.writes += 1
        body = msgspec.msgpack.encode(
            {
                "deployment": self.deployment,
                "watermark_ms": self.watermark_ms,
                "newest_ms": self.newest_ms,
                "heard_ms": self.heard_ms,
                "floors_ms": self.floors_ms,
                "cold_ms": self.cold_ms,
                "days_ms": self.days_ms,
                "seen": self.seen.to_list(),
                "late": self.late.to_list(),
                "gaps": self.gaps.to_list(),
                "unprofiled": self.unprofiled.to_list(),
                "duplicates": self.duplicates,
            }
        )
        return seal(self.absorbed, self.writes, body)

    @classmethod
    def decode(cls, key: bytes, value: bytes) -> Book:
        """The reverse of `encode`.

        Raises:
            StateError: the value has another format.
        """
        absorbed, writes, body = unseal(key, value)
        stored = msgspec.msgpack.decode(body)
        return cls(
            deployment=stored["deployment"],
            absorbed=absorbed,
            writes=writes,
            watermark_ms=stored["watermark_ms"],
            newest_ms=stored["newest_ms"],
            heard_ms=stored["heard_ms"],
            floors_ms=stored["floors_ms"],
            cold_ms=stored.get("cold_ms", {}),
            days_ms=stored.get("days_ms", NEVER),
            seen=SequenceMarks.from_list(stored["seen"]),
            late=LateDays.from_list(stored["late"]),
            gaps=Gaps.from_list(stored["gaps"]) if "gaps" in stored else Gaps(),
            unprofiled=Unprofiled.from_list(stored.get("unprofiled", ())),
            duplicates=stored["duplicates"],
        )
