"""An id that is predicted again, in whatever hour or day, counts where it came first, through crashes too."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from examples import many
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.schemas.columns import PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.join.kept import CellKey
from driftline.streams.join.repeats import CHUNK, REPEATS_KEY
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.windows.rules import Rules

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_750_032_000_000

# Ids of one batch with the hour each is of; whether to publish after it, or to crash.
BATCH = st.tuples(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 71)), min_size=1, max_size=6),
    st.sampled_from(["", "publish", "crash"]),
)


class Book:
    """A version without a profile, counted by hours and days."""

    def terms(self, deployment: str, _version: str, _at_ms: int) -> Terms:
        """No scheme: predictions are counted alone."""
        return Terms(DeploymentSettings(deployment=deployment))

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Hours and days."""
        return ("1h", "1d")


def batch(rows: list[tuple[int, int]]) -> PredictionColumns:
    """A batch of (id, hour)."""
    ids = np.zeros((len(rows), 16), np.uint8)
    for at, (id_, _) in enumerate(rows):
        ids[at, id_ % 2 * 15] = id_ + 1
    times = START_MS + np.array([hour for _, hour in rows], np.int64) * HOUR_MS
    return PredictionColumns("d", "1", "champion", len(rows), None, ids, None, times)


class Log:
    """A log, the stored state, and the worker that lives on both."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.log, self.state = rules, [], {}
        self.days: dict[int, int] = {}
        self.begin()

    def begin(self) -> None:
        """Start, as after a crash."""
        self.shard = Shard(0, Book(), self.rules)
        first, _ = self.shard.starts(self.state)
        self.shard.predictions = first - 1
        for offset in range(first, len(self.log)):
            self.shard.take_predictions(offset, self.log[offset], 0)

    def add(self, rows: list[tuple[int, int]]) -> None:
        """Append a batch and take it."""
        self.log.append(batch(rows))
        self.shard.take_predictions(len(self.log) - 1, self.log[-1], 0)

    def publish(self) -> None:
        """Publish and store."""
        for result in self.shard.results(0):
            if result.resolution == "1d":
                self.days[(result.window_start_ms - START_MS) // DAY_MS] = result.rows
        for key, value in self.shard.commit():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value


def lived(batches: list[tuple[list[tuple[int, int]], str]], rules: Rules, *, crashes: bool) -> Log:
    """Let a worker live through batches, and publish at the end."""
    log = Log(rules)
    for rows, then in batches:
        log.add(rows)
        if then == "publish":
            log.publish()
        elif then == "crash" and crashes:
            log.begin()
    log.publish()
    return log


@settings(max_examples=many(100), deadline=None)
@given(st.lists(BATCH, max_size=20))
def test_while_nothing_is_cold_each_id_counts_in_its_first_day(
    batches: list[tuple[list[tuple[int, int]], str]],
) -> None:
    """Rows of each day equal (`==`) the ids whose first row in the log is of that day."""
    first: dict[int, int] = {}
    for rows, _ in batches:
        for id_, hour in rows:
            first.setdefault(id_, hour // 24)
    found = lived(batches, Rules(hot_windows=100), crashes=True)
    assert found.days == Counter(first.values())


@settings(max_examples=many(200), deadline=None)
@given(st.lists(BATCH, max_size=20), st.integers(0, 2))
@example([([(1, 0)], "publish"), ([(1, 30)], "publish"), ([(2, 70)], "publish"), ([(3, 71)], "crash")], 1)
def test_crashes_change_no_count_when_days_go_cold(
    batches: list[tuple[list[tuple[int, int]], str]], hot_windows: int
) -> None:
    """With and without crashes every day has the same rows, however soon days go cold."""
    rules = Rules(hot_windows=hot_windows)
    assert lived(batches, rules, crashes=True).days == lived(batches, rules, crashes=False).days


@pytest.mark.parametrize(
    ("again_on", "counted_on"), [((0, 3, 6), {0}), ((0, 6), {0, 6}), ((0, 3), {0}), ((3, 6), {3})]
)
def test_a_copy_that_counts_nowhere_bars_later_ones(again_on: tuple[int, ...], counted_on: set[int]) -> None:
    """With three hot days the copy of day 3, which counts nowhere, keeps that of day 6 from counting."""
    log = Log(Rules(hot_windows=3))
    for day in range(8):
        log.add([(day + 1, day * 24)])
        log.add([(0, day * 24 + 12)] if day in again_on else [(day + 1, day * 24 + 12)])
        log.publish()
    assert {day for day, rows in log.days.items() if rows > 1} == counted_on


def test_what_is_stored_of_repeats_goes_with_their_cell() -> None:
    """Ids that count elsewhere are stored when a day goes cold, in several records, and deleted after their own."""
    log = Log(Rules(hot_windows=1))
    ids = np.random.default_rng(1).integers(0, 256, (CHUNK + 10, 16), dtype=np.uint8)
    for day in range(2):
        cols = batch([(0, day * 24)] * len(ids))
        cols.ids = ids
        log.log.append(cols)
        log.shard.take_predictions(day, cols, 0)
    log.publish()
    assert log.days == {0: len(ids)}
    log.add([(1, 50)])
    log.publish()
    assert [key[:1] for key in log.state].count(REPEATS_KEY) == 2
    log.begin()
    log.publish()
    assert len(log.shard.hots["d"].cells[CellKey("1", "champion", START_MS + DAY_MS)].rows) == 0
    for day in (6, 8):
        log.add([(day, day * 24)])
        log.publish()
    assert not [key for key in log.state if key.startswith(REPEATS_KEY)]
    assert not log.shard.hots["d"].repeats.nbytes
