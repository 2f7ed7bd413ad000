"""Which widths of window a table has the rows for."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.resolutions import WindowCount, parse_resolutions

DAY_MS = 86_400_000
START_MS = 1_704_067_200_000


def count(rows_a_day: int, days: int) -> WindowCount:
    """Count rows spread evenly over days, in two batches."""
    found = WindowCount()
    times = START_MS + np.linspace(0, days * DAY_MS, rows_a_day * days, endpoint=False).astype(np.int64)
    for part in np.array_split(times, 2):
        found.add(part)
    return found


@pytest.mark.parametrize(
    ("rows_a_day", "chosen"),
    [(100, ("1d",)), (1_000, ("1d",)), (5_000, ("1h", "1d")), (60_000, ("5m", "1h", "1d"))],
)
def test_widths_that_reach_the_minimum_count_are_chosen(rows_a_day: int, chosen: tuple[str, ...]) -> None:
    """A width is chosen when its windows reach 200 rows; days always are."""
    assert count(rows_a_day, 3).default() == chosen


def test_windows_are_counted_across_batches() -> None:
    """A window cut in two by a batch is one window with the rows of both."""
    found = count(200, 3)
    assert (found.windows("1d"), found.judged("1d")) == (3, 3)
    assert (found.first_ms, found.last_ms) == (START_MS, START_MS + 3 * DAY_MS - DAY_MS // 200)


def test_without_times_days_remain() -> None:
    """A table without times is counted by day of arrival."""
    assert WindowCount().default() == ("1d",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1hh", "did you mean '1h'"),
        ("7d", "made of days"),
        ("", "names none"),
        ("2w", "known are 5m, 1h, 1d"),
    ],
)
def test_wrong_resolutions_are_named(text: str, words: str) -> None:
    """A width that does not exist, or that is a merge, is said with what to write."""
    with pytest.raises(TableError, match=words):
        parse_resolutions(text)
