"""The newest hot window of accuracy says how many predictions are late: when some come, and when they are restated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from cold_archive import ColdArchive

from driftline.schemas.columns import NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import WindowResult
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.replay.join_tasks import join_done, join_task, take_part
from driftline.streams.replay.restate import restate_join
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.rules import Rules

START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
Told = tuple[str, str, int, int]


@dataclass
class Book:
    """Some widths, without a profile."""

    widths: tuple[str, ...]

    def terms(self, deployment: str, _version: str, _at_ms: int) -> Terms:
        """Give the defaults."""
        return Terms(DeploymentSettings(deployment=deployment))

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Count at these widths."""
        return self.widths


@dataclass
class World:
    """A worker, and the archive that it restates from."""

    book: Book
    archive: ColdArchive = field(default_factory=ColdArchive)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.shard = Shard(0, self.book, Rules(hot_windows=1))

    def predict(self, day: int, version: str = "1") -> None:
        """Predict once, a minute past noon."""
        ids = np.full((1, 16), len(self.archive.log), np.uint8)
        times = np.array([START_MS + day * DAY_MS + DAY_MS // 2 + 60_000], np.int64)
        scores = [NumericBlock(("score",), np.array([[0.5]], np.float32))]
        cols = PredictionColumns("d", version, "champion", 1, None, ids, None, times, scores=scores)
        self.archive.log.append(cols)
        self.shard.take_predictions(len(self.archive.log) - 1, cols, 0)

    def publish(self) -> set[Told]:
        """Publish and commit; give what was told of windows that are no merges."""
        found = {_told(one) for one in self.shard.results(0) if one.resolution in self.book.widths}
        self.shard.commit()
        return found

    def restate(self) -> None:
        """Restate all that is cold."""
        task = join_task(self.shard)
        assert task is not None
        for part in restate_join(None, task, self.book, 0):  # type: ignore[arg-type]
            list(take_part(self.shard, task, part, 0)[0])
        join_done(self.shard, task)


def _told(one: WindowResult) -> Told:
    return one.model_version, one.resolution, (one.window_start_ms - START_MS) // DAY_MS, one.late_rows


@pytest.mark.parametrize("widths", [("5m", "1h", "1d"), ("1h", "1d"), ("1d",)])
def test_late_rows_are_true_when_some_come_and_when_they_are_restated(
    monkeypatch: pytest.MonkeyPatch, widths: tuple[str, ...]
) -> None:
    """The newest hot window of the narrowest width is published again, of the version that the rows are of alone."""
    world = World(Book(widths))
    world.archive.stand_in(monkeypatch)
    for day in (0, 60):
        for version in "12":
            world.predict(day, version)
        world.publish()
    assert world.publish() == set()
    world.predict(0)
    world.predict(0)
    assert world.publish() == {("1", widths[0], 60, 2)}
    assert world.publish() == set()
    world.restate()
    assert world.publish() == {("1", widths[0], 60, 0)}
    assert world.publish() == set()
