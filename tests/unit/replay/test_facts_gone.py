"""A label of predictions that retention took changes nothing of what was published of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from cold_archive import ColdArchive
from plain_days import Book

from driftline.schemas.columns import LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.window import WindowResult
from driftline.streams.clickhouse import fact_reads
from driftline.streams.clickhouse.fact_reads import PART_MS, Touched
from driftline.streams.complaints import Complaints
from driftline.streams.join.dirty import Offsets
from driftline.streams.replay import restate
from driftline.streams.replay.cold import Edge
from driftline.streams.replay.restate import restate_join
from driftline.streams.replay.tasks import JoinTask
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.rules import Rules

START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
NOW_DAY = 60


@dataclass
class World:
    """Predictions of two days that are cold, and a label of the first."""

    archive: ColdArchive = field(default_factory=ColdArchive)

    def __post_init__(self) -> None:
        """Predict and label."""
        for day, number in ((0, 1), (0, 2), (1, 3), (NOW_DAY, 4)):
            self.predict(day, number)
        known = np.array([START_MS + DAY_MS], np.int64)
        self.archive.truths.append(LabelColumns("d", 1, None, ids(1), None, known, numbers=np.ones(1)))

    def predict(self, day: int, number: int) -> None:
        """Predict once."""
        scores = [NumericBlock(("score",), np.array([[0.5]], np.float32))]
        times = np.array([START_MS + day * DAY_MS], np.int64)
        self.archive.log.append(
            PredictionColumns("d", "1", "champion", 1, None, ids(number), None, times, scores=scores)
        )

    def restated(self) -> list[WindowResult]:
        """Restate what the label touches, publish it, and give it."""
        edge = Edge(START_MS + NOW_DAY * DAY_MS, {}, 1, START_MS + NOW_DAY * DAY_MS)
        task = JoinTask(0, (3, 0), {}, Offsets({0}), {"d": edge}, Rules(hot_windows=1))
        parts = restate_join(None, task, Book(), 0)  # type: ignore[arg-type]
        found = [one for part in parts for one in part.results]
        for one in found:
            self.archive.publish(one)
        return found


def ids(*numbers: int) -> np.ndarray:
    """Ids of these numbers."""
    found = np.zeros((len(numbers), 16), np.uint8)
    found[:, 15] = numbers
    return found


def rows(results: list[WindowResult]) -> dict[str, int]:
    """Predictions by resolution."""
    return {one.resolution: one.rows for one in results}


def test_a_day_without_its_predictions_stands_as_it_was_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up still names them, as when retention was made longer since: no empty day is put over the true one."""
    world = World()
    world.archive.stand_in(monkeypatch)
    assert rows(world.restated()) == {"1d": 2, "7d": 2, "1M": 2}
    world.archive.log = [one for one in world.archive.log if one.times_ms[0] >= START_MS + DAY_MS]
    named = [Touched("d", "1", "champion", START_MS // PART_MS * PART_MS)]
    monkeypatch.setattr(fact_reads, "touched_by_labels", lambda *_: named)
    assert rows(world.restated()) == {"7d": 2, "1M": 2}


def test_a_day_of_which_retention_left_some_stands_as_it_was_published(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A label of a prediction that is left recounts no day that has lost others, and the log says which, once."""
    monkeypatch.setattr(restate, "complaints", Complaints())
    world = World()
    world.archive.stand_in(monkeypatch)
    assert rows(world.restated())["1d"] == 2
    assert not caplog.messages
    world.archive.taken = [world.archive.log.pop(1)]
    assert world.restated() == world.restated() == []
    assert [one.split(" (")[0] for one in caplog.messages] == [
        "cold windows of deployment 'd' stand as they were published"
    ]
    day = next(one for key, one in world.archive.windows.items() if key[3] == "1d")
    assert (day.rows, day.labels) == (2, 1)


def test_a_whole_day_is_restated_beside_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The week takes the day of which some is gone as it was published, and the other one as it is counted now."""
    world = World()
    world.archive.stand_in(monkeypatch)
    world.restated()
    world.archive.taken = [world.archive.log.pop(1)]
    known = np.array([START_MS + 2 * DAY_MS], np.int64)
    world.archive.truths[0] = LabelColumns("d", 2, None, ids(1, 3), None, known.repeat(2), numbers=np.ones(2))
    found = world.restated()
    assert [(one.window_start_ms, one.rows) for one in found if one.resolution == "1d"] == [
        (START_MS + DAY_MS, 1)
    ]
    assert {one.resolution: (one.rows, one.labels) for one in found if one.resolution != "1d"} == {
        "7d": (3, 2),
        "1M": (3, 2),
    }


def test_a_day_whose_ids_all_count_elsewhere_is_published_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its predictions are there, and each came first on a day before, which still took facts."""
    world = World()
    world.archive.stand_in(monkeypatch)
    assert rows(world.restated())["1d"] == 2
    first, second, *others = world.archive.log
    earlier = [replace(one, times_ms=one.times_ms - DAY_MS) for one in (first, second)]
    world.archive.log = [*earlier, first, second, *others]
    found = {one.window_start_ms: one.rows for one in world.restated() if one.resolution == "1d"}
    assert found == {START_MS - DAY_MS: 2, START_MS: 0}
