"""Days that are asked for are restated, and none that lie between them, however many rows are late beside."""

from __future__ import annotations

import pytest
from cold_world import DAY_MS, START_MS, Book, World, batch

from driftline.streams.replay.join_tasks import join_task
from driftline.streams.replay.restate import ASKED_APART, restate_join
from driftline.streams.windows.rules import Rules


@pytest.mark.parametrize("others", [0, ASKED_APART + 1])
def test_only_days_that_are_asked_for_are_restated(monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    """Of days 0 and 8, asked for at once, those alone; late rows elsewhere do not widen what is asked."""
    world = World(Rules(hot_windows=1, kept_days=35), Book(("1d",)))
    world.archive.stand_in(monkeypatch)
    shard = world.begin()
    for day in [*range(10), *range(20, 20 + others), 200]:
        world.predict(shard, batch(0, day, 0, "days"))
    world.publish(shard)
    late, last = shard.hots["d"].late, shard.predictions
    for day in (0, 8):
        late.ask(START_MS + day * DAY_MS, START_MS + (day + 1) * DAY_MS, last)
    for offset, day in enumerate(range(20, 20 + others), 10):
        late.add("days", "champion", START_MS + day * DAY_MS, 2, offset)
    task = join_task(shard)
    assert task is not None
    results = [one for part in restate_join(None, task, world.book, 0) for one in part.results]  # type: ignore[arg-type]
    days = {(one.window_start_ms - START_MS) // DAY_MS for one in results if one.resolution == "1d"}
    assert days == {0, 8, *range(20, 20 + others)}
