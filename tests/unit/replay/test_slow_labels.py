"""Labels that come when their windows are cold say how long these wait: what is hot knows nothing of them."""

from __future__ import annotations

import pytest
from cold_world import START_MS, Book, World, batch, plain, truth

from driftline.streams.windows.rules import Rules


def test_a_cold_window_waits_as_long_as_its_own_labels_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hot labels take an hour, those of the cold day 60 days: it stays provisional, as a plain join of all says."""
    world = World(Rules(hot_windows=1, kept_days=90), Book(("1h", "1d")))
    world.archive.stand_in(monkeypatch)
    shard = world.begin()
    for day in (0, 60):
        world.predict(shard, batch(0, day, 0, "1"))
        world.publish(shard)
    for label in (truth(0, 60, 60 * 24 + 13, 1), truth(0, 0, 61 * 24, 1)):
        world.archive.truths.append(label)
        shard.take_labels(len(world.archive.truths) - 1, label, 0)
    assert world.restate(shard)
    for _ in range(2):
        world.predict(shard, batch(2, 60, 0, "1"))
        world.publish(shard)
        shard = world.begin()
    wanted = plain(world, shard)
    cold = {
        key: one
        for key, one in world.archive.windows.items()
        if one.window_end_ms < START_MS + 40 * 24 * 3_600_000
    }
    assert {(key[3], one.labels, one.provisional) for key, one in cold.items() if one.labels} == {
        ("1h", 1, False),
        ("1d", 1, True),
        ("7d", 1, True),
        ("1M", 1, True),
    }
    assert all(wanted[key].provisional == one.provisional for key, one in cold.items())
