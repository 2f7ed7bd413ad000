"""A width that drift newly counts: memory is silent of what began before, and the archive gives it whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cold_archive import ColdArchive
from declared import sealed, tell
from segmented import reference, rows

from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.replay.drift_tasks import drift_done, drift_task, take_part
from driftline.streams.replay.restate import restate_drift
from driftline.streams.windows.checkpoint import commit, plan
from driftline.streams.windows.gaps import SILENT_MS, SILENT_VERSIONS, Gaps
from driftline.streams.windows.resolution import DAY_MS, HOUR_MS
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.shard import Shard

START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS  # 2025-06-16, a Monday in the middle of a month
ONE_HOT = Rules(out_of_orderness_ms=0, hot_windows=1, publish_seconds=0.0)
PROFILE = reference(500)


class Life:
    """A worker that is told of two predictions an hour, and what was published."""

    def __init__(self, patch: pytest.MonkeyPatch, *widths: str) -> None:
        self.now_s, self.revision = 0.0, 0
        self.declared = SettingsBook()
        self.book = ProfileBook(lambda: None, declared=self.declared)
        self.want(*widths)
        self.book.on_record(b"churn/1", PROFILE.to_bytes(), 0)
        self.archive = ColdArchive()
        self.archive.stand_in(patch)
        self.shard = Shard.load(0, {}, self.book, ONE_HOT)

    def want(self, *widths: str) -> None:
        """Have other widths counted."""
        self.revision += 1
        tell(self.declared, self.revision, resolutions=list(widths))

    def begin(self) -> None:
        """Begin again from what was stored."""
        self.shard = Shard.load(0, self.shard.held, self.book, ONE_HOT)

    def hours(self, first: int, end: int, version: str = "1") -> None:
        """Predict in each of some hours, and publish after each."""
        for hour in range(first, end):
            times_ms = START_MS + hour * HOUR_MS + np.array([60_000, 40 * 60_000], np.int64)
            cols = replace(rows(hour, 2, times_ms), model_version=version)
            self.archive.log.append(sealed(cols, len(self.archive.log)))
            self.shard.fold(len(self.archive.log) - 1, self.archive.log[-1], 0)
            self.publish()

    def publish(self) -> None:
        """Carry out a checkpoint."""
        self.now_s += 1_000.0
        written = plan(self.shard, 0, self.now_s)
        for result in written.results:
            self.archive.publish(result)
        commit(self.shard, written)

    def restate(self) -> bool:
        """Restate what awaits it; False for nothing."""
        self.publish()
        task = drift_task(self.shard, "churn")
        if task is None:
            return False
        for part in restate_drift(None, task, self.book, ONE_HOT, 0):  # type: ignore[arg-type]
            assert take_part(self.shard, task, part)
            self.publish()
        drift_done(self.shard, task)
        self.publish()
        return True

    def last(self, resolution: str, unit_ms: int, version: str = "1") -> dict[int, int]:
        """Rows of the last result of each window, by its start."""
        return {
            (start - START_MS) // unit_ms: one.rows
            for (_, of, _, width, start), one in self.archive.windows.items()
            if (of, width) == (version, resolution)
        }


@pytest.mark.parametrize("restarts", [False, True])
def test_the_first_day_that_is_counted_is_whole_or_silent(
    monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    """Days are asked for at the noon of the second one, whether a worker runs then or begins again."""
    life = Life(monkeypatch, "1h")
    life.hours(0, 36)
    assert life.last("1d", DAY_MS) == {}
    life.want("1h", "1d")
    if restarts:
        life.begin()
    life.hours(36, 61)
    assert life.last("1d", DAY_MS) == {2: 26}
    assert life.last("7d", DAY_MS) == {}
    if restarts:
        life.begin()
    assert not life.restate()
    life.hours(61, 73)
    assert life.last("1d", DAY_MS) == {2: 48, 3: 2}
    assert life.restate()
    assert life.last("1d", DAY_MS) == {0: 48, 1: 48, 2: 48, 3: 2}
    life.hours(73, 75)
    assert life.last("7d", DAY_MS) == {0: 150}
    assert life.last("1M", DAY_MS) == {-15: 150}
    assert life.last("1h", HOUR_MS) == dict.fromkeys(range(75), 2)
    assert all(gap.lasts for gap in life.shard.book("churn").gaps.held)


def test_the_week_before_the_first_month_that_is_whole_is_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The month in which days are asked for is filled from its first day; a week that began before it stays silent."""
    life = Life(monkeypatch, "1h")
    life.hours(14 * 24, 16 * 24 + 2)  # Monday, 30 June, to 2 July
    life.want("1h", "1d")
    life.publish()
    life.hours(16 * 24 + 2, 19 * 24)
    while life.restate():
        pass
    assert life.last("7d", DAY_MS) == {}
    assert life.last("1M", DAY_MS) == {15: 192}
    life.hours(21 * 24, 21 * 24 + 1)
    assert life.last("7d", DAY_MS) == {21: 2}


