"""A week of which one day cannot be read is restated without it, and says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cold_archive import ColdArchive
from cold_world import Book
from declared import RULES, book, published, sealed
from segmented import reference, rows

from driftline.streams.clickhouse import window_reads
from driftline.streams.clickhouse.window_reads import Published
from driftline.streams.join.due import Place
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import pack
from driftline.streams.replay.drift_tasks import drift_task
from driftline.streams.replay.merged import merged_join
from driftline.streams.replay.restate import restate_drift
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.shard import Shard
from driftline.streams.windows.window import Window

START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS  # a Monday
ROWS = 300


@pytest.mark.parametrize("day", [1, 2])
@pytest.mark.parametrize("what", ["profile", "counts"])
def test_a_week_is_restated_without_a_day_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, day: int, what: str
) -> None:
    """Its newest or another, as its profile is gone or it was published without counts: no verdict, and the reason."""
    archive, profiles = ColdArchive(), book(reference(2_000, resolutions=("1d",)))
    archive.stand_in(monkeypatch)
    shard = Shard.load(0, {}, profiles, replace(RULES, hot_windows=1, kept_days=2))
    for at in (0, 1, 2, 40, 0):
        times_ms = START_MS + at * DAY_MS + np.arange(ROWS, dtype=np.int64)
        archive.log.append(sealed(rows(len(archive.log), ROWS, times_ms), len(archive.log)))
        shard.fold(len(archive.log) - 1, archive.log[-1], 0)
        for result in published(shard):
            archive.publish(result)
    key = ("drift", "1", "champion", "1d", START_MS + day * DAY_MS)
    gone = {"profile_digest": "cd" * 32} if what == "profile" else {"counts": b""}
    archive.windows[key] = replace(archive.windows[key], **gone)
    task = drift_task(shard, "churn")
    assert task is not None
    results = [one for part in restate_drift(None, task, profiles, RULES, 0) for one in part.results]  # type: ignore[arg-type]
    (week,) = [one for one in results if one.resolution == "7d"]
    assert (week.window_start_ms, week.rows) == (START_MS, 3 * ROWS)
    (psi,) = [one for one in week.figures if (one.feature, one.metric, one.segment) == ("delay", "psi", "")]
    assert psi.value is not None
    assert psi.verdict == "inconclusive"
    assert psi.reason.startswith(f"{ROWS} rows of its days")


def test_performance_of_a_week_counts_the_rows_of_a_day_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its labels are missing, so that the week's coverage says what is not known."""
    week = Window("1", "champion", "7d", START_MS)
    read = pack(Outcomes("", predictions=100, labels=90))
    days = {START_MS: Published("", read, 100), START_MS + DAY_MS: Published("", b"damaged", 50)}
    monkeypatch.setattr(window_reads, "published_days", lambda *_: days)
    found = merged_join(None, "churn", week.end_ms, week, {}, Book(("1d",)), Place(0, 0, 0))  # type: ignore[arg-type]
    assert found is not None
    assert (found.rows, found.labels) == (150, 90)
