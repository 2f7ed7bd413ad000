"""Intervals over days cover what they state: where days are alike, where they differ, and where they resemble."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.streams.stats.intervals import Interval, over_days, wilson

SHARE = 0.8
ROWS_A_DAY = 200
WINDOWS = 1_000


def effects(days: int, rho: float, rng: np.random.Generator) -> np.ndarray:
    """Draw standard normal effects of days, correlated by rho from one to the next; (WINDOWS, days)."""
    noise = rng.normal(size=(WINDOWS, days))
    found = noise.copy()
    for day in range(1, days):
        found[:, day] = rho * found[:, day - 1] + np.sqrt(1 - rho**2) * noise[:, day]
    return found


def share_of(hits: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Give the share of hits."""
    return np.asarray(hits / rows)


# A day's share has a standard error of 0.028 from its 200 rows; 0.015 is a weak effect beside it, 0.05 a strong one.
@pytest.mark.parametrize("days", [20, 60])
@pytest.mark.parametrize(
    ("spread", "rho"), [(0.0, 0.0), (0.015, 0.3), (0.015, 0.7), (0.05, 0.0), (0.05, 0.5), (0.05, 0.7)]
)
def test_intervals_over_days_cover_92_to_97_percent(days: int, spread: float, rho: float) -> None:
    """95 % intervals of 1,000 windows hold the share of the endless stream in 92 to 97 %, with and without effects."""
    rng = np.random.default_rng([days, round(1000 * spread), round(10 * rho)])
    chances = SHARE + spread * effects(days, rho, rng)
    hits, rows = rng.binomial(ROWS_A_DAY, np.clip(chances, 0, 1)), np.full(days, ROWS_A_DAY)
    covered = 0
    for window in hits:
        iid = wilson(int(window.sum()), int(rows.sum()))
        found = over_days(share_of, [window, rows], iid)
        assert found is not None
        assert found.kind == "days"
        covered += found.low <= SHARE <= found.high
    # Two standard errors of 1,000 windows on either side.
    assert 0.92 - 0.017 <= covered / WINDOWS <= 0.97 + 0.011


def test_days_never_narrow_the_interval_of_rows() -> None:
    """However alike days are, the interval is no narrower than that of independent rows."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        hits, rows = rng.binomial(500, 0.9, 30), np.full(30, 500)
        iid = wilson(int(hits.sum()), int(rows.sum()))
        found = over_days(share_of, [hits, rows], iid)
        assert iid is not None
        assert found is not None
        assert found.high - found.low >= iid.high - iid.low


def test_too_few_days_leave_the_interval_of_rows() -> None:
    """19 days, or 20 of which one counted nothing, give the interval of rows as it came, or none."""
    iid = Interval(0.7, 0.9, "iid")
    rng = np.random.default_rng(4)
    hits, rows = rng.binomial(100, 0.8, 20), np.full(20, 100)
    assert over_days(share_of, [hits[:19], rows[:19]], iid) == iid
    hits[7], rows[7] = 0, 0
    assert over_days(share_of, [hits, rows], iid) == iid
    assert over_days(share_of, [hits, rows]) is None


def test_days_that_do_not_differ_leave_the_interval_of_rows() -> None:
    """Where days are all alike the interval of rows stands, and says that days were looked at."""
    iid = Interval(0.7, 0.9, "iid")
    assert over_days(share_of, [np.full(30, 8), np.full(30, 10)], iid) == Interval(0.7, 0.9, "days")


def test_a_figure_that_is_undefined_without_a_day_has_the_interval_of_rows() -> None:
    """All rows on one day of 20 leave nothing without it, so days say nothing."""
    iid = Interval(0.7, 0.9, "iid")
    rows = np.zeros(20, np.int64)
    rows[3] = 50
    with np.errstate(invalid="ignore"):
        assert over_days(lambda hits, rows, _: hits / rows, [rows, rows, np.ones(20)], iid) is iid
