"""Fewer hot windows of labels after a restart: what was hot is still part of its week and month."""

from __future__ import annotations

import pytest
from cold_world import START_MS, Book, World, batch

from driftline.streams.windows.resolution import Resolution
from driftline.streams.windows.rules import MONTH_DAYS, Rules


@pytest.mark.parametrize("publishes", [False, True])
def test_days_that_were_hot_are_in_their_month(monkeypatch: pytest.MonkeyPatch, *, publishes: bool) -> None:
    """Of 10 hot days 8 go cold as 2 are to be hot: the month has the rows of all, when it is final too."""
    world = World(Rules(hot_windows=10, kept_days=10 + MONTH_DAYS), Book(("1d",)))
    world.archive.stand_in(monkeypatch)
    shard = world.begin()
    for day in range(10):
        world.predict(shard, batch(0, day, 0, "v"))
        world.publish(shard)
    shard = world.again(2)
    if publishes:
        world.publish(shard)
        shard = world.again(2)
    for day in range(10, 60):
        world.predict(shard, batch(0, day, 0, "v"))
        world.publish(shard)
    month = world.archive.windows["accuracy", "v", "champion", "1M", Resolution("1M").start(START_MS)]
    assert (month.final, month.rows) == (True, 30)
    assert shard.rules.hot_windows == 2
    assert world.differences(shard) == []
