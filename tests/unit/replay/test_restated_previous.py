"""A restated window is held against the one before it as it was live, where settings ask for that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from cold_archive import ColdArchive
from declared import RULES, book, published, sealed
from segmented import reference, rows

from driftline.schemas.window import WindowResult
from driftline.streams.clickhouse import window_reads
from driftline.streams.replay.drift_tasks import drift_task
from driftline.streams.replay.restate import restate_drift
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.shard import Shard
from driftline.streams.windows.window import Window

START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
LATE_ROWS = 1


@dataclass
class Published:
    """Windows as they were published."""

    windows: dict[int, WindowResult]

    def __call__(
        self, _client: object, _deployment: str, first: Window, until_ms: int, _role: str
    ) -> dict[int, window_reads.Published]:
        """Give days of a span."""
        return {
            start: window_reads.Published(one.profile_digest, one.counts, one.rows)
            for start, one in self.windows.items()
            if first.start_ms <= start < until_ms and first.resolution == "1d"
        }


@pytest.mark.parametrize("late_days", [(2,), (1, 2)])
def test_a_restated_day_keeps_its_figures_against_the_day_before(
    monkeypatch: pytest.MonkeyPatch, late_days: tuple[int, ...]
) -> None:
    """The day before is taken as published, or as restated with it; the figures are those a live day would have."""
    archive, profiles = ColdArchive(), book(reference(2_000, resolutions=("1d",)), baselines=("previous",))
    archive.stand_in(monkeypatch)
    shard = Shard.load(0, {}, profiles, replace(RULES, hot_windows=1, kept_days=2))
    whole = Shard.load(0, {}, profiles, replace(RULES, hot_windows=90))
    live: dict[int, WindowResult] = {}

    def fold(day: int, count: int) -> None:
        offset = len(archive.log)
        times_ms = START_MS + day * DAY_MS + np.arange(count, dtype=np.int64)
        archive.log.append(sealed(rows(offset, count, times_ms, moved="UA", by=float(day)), offset))
        for one in (shard, whole):
            one.fold(offset, archive.log[-1], offset)
        live.update({one.window_start_ms: one for one in published(shard) if one.resolution == "1d"})

    for day in (0, 1, 2, 40):
        fold(day, 300)
    for day in late_days:
        fold(day, LATE_ROWS)
    want = {one.window_start_ms: one for one in published(whole) if one.resolution == "1d" and one.final}
    monkeypatch.setattr(window_reads, "published", Published(live))
    task = drift_task(shard, "churn")
    assert task is not None
    parts = restate_drift(None, task, profiles, RULES, 0)  # type: ignore[arg-type]
    found = {one.window_start_ms: one for part in parts for one in part.results if one.resolution == "1d"}
    assert set(found) == {START_MS + day * DAY_MS for day in late_days}
    for start_ms, one in found.items():
        again = [figure for figure in one.figures if figure.metric == "psi_previous"]
        assert again
        assert all(figure.value is not None for figure in again)
        assert again == [figure for figure in want[start_ms].figures if figure.metric == "psi_previous"]
