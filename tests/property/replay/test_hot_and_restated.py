"""P3, whole: hot windows and restated ones together are what a plain sort and join of all facts gives, over crashes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from cold_archive import ColdArchive
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.schemas.columns import LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.join.due import Place
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.replay.choice import Span
from driftline.streams.replay.join_tasks import join_done, join_task, take_part
from driftline.streams.replay.rejoin import Rejoin
from driftline.streams.replay.restate import restate_join
from driftline.streams.windows.rules import Rules

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
SCHEME = Scheme("ab" * 32, "binary", ("0", "1"), ("score",), edges=np.array([0.25, 0.5, 0.75]))
# Weeks and months that a hot day is part of are kept whole, as the worker's rules have it.
RULES = Rules(hot_windows=1, kept_days=33)
DAYS = (0, 1, 2, 3, 14, 15, 33, 34, 35, 60, 61, 62)
STEP = st.tuples(
    st.sampled_from("ppppllllrrcx"),
    st.integers(0, 3),
    st.sampled_from(DAYS),
    st.integers(0, 23),
    st.integers(0, 1),
)
Step = tuple[str, int, int, int, int]


class Book:
    """One scheme for all."""

    def terms(self, deployment: str, _version: str, _at_ms: int) -> Terms:
        """The scheme."""
        return Terms(DeploymentSettings(deployment=deployment), scheme=SCHEME)

    def resolutions(self, _deployment: str, version: str) -> tuple[str, ...]:
        """Days alone for one version, all for the other."""
        return ("1d",) if version == "days" else ("5m", "1h", "1d")


@dataclass
class World:
    """The facts, what was published, and what was stored."""

    archive: ColdArchive = field(default_factory=ColdArchive)
    state: dict[bytes, bytes] = field(default_factory=dict)

    def begin(self) -> Shard:
        """A worker that has read the state, and the logs from where it says on."""
        shard = Shard(0, Book(), RULES)
        first, first_label = shard.starts(self.state)
        for offset in range(first_label, len(self.archive.truths)):
            shard.take_labels(offset, self.archive.truths[offset], 0)
        for offset in range(first, len(self.archive.log)):
            shard.take_predictions(offset, self.archive.log[offset], 0)
        shard.predictions = max(shard.predictions, first - 1)
        shard.labels = max(shard.labels, first_label - 1)
        return shard

    def publish(self, shard: Shard) -> None:
        """Publish what is hot, and store the state."""
        for result in shard.results(0):
            self.archive.publish(result)
        self.store(shard.commit())

    def store(self, records: list[tuple[bytes, bytes | None]]) -> None:
        """Write the state."""
        for key, value in records:
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value

    def restate(self, shard: Shard, *, cut: int | None = None) -> bool:
        """Restate what is cold; False when there was nothing. `cut` ends it after so many parts."""
        self.publish(shard)
        task = join_task(shard)
        if task is None:
            return False
        whole = True
        for count, part in enumerate(restate_join(None, task, Book(), 0)):  # type: ignore[arg-type]
            if count == cut:
                return True
            results, records, taken = take_part(shard, task, part, 0)
            for result in results:
                self.archive.publish(result)
            self.store(records)
            whole = whole and taken
        assert whole
        join_done(shard, task)
        return True


def ids_of(day: int, *ids: int) -> np.ndarray:
    """Ids of a day: nobody predicts the same one again days later."""
    found = np.zeros((len(ids), 16), np.uint8)
    found[:, 14], found[:, 15] = day, ids
    return found


def batch(id_: int, day: int, slot: int, version: str) -> PredictionColumns:
    """Two predictions, by the champion or hours later by a shadow; an id that is said again has the same event time."""
    hours = np.array([id_, id_ + 1], np.int64) * 3 + 12 + 9 * slot
    scores = [NumericBlock(("score",), np.array([[id_ / 4, 0.5]], np.float32))]
    name = ("champion", "shadow")[slot]
    ids, times = ids_of(day, id_, id_ + 1), START_MS + day * DAY_MS + hours * HOUR_MS
    return PredictionColumns("d", version, name, 2, None, ids, None, times, scores=scores)


def truth(id_: int, day: int, known_at: int, value: int) -> LabelColumns:
    """A label for two ids; the second is withdrawn when the value is 0."""
    known = np.full(2, START_MS + known_at * HOUR_MS, np.int64)
    withdrawn = np.array([False, value == 0])
    numbers = np.where(withdrawn, np.nan, float(value))
    return LabelColumns(
        "d", 2, None, ids_of(day, id_, id_ + 2), None, known, numbers=numbers, withdrawn=withdrawn
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=50), st.sampled_from(["days", "all"]))
def test_hot_and_restated_windows_are_a_plain_join(steps: list[Step], version: str) -> None:
    """For any schedule of facts, restatements and crashes, counts of every window equal (`==`) a join of all facts."""
    world = World()
    with pytest.MonkeyPatch.context() as patch:
        world.archive.stand_in(patch)
        shard = world.begin()
        for kind, id_, day, hour, value in steps:
            if kind == "p":
                world.archive.log.append(batch(id_, day, value, version))
                shard.take_predictions(len(world.archive.log) - 1, world.archive.log[-1], 0)
            elif kind == "l":
                world.archive.truths.append(truth(id_, day, hour, value))
                shard.take_labels(len(world.archive.truths) - 1, world.archive.truths[-1], 0)
            elif kind == "c":
                world.publish(shard)
            elif kind == "r":
                world.restate(shard)
            else:
                if value:
                    world.restate(shard, cut=id_)
                shard = world.begin()
        rounds = 0
        while world.restate(shard):
            rounds += 1
            assert rounds < 3
    assert len(world.archive.windows) == len(plain(world.archive, shard))
    for key, want in plain(world.archive, shard).items():
        found = world.archive.windows[key]
        assert unpack(found.counts) == unpack(want.counts), key
        assert (found.rows, found.labels) == (want.rows, want.labels)


def plain(archive: ColdArchive, shard: Shard) -> dict:
    """Join all facts at once."""
    rejoin = Rejoin("d", Place(0, 0, 0), Span(0, START_MS * 2), Book())
    for offset, cols in enumerate(archive.truths):
        rejoin.take_labels(offset, cols)
    for offset, cols in enumerate(archive.log):
        rejoin.take(offset, cols)
    mark = shard.hots["d"].watermark_ms if shard.hots else 0
    return {
        (one.role, one.model_version, one.slot, one.resolution, one.window_start_ms): one
        for one in rejoin.results(mark, 0)
    }