def test_a_row_is_counted_by_a_new_width_only_once_its_gap_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the states and the books of a checkpoint leaves no part of a window that passes for a whole."""
    life = Life(monkeypatch, "1d")
    life.hours(0, 5)
    for offset, hour in ((5, 5), (6, 6), (7, 6)):
        if offset == 7:
            life.want("1h", "1d")
        times_ms = START_MS + hour * HOUR_MS + np.array([0, 1], np.int64)
        life.archive.log.append(sealed(rows(offset, 2, times_ms), offset))
        life.shard.fold(offset, life.archive.log[-1], 0)
    life.shard.held.update(plan(life.shard, 0, life.now_s + 1_000.0).states)
    life.begin()
    for offset in (5, 6, 7):
        life.shard.fold(offset, life.archive.log[offset], 0)
    life.hours(7, 12)
    assert life.last("1h", HOUR_MS) == dict.fromkeys(range(8, 12), 2)


def test_late_rows_are_told_by_a_window_that_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the narrowest windows are silent, wider ones say how many rows came too late."""
    life = Life(monkeypatch, "1d")
    life.hours(96, 97)
    life.want("1h", "1d")
    life.hours(96, 97)
    life.hours(96, 97)
    life.hours(0, 1)
    told = {key[3]: one.late_rows for key, one in life.archive.windows.items() if one.late_rows}
    assert told == dict.fromkeys(("1d", "7d", "1M"), 2)
    life.hours(97, 100)
    while life.restate():
        pass
    assert life.last("1h", HOUR_MS)[96] == 6


def test_a_cold_day_of_which_retention_left_some_stands_as_it_was_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A late row recounts no day that has lost others; the days beside it are recounted."""
    life = Life(monkeypatch, "1d")
    life.hours(0, 73)
    assert life.last("1d", DAY_MS) == {0: 48, 1: 48, 2: 48, 3: 2}
    for day in (0, 1):
        life.archive.log.append(
            sealed(rows(day, 1, START_MS + day * DAY_MS + np.array([1], np.int64)), len(life.archive.log))
        )
        life.shard.fold(len(life.archive.log) - 1, life.archive.log[-1], 0)
    gone = life.archive.log[5]
    life.archive.taken.append(gone)
    life.archive.log[5] = replace(gone, times_ms=gone.times_ms - 900 * DAY_MS)
    assert life.restate()
    assert life.last("1d", DAY_MS) == {0: 48, 1: 49, 2: 48, 3: 2}


@pytest.mark.parametrize("restarts", [False, True])
def test_a_version_that_fell_silent_is_not_first_met_again(
    monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    """Nothing is held of its morning; days that are asked for at noon are silent of it until they are whole."""
    life = Life(monkeypatch, "1h")
    life.hours(0, 3)
    life.hours(3, 12, "2")
    assert not any(key.version == "1" for key in life.shard.index["churn"])
    life.want("1h", "1d")
    if restarts:
        life.begin()
    life.hours(12, 14)
    assert life.last("1d", DAY_MS) == {}
    life.hours(24, 49)
    assert life.restate()
    assert life.last("1d", DAY_MS) == {0: 10, 1: 48, 2: 2}
    assert life.last("1d", DAY_MS, "2") == {0: 18}


def test_a_version_is_forgotten_once_no_month_holds_rows_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent versions are known for 32 days, and no more than so many of them."""
    life = Life(monkeypatch, "1h")
    gaps = life.shard.book("churn").gaps
    gaps.widths = {str(version): ("1h",) for version in range(SILENT_VERSIONS + 10)}
    gaps.forget({"0"}, START_MS)
    assert len(gaps.widths) == SILENT_VERSIONS + 1
    assert Gaps.from_list(gaps.to_list()) == gaps
    assert Gaps.from_list(gaps.to_list()[:3]).widths == gaps.widths
    gaps.forget(set(), START_MS + SILENT_MS - 1)
    assert len(gaps.widths) == SILENT_VERSIONS
    gaps.forget(set(), START_MS + SILENT_MS)
    assert gaps.widths.keys() == gaps.silent.keys() == {"0"}
