"""Windows judged by the settings in force at their end: rows, floors, widths, and baselines besides the profile."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from counting import batch, profile_of
from declared import RULES, book, published, sealed, tell, windows
from scipy.stats import chi2
from shards import BASE_MS, HOUR_MS

from driftline.schemas.columns import PredictionColumns
from driftline.schemas.profile import Profile
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.windows.baselines import GONE, NO_HOURS, NO_TIMES
from driftline.streams.windows.shard import Shard

DAY_MS = 24 * HOUR_MS
ROWS = 600
EACH_HOUR = 40


@functools.cache
def reference(*, has_times: bool = True) -> Profile:
    """Return four weeks whose values follow the hour of the day, 40 rows an hour."""
    hours = np.arange(28 * 24)
    times = BASE_MS - 28 * DAY_MS + np.repeat(hours, EACH_HOUR) * HOUR_MS
    rng = np.random.default_rng(3)
    values = rng.normal(size=len(times)) + 2.0 * (np.repeat(hours, EACH_HOUR) % 24 >= 12)
    return profile_of(
        batch({"x": values, "y": rng.normal(size=len(times))}, times_ms=times),
        resolutions=("1h", "1d"),
        has_times=has_times,
        minimum_rows=20,
    )


def hour(number: int, mean: float = 0.0, rows: int = ROWS, seed: int = 0) -> PredictionColumns:
    """Return a batch of one hour of the stream."""
    rng = np.random.default_rng([number, seed])
    times = np.sort(BASE_MS + number * HOUR_MS + rng.integers(0, HOUR_MS, rows))
    return batch({"x": rng.normal(mean, 1, rows), "y": rng.normal(size=rows)}, times_ms=times)


def figure(result: WindowResult, metric: str = "psi", feature: str = "x") -> Figure:
    """Return the figure of a feature."""
    return next(one for one in result.figures if (one.feature, one.metric) == (feature, metric))


def of_width(results: list[WindowResult], resolution: str = "1h") -> list[WindowResult]:
    """Return the windows of a width."""
    return [one for one in results if one.resolution == resolution]


def test_rows_and_floors_are_those_in_force_at_the_end_of_the_window() -> None:
    """Each window names the revision that it was judged with, and a later one does not reach back to it."""
    known = book(reference(), minimum_rows=1_000)
    change = BASE_MS + 2 * HOUR_MS
    tell(known._declared, 2, since_ms=change, floors={"psi": {"warn": 0.01, "fail": 50.0}})
    found = of_width(windows(known, *(hour(number, mean=6.0) for number in range(4))))
    assert [one.settings_revision for one in found] == [1, 2, 2]
    told = [figure(one) for one in found]
    assert told[0].verdict == "inconclusive"
    assert "600 rows with a value; a verdict needs 1000" in told[0].reason
    assert {(one.floor, one.verdict) for one in told[1:]} == {(0.01, "warn")}
    plain = of_width(windows(book(reference()), *(hour(number, mean=6.0) for number in range(4))))
    assert [(one.settings_revision, figure(one).verdict) for one in plain] == [(0, "fail")] * 3


def test_widths_of_settings_go_before_those_of_the_profile() -> None:
    """What is counted already stays and closes; from the next checkpoint on the widths asked for are counted."""
    known = book(reference())
    shard = Shard.load(0, {}, known, RULES)
    shard.fold(0, sealed(hour(0), 0), 0)
    published(shard)
    tell(known._declared, 1, resolutions=("1d", "5m"))
    assert known.resolutions("churn", "1") == ("5m", "1d")
    shard.fold(1, sealed(hour(0), 1), 0)
    published(shard)
    shard.fold(2, sealed(hour(1), 2), 0)
    closed = [one for one in published(shard) if one.final]
    assert {(one.resolution, one.rows) for one in closed if one.resolution == "1h"} == {("1h", 2 * ROWS)}
    assert {key.resolution for key in shard.index["churn"] if key.start_ms >= BASE_MS + HOUR_MS} == {"5m"}


def test_a_crash_between_writing_and_settings_changes_no_verdict() -> None:
    """A worker that takes up its state judges the same window in the same way: by its end, not by when it is told."""
    said: list[dict[tuple[str, int], list[Figure]]] = []
    for crashes in (False, True):
        known = book(reference(), baselines=("previous",))
        tell(known._declared, 2, since_ms=BASE_MS + 5 * HOUR_MS, minimum_rows=10_000)
        shard, results = Shard.load(0, {}, known, RULES), []
        for offset in range(4):
            shard.fold(offset, sealed(hour(offset), offset), 0)
            if crashes:
                results += published(shard, taken=False)
                shard = Shard.load(0, shard.held, known, RULES)
                shard.fold(offset, sealed(hour(offset), offset), 0)
            results += published(shard)
        said.append({(one.resolution, one.window_start_ms): one.figures for one in results if one.final})
    assert said[0] == said[1]
    assert len(said[0]) == 3


def test_a_window_is_held_against_the_one_before() -> None:
    """PSI between the two windows' own deciles, with chance as its only limit: a warning, and the reason says why."""
    batches = [hour(0, 1.0), hour(1, 1.0), hour(2, 2.0), hour(3)]
    found = of_width(windows(book(reference(), baselines=("previous",)), *batches))
    first, same, moved = (figure(one, "psi_previous") for one in found)
    assert (first.verdict, first.value, first.reason) == ("inconclusive", None, GONE)
    assert same.verdict == "ok"
    assert (moved.verdict, moved.kind, moved.block) == ("warn", "drift", None)
    assert "null: iid, how windows differ from this baseline is not known" in moved.reason
    edges = reference().column("x").edges[np.flatnonzero(np.diff(reference().column("x").decile_of_bin))]
    shares = [_shares(cols, edges) for cols in batches[1:3]]
    expected = float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    assert moved.value == pytest.approx(expected, rel=1e-12)
    assert moved.level == 0.01 / 2
    assert moved.null == pytest.approx(chi2.isf(0.005, len(shares[0]) - 1) * 2 / ROWS, rel=0.4)
    assert not any(one.metric.startswith("psi_") for result in of_width(windows(book(reference()), *batches))
                   for one in result.figures)  # fmt: skip


