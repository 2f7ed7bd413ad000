"""A deployment that cannot be restated is left for another time; the others of its partition are done and taken out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from cold_archive import ColdArchive
from plain_days import Book

from driftline.schemas.columns import LabelColumns, NumericBlock, PredictionColumns
from driftline.streams.clickhouse import fact_reads
from driftline.streams.clickhouse.errors import ClickHouseAwayError
from driftline.streams.clickhouse.fact_reads import Stretch
from driftline.streams.join.dirty import Offsets
from driftline.streams.join.shard import Shard
from driftline.streams.replay import cold_join
from driftline.streams.replay.errors import ReplayError
from driftline.streams.replay.join_tasks import join_done, join_task
from driftline.streams.replay.part import Failure, Part
from driftline.streams.replay.restate import restate_join
from driftline.streams.replay.tasks import JoinTask
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.rules import Rules

START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
NAMES = ("bad", "good")


@dataclass
class World:
    """Two deployments of one partition; labels and late predictions of a cold day of each."""

    archive: ColdArchive = field(default_factory=ColdArchive)
    shard: Shard = field(default_factory=lambda: Shard(0, Book(), Rules(hot_windows=1)))

    def __post_init__(self) -> None:
        """Predict on a day and long after it; then label the first, and predict on it again."""
        for day in (0, 60, 0):
            for name in NAMES:
                self.predict(name, day, id_=len(self.archive.log))
            self.publish()
        for at, name in enumerate(NAMES):
            known = np.full(1, START_MS + DAY_MS, np.int64)
            self.archive.truths.append(LabelColumns(name, 1, None, ids(at), None, known, numbers=np.ones(1)))
            self.shard.take_labels(at, self.archive.truths[-1], 0)
        self.publish()

    def predict(self, name: str, day: int, id_: int) -> None:
        """Predict once."""
        scores = [NumericBlock(("score",), np.array([[0.5]], np.float32))]
        times = np.array([START_MS + day * DAY_MS], np.int64)
        cols = PredictionColumns(name, "1", "champion", 1, None, ids(id_), None, times, scores=scores)
        self.archive.log.append(cols)
        self.shard.take_predictions(len(self.archive.log) - 1, cols, 0)

    def publish(self) -> None:
        """Publish what is hot, and commit."""
        list(self.shard.results(0))
        self.shard.commit()

    def task(self) -> JoinTask:
        """What awaits restatement."""
        found = join_task(self.shard)
        assert found is not None
        return found


def ids(number: int) -> np.ndarray:
    """One id."""
    found = np.zeros((1, 16), np.uint8)
    found[0, 15] = number
    return found


def restate(task: JoinTask) -> tuple[set[str], dict[str, Failure]]:
    """Restate; give whose windows came, and who failed."""
    parts: list[Part] = list(restate_join(None, task, Book(), 0))  # type: ignore[arg-type]
    failed = {one.deployment: one.failure for one in parts if one.failure is not None}
    return {one.deployment for one in parts if one.results}, failed


def test_a_deployment_that_fails_is_left_and_the_others_are_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was done is not done again; what failed is offered alone, until it succeeds, and nothing is then left."""
    world = World()
    world.archive.stand_in(monkeypatch)
    task = world.task()
    assert (set(task.late), task.labels) == (set(NAMES), Offsets({0, 1}))

    def answers(_client: object, stretch: Stretch) -> Iterator[tuple[int, PredictionColumns]]:
        if stretch.deployment == "bad":
            raise ReplayError("too much of it")
        return world.archive.answers(None, stretch)

    with monkeypatch.context() as patch:
        patch.setattr(fact_reads, "answers", answers)
        for round_ in range(2):
            done, failed = restate(task)
            assert done == ({"good"} if round_ == 0 else set())
            assert set(failed) == {"bad"}
            assert isinstance(failed["bad"].error, ReplayError)
            join_done(world.shard, task, failed)
            world.publish()
            task = world.task()
            assert (set(task.late), task.labels) == ({"bad"}, Offsets({0}))
    done, failed = restate(task)
    assert (done, failed) == ({"bad"}, {})
    join_done(world.shard, task, failed)
    world.publish()
    assert join_task(world.shard) is None


def test_a_deployment_that_waits_is_not_tried_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its late rows are not offered, its labels are left; the others' are done; it is done in the end."""
    world = World()
    world.archive.stand_in(monkeypatch)
    task = join_task(world.shard, frozenset({"bad"}))
    assert task is not None
    assert (set(task.late), task.labels) == ({"good"}, Offsets({0, 1}))
    done, failed = restate(task)
    assert (done, failed) == ({"good"}, {"bad": Failure(None, Offsets({0}))})
    join_done(world.shard, task, failed)
    world.publish()
    task = world.task()
    assert (set(task.late), task.labels) == ({"bad"}, Offsets({0}))
    assert restate(task) == ({"bad"}, {})


def test_no_more_is_read_ahead_than_memory_is_allowed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading of a day ends at the cap, before all of it is in memory, and the deployment is left with a sentence."""
    world = World()
    world.archive.stand_in(monkeypatch)
    read: list[PredictionColumns] = []

    def answers(_client: object, stretch: Stretch) -> Iterator[tuple[np.ndarray, PredictionColumns]]:
        for offset, cols in world.archive.answers(None, stretch):
            for _ in range(1_000):
                read.append(cols)
                yield np.full(1, offset), cols

    monkeypatch.setattr(fact_reads, "answers", answers)
    monkeypatch.setattr(cold_join, "HELD_BYTES", 1_000)
    done, failed = restate(world.task())
    assert (done, set(failed)) == (set(), set(NAMES))
    assert all("take more than" in str(one.error) for one in failed.values())
    assert len(read) < 100


def test_a_server_that_is_away_ends_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of a deployment: nothing is taken out, and all of it is offered again."""
    world = World()
    world.archive.stand_in(monkeypatch)

    def away(*_: object) -> None:
        raise ClickHouseAwayError("away")

    monkeypatch.setattr(fact_reads, "answers", away)
    with pytest.raises(ClickHouseAwayError):
        restate(world.task())


def test_what_is_put_back_is_kept_with_what_came_since() -> None:
    """Offsets up to the last one that was tried go, those put back and later ones stay; spans become one."""
    one = Offsets({1, 2, 9}, (3, 12))
    one.restated(8)
    one.put_back(Offsets({2}, (4, 6)))
    assert one == Offsets({2, 9}, (4, 12))
    one.put_back(Offsets())
    assert one == Offsets({2, 9}, (4, 12))
