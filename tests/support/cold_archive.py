"""An archive in memory: what `fact_reads` asks of ClickHouse, answered from lists of batches, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pytest

from driftline.schemas.columns import Category, LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.window import WindowResult
from driftline.streams.clickhouse import fact_reads, window_reads
from driftline.streams.clickhouse.fact_reads import PART_MS, Stretch, Touched
from driftline.streams.clickhouse.window_reads import Published
from driftline.streams.join.dirty import Offsets
from driftline.streams.windows.late import Late
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.window import Window

ASKED = (
    "touched_by_rows",
    "touched_by_labels",
    "thinned",
    "label_records",
    "predictions",
    "answers",
    "marks",
    "days_with_repeats",
    "offsets_of",
    "duplicates",
    "labels",
    "newest_ms",
    "rows_by_day",
)


@dataclass
class ColdArchive:
    """Both logs, and the newest result of each window: role, version, slot, resolution, start.

    What retention took lies in `taken`; its lineage is held.
    """

    log: list[PredictionColumns] = field(default_factory=list)
    truths: list[LabelColumns] = field(default_factory=list)
    windows: dict[tuple[str, str, str, str, int], WindowResult] = field(default_factory=dict)
    taken: list[PredictionColumns] = field(default_factory=list)

    def stand_in(self, patch: pytest.MonkeyPatch) -> None:
        """Answer in the place of ClickHouse."""
        for name in ASKED:
            patch.setattr(fact_reads, name, getattr(self, name))
        for name in ("published", "published_days"):
            patch.setattr(window_reads, name, getattr(self, name))

    def publish(self, result: WindowResult) -> None:
        """Take a result as ClickHouse does: the greatest version holds, of equal ones the later."""
        key = (result.role, result.model_version, result.slot, result.resolution, result.window_start_ms)
        held = self.windows.get(key)
        if held is None or result.version >= held.version:
            self.windows[key] = WindowResult.from_bytes(result.to_bytes())

    def touched_by_rows(self, _client: object, deployment: str, late: Late) -> list[Touched]:
        """Where the rows of some offsets lie."""
        return [
            Touched(deployment, cols.model_version, cols.slot, time // PART_MS * PART_MS)
            for cols in self.log[late.first : late.last + 1]
            if cols.deployment == deployment
            and late.version in (None, cols.model_version)
            and late.slot in (None, cols.slot)
            for time in cols.times_ms.tolist()
            if late.since_ms <= time < late.until_ms
        ]

    def touched_by_labels(self, _client: object, _partition: int, offsets: Offsets) -> list[Touched]:
        """Where the predictions lie that some labels name."""
        first, last = offsets.span or (0, -1)
        named = {
            (cols.deployment, bytes(one))
            for offset, cols in enumerate(self.truths)
            if offset in offsets.single or first <= offset <= last
            for one in cols.ids
        }
        return [
            Touched(cols.deployment, cols.model_version, cols.slot, time // PART_MS * PART_MS)
            for cols in self.log
            for one, time in zip(cols.ids, cols.times_ms.tolist(), strict=True)
            if (cols.deployment, bytes(one)) in named
        ]

    def thinned(self, _client: object, stretch: Stretch) -> list[Touched]:
        """Where rows are missing."""
        return [
            Touched(cols.deployment, cols.model_version, cols.slot, time // PART_MS * PART_MS)
            for cols in self.taken
            for time in cols.times_ms.tolist()
            if cols.deployment == stretch.deployment and stretch.since_ms <= time < stretch.until_ms
        ]

    def label_records(self, _client: object, _partition: int, deployment: str, offsets: set[int]) -> set[int]:
        """Which of some records of labels are of a deployment."""
        return {offset for offset in offsets if self.truths[offset].deployment == deployment}

    def predictions(
        self, _client: object, stretch: Stretch, last: int | None = None
    ) -> Iterator[tuple[int, PredictionColumns]]:
        """Rows of a stretch, in the order of the log, up to an offset; of a sealed batch once."""
        seen = set()
        for offset, cols in enumerate(self.log if last is None else self.log[: last + 1]):
            seal = offset if cols.identity is None else (cols.deployment, cols.identity.seq)
            if seal in seen:
                continue
            seen.add(seal)
            inside = (cols.times_ms >= stretch.since_ms) & (cols.times_ms < stretch.until_ms)
            if cols.deployment == stretch.deployment and inside.any():
                yield offset, some(cols, inside)

    answers = predictions

    def marks(self, _client: object, deployment: str, since_ms: int, bound_ms: int) -> dict[int, int]:
        """What moved the watermark, and the first record that did."""
        found: dict[int, int] = {}
        for offset, cols in enumerate(self.log):
            for time in cols.times_ms.tolist() if cols.deployment == deployment else ():
                if time >= since_ms:
                    found.setdefault((time - bound_ms) // PART_MS * PART_MS, offset)
        return found

    def days_with_repeats(self, _client: object, deployment: str, since_ms: int) -> frozenset[int]:
        """Days of predictions whose id came more than once."""
        days: dict[bytes, list[int]] = {}
        for cols in self.log:
            for time, one in zip(cols.times_ms.tolist(), cols.ids, strict=True):
                if cols.deployment == deployment and time >= since_ms:
                    days.setdefault(bytes(one), []).append(time // DAY_MS * DAY_MS)
        return frozenset(day for several in days.values() if len(several) > 1 for day in several)

    def offsets_of(self, client: object, stretch: Stretch) -> tuple[int, int] | None:
        """The first and the last record that has rows of a stretch."""
        found = [offset for offset, _ in self.predictions(client, stretch)]
        return (found[0], found[-1]) if found else None

    def duplicates(
        self, client: object, stretch: Stretch, span_ms: tuple[int, int], last: int
    ) -> Iterator[tuple[int, PredictionColumns]]:
        """Rows outside a stretch whose ids it has."""
        there = {bytes(one) for _, cols in self.predictions(client, stretch) for one in cols.ids}
        for offset, cols in self.predictions(client, Stretch(stretch.deployment, *span_ms)):
            times = cols.times_ms
            outside = (times < stretch.since_ms) | (times >= stretch.until_ms)
            rows = outside & np.array([bytes(one) in there for one in cols.ids])
            if rows.any() and offset < last:
                yield offset, some(cols, rows)

    def labels(self, client: object, stretch: Stretch) -> Iterator[LabelColumns]:
        """The label in force of each prediction of a stretch."""
        there = {bytes(one) for _, cols in self.predictions(client, stretch) for one in cols.ids}
        force: dict[bytes, tuple[int, int, int]] = {}
        for offset, cols in enumerate(self.truths):
            for row in range(cols.rows):
                one = bytes(cols.ids[row])
                if cols.deployment == stretch.deployment and one in there:
                    force[one] = max(force.get(one, (-1, -1, -1)), (int(cols.known_at_ms[row]), offset, row))
        for _, offset, row in force.values():
            cols = self.truths[offset]
            yield some(cols, np.arange(cols.rows) == row)

    def published_days(
        self, _client: object, _deployment: str, window: Window, role: str
    ) -> dict[int, Published]:
        """Days of a week or month, as they were published last."""
        return {
            start: Published(result.profile_digest, result.counts, result.rows)
            for (of, version, slot, resolution, start), result in self.windows.items()
            if (of, version, slot, resolution) == (role, window.version, window.slot, "1d")
            and window.start_ms <= start < window.end_ms
        }

    def published(
        self, _client: object, _deployment: str, first: Window, until_ms: int, role: str
    ) -> dict[int, Published]:
        """Windows as they were published last, from one on."""
        return {
            start: Published(result.profile_digest, result.counts, result.rows)
            for (of, version, slot, resolution, start), result in self.windows.items()
            if (of, version, slot, resolution) == (role, first.version, first.slot, first.resolution)
            and first.start_ms <= start < until_ms
        }

    def rows_by_day(self, client: object, stretch: Stretch) -> dict[int, int]:
        """How many rows each day has."""
        times = [time for _, cols in self.predictions(client, stretch) for time in cols.times_ms.tolist()]
        return dict(Counter(time // DAY_MS * DAY_MS for time in times))

    def newest_ms(self, _client: object, _deployment: str) -> int | None:
        """The greatest event time."""
        return max((cols.span_ms[1] for cols in self.log), default=None)


def some(cols: Any, rows: np.ndarray) -> Any:
    """Some rows of a batch, without its seal."""
    found = {one.name: _some(getattr(cols, one.name), rows) for one in fields(cols) if one.init}
    return replace(cols, **{**found, "rows": int(rows.sum()), "identity": None})


def _some(part: Any, rows: np.ndarray) -> Any:
    if isinstance(part, np.ndarray):
        return part[rows]
    if isinstance(part, NumericBlock):
        return NumericBlock(part.names, part.values[:, rows])
    if isinstance(part, Category):
        return Category(part.name, part.levels, part.codes[rows])
    return [_some(one, rows) for one in part] if isinstance(part, list) else part
