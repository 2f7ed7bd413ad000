"""A window has one writer at a time, also when the byte cap or retention has taken some of its days out of memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from cold_world import START_MS, Book, World

from driftline.schemas.columns import LabelColumns, NumericBlock, PredictionColumns
from driftline.streams.join.shard import Shard
from driftline.streams.windows.rules import Rules

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MONDAY_MS = START_MS - START_MS // DAY_MS % 7 * DAY_MS + 4 * DAY_MS
RULES = Rules(hot_windows=3, kept_days=35)


def ids(first: int, rows: int) -> np.ndarray:
    """Ids that count upwards."""
    found = np.zeros((rows, 16), np.uint8)
    found[:, 8:] = np.arange(first, first + rows, dtype=">u8").reshape(-1, 1).view(np.uint8).reshape(rows, 8)
    return found


@dataclass
class Week:
    """A worker, and days of one week."""

    world: World

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.shard = self.world.begin()

    def predict(self, day: int, first: int, rows: int, hour: int = 12) -> None:
        """Predict at an hour of a day."""
        times = np.full(rows, MONDAY_MS + day * DAY_MS + hour * HOUR_MS, np.int64)
        scores = [NumericBlock(("score",), np.full((1, rows), 0.7, np.float32))]
        cols = PredictionColumns(
            "d", "days", "champion", rows, None, ids(first, rows), None, times, scores=scores
        )
        self.world.predict(self.shard, cols)

    def label(self, first: int, rows: int) -> None:
        """Label ids."""
        known = np.full(rows, MONDAY_MS, np.int64)
        self.world.archive.truths.append(
            LabelColumns("d", rows, None, ids(first, rows), None, known, numbers=np.ones(rows))
        )
        self.shard.take_labels(len(self.world.archive.truths) - 1, self.world.archive.truths[-1], 0)

    def publish(self) -> None:
        """Publish and store."""
        self.world.publish(self.shard)

    def last(self, resolution: str) -> dict[int, tuple[int, int]]:
        """Rows and labels of the last result of each window, by the days between Monday and its start."""
        return {
            (start - MONDAY_MS) // DAY_MS: (one.rows, one.labels)
            for (_, _, _, width, start), one in self.world.archive.windows.items()
            if width == resolution
        }


@pytest.fixture
def week(monkeypatch: pytest.MonkeyPatch) -> Week:
    """Days by the day."""
    world = World(RULES, Book(("1d",)))
    world.archive.stand_in(monkeypatch)
    return Week(world)


def shed(shard: Shard) -> None:
    """Let memory be just too small at the next publication."""
    shard.rules = replace(RULES, held_bytes=shard.nbytes - 1)


def test_a_week_of_days_pushed_out_and_days_kept_is_written_from_memory_alone(week: Week) -> None:
    """What was restated of a day pushed out goes into the week that memory publishes, not over a newer one."""
    week.predict(0, 0, 500)
    week.publish()
    week.predict(2, 1_000, 500)
    week.publish()
    shed(week.shard)
    week.predict(2, 1_900, 1)
    week.publish()
    assert [key.start_ms for key in week.shard.hots["d"].cells] == [MONDAY_MS + 2 * DAY_MS]
    week.shard.rules = RULES
    week.label(0, 100)
    assert week.world.offer(week.shard)
    week.predict(2, 2_000, 10)
    week.label(1_000, 50)
    week.publish()
    assert week.last("7d") == {0: (1_011, 50)}
    week.world.restate(week.shard)
    assert week.last("1d") == {0: (500, 100), 2: (511, 50)}
    assert week.last("7d") == {0: (1_011, 150)}


def test_a_week_that_retention_has_taken_facts_of_is_silent_until_the_archive_has_filled_it(
    week: Week,
) -> None:
    """A day that was hot when a worker died is not in memory after it: the week without it is not published."""
    week.predict(0, 0, 500)
    week.predict(1, 600, 30)
    week.publish()
    lost = len(week.world.archive.log)
    week.shard = Shard(0, week.world.book, RULES)
    week.shard.starts(week.world.state)
    week.shard.give_up_hot()
    week.shard.predictions = lost - 1
    week.predict(2, 1_000, 500)
    week.publish()
    assert week.last("7d") == {0: (530, 0)}
    assert week.last("1d") == {0: (500, 0), 1: (30, 0), 2: (500, 0)}
    assert week.world.restate(week.shard)
    assert week.last("7d") == {0: (1_030, 0)}
    week.predict(2, 1_600, 7)
    week.publish()
    week.publish()
    assert week.last("7d") == {0: (1_037, 0)}
