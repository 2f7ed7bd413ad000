"""What the drift worker's settings make of the rules of a shard."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from shards import DAY_MS, RowsOnly, batch

from driftline.schemas.settings import Worker
from driftline.streams.processors.drift_worker import rules_of
from driftline.streams.windows.checkpoint import commit, plan
from driftline.streams.windows.shard import Shard

MARCH_MS = int(dt.datetime(2024, 3, 1, tzinfo=dt.UTC).timestamp() * 1000)


class Days(RowsOnly):
    """Counted by days alone."""

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """One width."""
        return ("1d",)


def test_a_month_is_whole_however_many_days_are_hot() -> None:
    """With 20 hot days a row that comes 20 days late is told in its month, beside all rows of the month's days."""
    rules = replace(rules_of(Worker(hot_windows=20), 4), publish_seconds=0.0)
    shard = Shard.load(0, {}, Days(), rules)
    times_ms = [MARCH_MS + day * DAY_MS + 1_000 for day in range(51)] + [MARCH_MS + 30 * DAY_MS + 5_000]
    months: list[int] = []
    for offset, time_ms in enumerate(times_ms):
        shard.fold(offset, batch("a", offset, [time_ms]), 0)
        written = plan(shard, 0, float(offset))
        results = [due.make() for due in written.due if due.resolution == "1M"]
        months += [one.rows for one in results if one.window_start_ms == MARCH_MS and one.final]
        commit(shard, written)
    assert months[-1] == 32
