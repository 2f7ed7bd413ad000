"""A width that a version is newly counted by: memory is silent of what began before, and the archive gives it whole."""

from __future__ import annotations

import numpy as np
import pytest
from cold_world import START_MS, Book, World

from driftline.schemas.columns import NumericBlock, PredictionColumns
from driftline.streams.windows.rules import Rules

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
RULES = Rules(hot_windows=1, kept_days=33)


class Life:
    """A worker that is told of one prediction an hour."""

    def __init__(self, patch: pytest.MonkeyPatch, *widths: str) -> None:
        self.world = World(RULES, Book(widths))
        self.world.archive.stand_in(patch)
        self.shard = self.world.begin()

    def hours(self, first: int, end: int, version: str = "1") -> None:
        """Predict twice in each of some hours, and publish after each."""
        for hour in range(first, end):
            ids = np.zeros((2, 16), np.uint8)
            ids[:, 13:15] = np.array([hour], ">u2").view(np.uint8)
            ids[:, 15] = 1, 2
            times = START_MS + hour * HOUR_MS + np.array([60_000, 40 * 60_000], np.int64)
            scores = [NumericBlock(("score",), np.full((1, 2), 0.5, np.float32))]
            cols = PredictionColumns("d", version, "champion", 2, None, ids, None, times, scores=scores)
            self.world.predict(self.shard, cols)
            self.world.publish(self.shard)

    def last(self, resolution: str, unit_ms: int, version: str = "1") -> dict[int, int]:
        """Rows of the last result of each window, by its start."""
        return {
            (start - START_MS) // unit_ms: one.rows
            for (_, of, _, width, start), one in self.world.archive.windows.items()
            if (of, width) == (version, resolution)
        }


@pytest.mark.parametrize("restarts", [False, True])
def test_the_first_day_that_is_counted_is_whole_or_silent(
    monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    """Days are asked for at the noon of the second one, whether a worker runs then or begins again."""
    life = Life(monkeypatch, "5m", "1h")
    life.hours(0, 36)
    assert life.last("1d", DAY_MS) == {}
    life.world.book.widths = ("5m", "1h", "1d")
    if restarts:
        life.shard = life.world.begin()
    life.hours(36, 60)
    assert life.last("1d", DAY_MS) == {2: 24}
    assert life.last("7d", DAY_MS) == {}
    life.hours(60, 73)
    assert life.world.restate(life.shard)
    assert life.last("1d", DAY_MS) == {0: 48, 1: 48, 2: 48, 3: 2}
    assert life.last("7d", DAY_MS) == {0: 146}
    life.hours(73, 75)
    assert life.last("7d", DAY_MS) == {0: 150}
    assert all(gap.lasts for gap in life.shard.hots["d"].gaps.held)


def test_the_first_hours_that_are_counted_are_whole_or_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours are asked for within one: that one is silent until it is cold, the next one is published as it goes."""
    life = Life(monkeypatch, "1d")
    life.hours(0, 5)
    life.world.book.widths = ("5m", "1h", "1d")
    life.hours(4, 5)
    assert life.last("1h", HOUR_MS) == {}
    life.hours(5, 8)
    assert life.world.restate(life.shard)
    # The archive is asked for whole days: of those the cold hours.
    assert life.last("1h", HOUR_MS) == dict.fromkeys(range(8), 2)
    assert life.last("1d", DAY_MS) == {0: 16}


def test_a_width_that_cells_already_serve_is_published_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes are counted from the cells of hours: nothing is missing, and nothing is asked for."""
    life = Life(monkeypatch, "1h", "1d")
    life.hours(0, 1)
    life.world.book.widths = ("5m", "1h", "1d")
    life.hours(1, 2)
    assert life.last("5m", 300_000) == {8: 1, 12: 1, 20: 1}
    assert not life.shard.hots["d"].gaps.held


@pytest.mark.parametrize("restarts", [False, True])
def test_a_version_that_fell_silent_is_not_first_met_again(
    monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    """Nothing is held of its morning; days that are asked for at noon are silent of it until they are whole."""
    life = Life(monkeypatch, "1h")
    life.hours(0, 3)
    life.hours(3, 12, "2")
    assert not any(key.version == "1" for key in life.shard.hots["d"].cells)
    life.world.book.widths = ("1h", "1d")
    if restarts:
        life.shard = life.world.begin()
    life.hours(12, 14)
    assert life.last("1d", DAY_MS) == {}
    life.hours(24, 49)
    assert life.world.restate(life.shard)
    assert life.last("1d", DAY_MS) == {0: 10, 1: 48, 2: 2}
    assert life.last("1d", DAY_MS, "2") == {0: 18}