def test_the_last_cold_window_is_kept_for_the_next_one() -> None:
    """A late row restates the oldest hour that takes rows: its predecessor, cold, is held, also after a crash."""
    known = book(reference(), baselines=("previous",))
    shard = Shard.load(0, {}, known, RULES)
    for number in range(6):
        shard.fold(number, sealed(hour(number), number), 0)
        published(shard)
    shard = Shard.load(0, shard.held, known, RULES)
    shard.fold(6, sealed(hour(2, rows=5, seed=9), 6), 0)
    restated = next(one for one in published(shard) if one.restated)
    assert restated.window_start_ms == BASE_MS + 2 * HOUR_MS
    assert figure(restated, "psi_previous").verdict == "ok"
    hours = sorted(key.start_ms for key in shard.index["churn"] if key.resolution == "1h")
    assert hours == [BASE_MS + number * HOUR_MS for number in range(1, 6)]


def test_a_window_whose_predecessor_was_let_go_is_inconclusive() -> None:
    """Asked for once the hour before is gone, the comparison says so, and nothing else is the worse for it."""
    known = book(reference())
    shard = Shard.load(0, {}, known, RULES)
    for number in range(5):
        shard.fold(number, sealed(hour(number), number), 0)
        published(shard)
    tell(known._declared, 1, baselines=("previous",))
    shard.fold(5, sealed(hour(1, rows=5, seed=9), 5), 0)
    restated = next(one for one in published(shard) if one.restated)
    assert figure(restated, "psi_previous").reason == GONE
    assert figure(restated).verdict == "ok"


def test_an_hour_is_held_against_the_same_hours_of_the_week() -> None:
    """Where values follow the hour of the day, an afternoon differs from the profile and not from its own hours."""
    known = book(reference(), baselines=("same-hour-of-week",), minimum_rows=100)
    batches = [hour(13, 2.0), hour(14, 2.0), hour(15, 0.0), hour(16, 2.0)]
    found = of_width(windows(known, *batches))
    usual, night = figure(found[1], "psi_same_hour"), figure(found[2], "psi_same_hour")
    assert usual.verdict == "ok"
    assert usual.reference_rows == 4 * EACH_HOUR
    assert figure(found[1]).value is not None
    assert (figure(found[1]).value or 0) > 3 * (usual.value or 0)
    assert night.verdict == "warn"


def test_a_day_is_held_against_the_same_day_of_the_week_and_a_week_is_not() -> None:
    """A day takes the 24 hours of its day of the week; a whole week is the profile itself."""
    known = book(reference(), baselines=("previous", "same-hour-of-week"))
    found = windows(known, *(hour(day * 24, 1.0, rows=900) for day in range(16)))
    days, weeks = of_width(found, "1d"), of_width(found, "7d")
    assert {figure(one, "psi_same_hour").reference_rows for one in days} == {4 * 24 * EACH_HOUR}
    assert [figure(one, "psi_previous").verdict for one in weeks] == ["inconclusive", "ok"]
    assert not any(one.metric == "psi_same_hour" for one in weeks[0].figures)


def test_what_is_missing_of_the_hours_is_said() -> None:
    """A reference without times has no hours; a profile read before the settings has let them go, until read again."""
    batches = [hour(0), hour(1)]
    timeless = book(reference(has_times=False), baselines=("same-hour-of-week",))
    assert figure(windows(timeless, *batches)[0], "psi_same_hour").reason == NO_TIMES
    assert not timeless.lacks_hours("churn")
    known = book(reference())
    assert not known.lacks_hours("churn")
    tell(known._declared, 1, baselines=("same-hour-of-week",))
    assert known.lacks_hours("churn")
    assert figure(windows(known, *batches)[0], "psi_same_hour").reason == NO_HOURS
    before = known.layout("churn", "1")
    known.on_record(b"churn/1", reference().to_bytes(), 0)
    assert not known.lacks_hours("churn")
    assert known.layout("churn", "1") is before
    assert figure(windows(known, *batches)[0], "psi_same_hour").value is not None


def _shares(cols: PredictionColumns, edges: np.ndarray) -> np.ndarray:
    values = cols.features[0].values[0].astype(np.float32)
    counts = np.bincount(
        np.searchsorted(edges.astype(np.float32), values, side="left"), minlength=len(edges) + 1
    )
    shares: np.ndarray = np.maximum(counts / counts.sum(), 1e-4)
    return shares
