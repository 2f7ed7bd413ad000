"""What was said of windows that are cold is not said again after a restart."""

from __future__ import annotations

import pytest
from cold_world import HOUR_MS, START_MS, Book, World, batch, truth

from driftline.schemas.window import WindowResult
from driftline.streams.join.said import SAID_KEY
from driftline.streams.windows.rules import Rules

DAY_MS = 24 * HOUR_MS
RULES = Rules(hot_windows=1, kept_days=90)


class Life:
    """A worker whose first day is cold, with all labels but those of one prediction, and what it publishes."""

    def __init__(self, patch: pytest.MonkeyPatch, label_hours: float | None = None) -> None:
        self.world = World(RULES, Book(("1d",), label_hours))
        self.world.archive.stand_in(patch)
        self.shard = self.world.begin()
        for day in (0, 60):
            self.world.predict(self.shard, batch(0, day, 0, "1"))
            self.label(0, day, 1)
            self.publish()

    def label(self, id_: int, day: int, value: int) -> None:
        """Label two ids of a day."""
        self.world.archive.truths.append(truth(id_, day, 1, value))
        self.shard.take_labels(len(self.world.archive.truths) - 1, self.world.archive.truths[-1], 0)

    def publish(self) -> list[WindowResult]:
        """Publish and store."""
        found = list(self.shard.results(0))
        for one in found:
            self.world.archive.publish(one)
        self.world.store(self.shard.commit())
        return found


def days(results: list[WindowResult]) -> list[int]:
    """The days among results, from the first one on."""
    return [(one.window_start_ms - START_MS) // DAY_MS for one in results if one.resolution == "1d"]


def test_a_restart_says_nothing_of_what_is_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Published is what is hot, and the week and month of that; counts restated before stand."""
    life = Life(monkeypatch)
    life.label(1, 0, 1)
    assert life.world.restate(life.shard)
    life.publish()
    before = dict(life.world.archive.windows)
    life.shard = life.world.begin()
    found = life.publish()
    assert days(found) == [60]
    assert {one.resolution for one in found} == {"1d", "7d", "1M"}
    assert all(one.window_start_ms > START_MS + 30 * DAY_MS for one in found)
    cold = [key for key in before if key[3] == "1d" and key[4] == START_MS]
    assert [life.world.archive.windows[key] for key in cold] == [before[key] for key in cold]
    assert life.world.archive.windows[cold[0]].restated


def test_what_time_changes_of_it_is_said_as_restated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cold day whose horizon passes while no worker runs is published by the next one, once, as restated."""
    life = Life(monkeypatch, label_hours=61 * 24.0)
    life.shard = life.world.begin()
    assert days(life.publish()) == [60]
    life.shard = life.world.begin()
    life.world.predict(life.shard, batch(0, 63, 0, "1"))
    found = life.publish()
    assert days(found) == [0, 60, 63]
    (cold,) = [one for one in found if one.window_start_ms == START_MS and one.resolution == "1d"]
    assert (cold.final, cold.restated, cold.provisional) == (True, True, False)
    life.shard = life.world.begin()
    assert 0 not in days(life.publish())


def test_what_an_earlier_release_said_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is stored of it, a cold day that waits for no label is published, as restated."""
    life = Life(monkeypatch, label_hours=1.0)
    life.world.state = {key: value for key, value in life.world.state.items() if key[:1] != SAID_KEY}
    life.shard = life.world.begin()
    found = life.publish()
    assert days(found) == [0, 60]
    assert [one.restated for one in found if one.window_start_ms == START_MS and one.resolution == "1d"] == [
        True
    ]
