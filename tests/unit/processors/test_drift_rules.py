"""What the drift worker's settings make of the rules of a shard."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from shards import DAY_MS, HOUR_MS, Widths, batch

from driftline.schemas.settings import Worker
from driftline.schemas.window import WindowResult
from driftline.streams.processors.drift_worker import rules_of
from driftline.streams.windows.checkpoint import commit, plan
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.shard import Shard

MARCH_MS = int(dt.datetime(2024, 3, 1, tzinfo=dt.UTC).timestamp() * 1000)


class Life:
    """A shard by whose rules so many windows are hot, and all the `results` that it has told."""

    def __init__(self, widths: tuple[str, ...], hot_windows: int) -> None:
        self._profiles = Widths(*widths)
        self.shard = Shard(0, {}, self._profiles, self._rules(hot_windows))
        self._offset = -1
        self.results: list[WindowResult] = []

    def again(self, hot_windows: int) -> None:
        """Restart by other rules."""
        self.shard = Shard.load(0, dict(self.shard.held), self._profiles, self._rules(hot_windows))

    def row(self, *times_ms: int) -> list[tuple[str, int, int]]:
        """Take a batch, mostly of one row; gives resolution, start and rows of what is told after it."""
        self._offset += 1
        self.shard.fold(self._offset, batch("a", self._offset, [*times_ms]), 0)
        return self.written()

    def written(self) -> list[tuple[str, int, int]]:
        """Write a checkpoint; gives what is told with it."""
        written = plan(self.shard, 0, float(self._offset))
        results = list(written.results)
        commit(self.shard, written)
        self.results += results
        return [(one.resolution, one.window_start_ms, one.rows) for one in results]

    def hours(self, count: int) -> None:
        """Take a row of each of so many hours."""
        for hour in range(count):
            self.row(MARCH_MS + hour * HOUR_MS)

    @staticmethod
    def _rules(hot_windows: int) -> Rules:
        return replace(rules_of(Worker(hot_windows=hot_windows), 4), publish_seconds=0.0)


def test_a_month_is_whole_however_many_days_are_hot() -> None:
    """With 20 hot days a row that comes 20 days late is told in its month, beside all rows of the month's days."""
    life = Life(("1d",), 20)
    for day in range(51):
        life.row(MARCH_MS + day * DAY_MS + 1_000)
    life.row(MARCH_MS + 30 * DAY_MS + 5_000)
    months = [one for one in life.results if (one.resolution, one.window_start_ms) == ("1M", MARCH_MS)]
    assert [one.rows for one in months if one.final][-1] == 32


def test_more_hot_windows_do_not_warm_what_was_cold() -> None:
    """An hour that was cold under 3 hot windows takes no row under 20 after a restart: its other rows are gone."""
    life = Life(("1h",), 3)
    life.hours(21)
    life.again(20)
    late = life.row(MARCH_MS + 10 * HOUR_MS)
    assert ("1h", MARCH_MS + 10 * HOUR_MS, 1) not in late
    assert life.shard.tally.late == 1
    # As time goes on as many are hot as are wanted.
    for hour in range(21, 41):
        life.row(MARCH_MS + hour * HOUR_MS)
    assert ("1h", MARCH_MS + 21 * HOUR_MS, 2) in life.row(MARCH_MS + 21 * HOUR_MS + 1)


def test_what_went_cold_before_any_row_came_stays_cold() -> None:
    """From 20 hot windows to 1, which is written and sees no row, and back to 20: their states are gone."""
    life = Life(("1h",), 20)
    life.hours(21)
    life.again(1)
    life.written()
    life.again(20)
    assert ("1h", MARCH_MS + 10 * HOUR_MS, 1) not in life.row(MARCH_MS + 10 * HOUR_MS)
    assert life.shard.tally.late == 1


def test_a_batch_that_overtakes_itself_warms_nothing_either() -> None:
    """Its first row is of a window that was cold under 3 hot ones, its second moves the watermark."""
    life = Life(("1h",), 3)
    life.hours(21)
    life.again(20)
    told = life.row(MARCH_MS + 10 * HOUR_MS, MARCH_MS + 22 * HOUR_MS)
    assert ("1h", MARCH_MS + 10 * HOUR_MS, 1) not in told
    assert life.shard.tally.late == 1


def test_a_month_is_whole_after_more_windows_are_hot() -> None:
    """Raised from 1 to 20 hot days, a day that takes a late row tells its month with the days that were kept before."""
    life = Life(("1d",), 1)
    for day in range(51):
        life.row(MARCH_MS + day * DAY_MS)
    life.again(20)
    for day in range(51, 61):
        life.row(MARCH_MS + day * DAY_MS)
    assert ("1M", MARCH_MS + 31 * DAY_MS, 31) in life.row(MARCH_MS + 50 * DAY_MS + 1)


def test_a_month_that_time_leaps_over_is_told_whole() -> None:
    """Its days are there until what they came to is told, however far the watermark leaps."""
    life = Life(("1d",), 3)
    for day in range(20):
        life.row(MARCH_MS + day * DAY_MS)
    assert ("1M", MARCH_MS, 20) in life.row(MARCH_MS + 120 * DAY_MS)
