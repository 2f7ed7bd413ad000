"""A label whose prediction comes after it was let go is held against it all the same, once the day is cold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cold_world import DAY_MS, HOUR_MS, START_MS, Book, World, batch, truth

from driftline.streams.windows.rules import Rules

RULES = Rules(hot_windows=3, kept_days=35)


class Late:
    """A worker, and labels with the broker's time."""

    def __init__(self, patch: pytest.MonkeyPatch, rules: Rules = RULES) -> None:
        self.world = World(rules, Book(("1d",)))
        self.world.archive.stand_in(patch)
        self.shard = self.world.begin()

    def predict(self, id_: int, day: int) -> None:
        """Predict two ids of a day."""
        self.world.predict(self.shard, batch(id_, day, 0, "days"))
        self.world.publish(self.shard)

    def label(self, id_: int, day: int, heard_ms: int) -> None:
        """Label two ids of a day."""
        self.world.archive.truths.append(truth(id_, day, 1, 1))
        self.shard.take_labels(len(self.world.archive.truths) - 1, self.world.archive.truths[-1], heard_ms)
        self.world.publish(self.shard)

    def told(self, day: int) -> tuple[int, int]:
        """Rows and labels of a day, as published last."""
        windows = self.world.archive.windows
        one = windows["accuracy", "days", "champion", "1d", START_MS + day * DAY_MS]
        return one.rows, one.labels


@pytest.mark.parametrize("restarts", [False, True])
def test_a_prediction_that_comes_a_day_after_its_label_gets_it(
    monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    """Its day still takes facts when it comes, without the label, and is restated with it, also after a restart."""
    late = Late(monkeypatch)
    late.predict(0, 0)
    late.label(2, 0, START_MS + DAY_MS)
    assert late.world.restate(late.shard), "the archive has no prediction of the label yet"
    late.predict(0, 1)
    late.label(0, 1, START_MS + 2 * DAY_MS + HOUR_MS)
    if restarts:
        late.shard = late.world.begin()
    late.predict(2, 0)
    assert late.told(0) == (4, 0)
    for day in (60, 61):
        late.predict(0, day)
        late.world.restate(late.shard)
    assert late.told(0) == (4, 1)
    assert late.world.differences(late.shard) == []


@pytest.mark.parametrize("restarts", [False, True])
def test_a_prediction_that_comes_a_day_after_its_label_went_at_the_byte_cap_gets_it(
    monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    """A backlog of predictions reaches its day when the days that the label might be of are in no doubt any more."""
    late = Late(monkeypatch)
    late.predict(0, 3)
    late.shard.rules = replace(RULES, held_bytes=late.shard.nbytes - 1)
    late.label(2, 9, START_MS + 10 * DAY_MS)
    late.shard.rules = RULES
    late.label(0, 3, START_MS + 12 * DAY_MS)
    late.predict(0, 4)
    while late.world.restate(late.shard):  # the archive has no prediction of the label yet
        pass
    if restarts:
        late.shard = late.world.begin()
    late.predict(2, 9)
    assert late.told(9) == (2, 0)
    for day in (60, 61):
        late.predict(0, day)
        while late.world.restate(late.shard):
            pass
    assert late.told(9) == (2, 1)
    assert late.world.differences(late.shard) == []


def test_what_is_newer_than_every_label_let_go_is_in_no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that never find a prediction have no day restated that came in time."""
    late = Late(monkeypatch)
    late.predict(0, 0)
    late.label(2, 0, START_MS + DAY_MS // 2)
    late.label(3, 0, START_MS + 2 * DAY_MS)
    assert late.shard.let_go_s == (START_MS + DAY_MS // 2) // 1000
    late.predict(0, 1)
    assert late.shard.hots["d"].gaps.doubt is None


def test_days_that_go_cold_while_others_are_restated_are_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A label let go at the byte cap counts, though its day is asked for when the restatement of another is at work."""
    rules = replace(RULES, hot_windows=1)
    late = Late(monkeypatch, rules)
    late.predict(0, 0)
    late.label(2, 3, 0)
    late.shard.rules = replace(rules, held_bytes=late.shard.nbytes - 1)
    late.predict(0, 1)
    late.shard.rules = rules
    while late.world.restate(late.shard):
        pass
    late.predict(0, 2)
    late.predict(2, 3)
    assert late.told(3) == (2, 0)
    late.predict(0, 4)
    assert late.world.offer(late.shard), "the second day is cold"
    late.predict(0, 5)
    for day in (60, 61):
        while late.world.restate(late.shard):
            pass
        late.predict(0, day)
    assert late.told(3) == (2, 1)
    assert late.world.differences(late.shard) == []


def test_more_hot_windows_do_not_warm_what_was_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that was cold under 1 hot window stays so under 90 after a restart: its other rows are not read again."""
    late = Late(monkeypatch, replace(RULES, hot_windows=1))
    for day in (0, 40, 60):
        late.predict(0, day)
    late.world.rules = replace(RULES, hot_windows=90)
    late.shard = late.world.begin()
    late.predict(2, 0)
    late.predict(2, 60)
    assert (late.told(0), late.told(60)) == ((2, 0), (4, 0))
    assert late.world.restate(late.shard)
    assert late.told(0) == (4, 0)
