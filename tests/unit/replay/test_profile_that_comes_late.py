"""A profile that comes after its events has their windows counted again, closed ones and the open one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cold_archive import ColdArchive
from declared import RULES, sealed
from segmented import reference, rows

from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.replay.drift_tasks import drift_done, drift_task, take_part
from driftline.streams.replay.restate import restate_drift
from driftline.streams.windows.checkpoint import commit, plan
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.held import PaneKey
from driftline.streams.windows.pane import Pane
from driftline.streams.windows.resolution import DAY_MS, HOUR_MS
from driftline.streams.windows.shard import Shard
from driftline.streams.windows.unprofiled import MAX_MS, MAX_SPANS, Unprofiled, ask_for_profiled

START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
PROFILE = reference(2_000, resolutions=("1h",))
FEW = replace(RULES, hot_windows=2, out_of_orderness_ms=0, publish_seconds=0.0)


class Life:
    """A worker that is told of fifty predictions an hour, and what was published."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.book = ProfileBook(lambda: None, lambda: self.now_s)
        self.archive = ColdArchive()
        self.archive.stand_in(patch)
        self.shard = Shard.load(0, {}, self.book, FEW)

    def hour(self, hour: int) -> None:
        """Predict, and publish."""
        times_ms = START_MS + hour * HOUR_MS + np.arange(50, dtype=np.int64) * 60_000
        self.archive.log.append(sealed(rows(len(self.archive.log), 50, times_ms), len(self.archive.log)))
        self.shard.fold(len(self.archive.log) - 1, self.archive.log[-1], 0)
        self.publish()

    def publish(self) -> None:
        """Carry out a checkpoint."""
        self.now_s += 100.0
        ask_for_profiled(self.shard)
        written = plan(self.shard, 0, self.now_s)
        for result in written.results:
            self.archive.publish(result)
        commit(self.shard, written)

    def restate(self, *meanwhile: int) -> bool:
        """Restate what awaits it, rows of some hours coming before it is taken; False for nothing."""
        self.publish()
        task = drift_task(self.shard, "churn")
        if task is None:
            return False
        for hour in meanwhile:
            self.hour(hour)
        for part in restate_drift(None, task, self.book, FEW, 0):  # type: ignore[arg-type]
            assert take_part(self.shard, task, part)
            self.publish()
        drift_done(self.shard, task)
        self.publish()
        return True

    def hours(self, *, with_profile: bool) -> dict[int, int]:
        """Rows of the hours that were held against a profile, or not."""
        return {
            (one.window_start_ms - START_MS) // HOUR_MS: one.rows
            for one in self.archive.windows.values()
            if one.resolution == "1h" and (one.profile_digest != "") is with_profile
        }


@pytest.mark.parametrize("restarts", [False, True])
def test_windows_from_before_their_profile_are_restated(
    monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    """No hour keeps `no_profile` once it has closed, each has all its rows; what is begun later needs no restating."""
    life = Life(monkeypatch)
    for hour in range(6):
        life.hour(hour)
    assert not life.restate()
    assert life.hours(with_profile=False) == dict.fromkeys(range(6), 50)
    life.book.on_record(b"churn/1", PROFILE.to_bytes(), 0)
    if restarts:
        life.shard = Shard.load(0, life.shard.held, life.book, FEW)
    assert life.restate()
    assert life.hours(with_profile=True) == dict.fromkeys(range(6), 50)
    assert life.hours(with_profile=False) == {}
    assert not life.restate()
    for hour in range(6, 9):
        life.hour(hour)
    assert life.restate(), "what was unprofiled is counted once more when it is cold"
    assert life.hours(with_profile=True) == dict.fromkeys(range(9), 50)
    assert life.hours(with_profile=False) == {}
    life.hour(30)
    assert {name for _, name in life.shard.book("churn").unprofiled.spans} <= {"1d", "5m"}


def test_a_hot_window_that_the_archive_holds_otherwise_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that the archive lacks are not lost: the window stays as it is, and is not tried again for nothing."""
    life = Life(monkeypatch)
    for hour in range(6):
        life.hour(hour)
    life.book.on_record(b"churn/1", PROFILE.to_bytes(), 0)
    life.archive.log[4] = sealed(rows(4, 1, life.archive.log[4].times_ms[:1]), 4)
    assert life.restate()
    assert life.hours(with_profile=False) == {4: 50}
    assert not life.restate()


def test_rows_that_come_while_an_open_window_is_counted_again_are_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its rows before come from the archive, those since from memory; its counters `==` those of all at once."""
    life = Life(monkeypatch)
    life.hour(0)
    life.book.on_record(b"churn/1", PROFILE.to_bytes(), 0)
    assert life.restate(0, 0)
    assert life.hours(with_profile=True) == {0: 150}
    life.hour(0)
    assert life.hours(with_profile=True) == {0: 200}
    layout = life.book.layout("churn", "1")
    whole = Pane(PaneKey("churn", "1", "champion", "1h", START_MS), Counters(layout))
    for cols in life.archive.log:
        whole.count(cols, slice(None), life.book)
    (found,) = [one for one in life.archive.windows.values() if one.resolution == "1h"]
    assert not found.final
    assert Counters.from_bytes(layout, found.counts) == whole.counters


def test_an_open_window_that_the_archive_holds_otherwise_is_tried_once_more_when_it_has_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many rows come meanwhile: each time the archive would read all of the window."""
    life = Life(monkeypatch)
    life.hour(0)
    life.book.on_record(b"churn/1", PROFILE.to_bytes(), 0)
    kept = life.archive.log[0]
    life.archive.log[0] = sealed(rows(0, 1, kept.times_ms[:1]), 0)
    assert life.restate()
    life.hour(0)
    assert not life.restate()
    assert life.hours(with_profile=False) == {0: 100}
    life.archive.log[0] = kept
    life.hour(1)
    assert life.restate()
    assert life.hours(with_profile=True) == {0: 100, 1: 50}


def test_what_is_remembered_is_bounded() -> None:
    """Windows of three months, and of so many versions and widths; those met first are forgotten."""
    held = Unprofiled()
    for version in range(MAX_SPANS + 1):
        held.note(str(version), "1d", 0, DAY_MS)
    held.note("1", "1d", 400 * DAY_MS, 401 * DAY_MS)
    assert len(held.spans) == MAX_SPANS
    assert ("0", "1d") not in held.spans
    assert held.spans["1", "1d"] == (401 * DAY_MS - MAX_MS, 401 * DAY_MS)
    assert Unprofiled.from_list(held.to_list()) == held
