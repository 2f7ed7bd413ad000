"""Late rows: how they are kept until their windows are restated, and what is left after that."""

from __future__ import annotations

from driftline.streams.windows import late as lateness
from driftline.streams.windows.late import Late, LateDays
from driftline.streams.windows.resolution import DAY_MS


def test_what_comes_meanwhile_stays() -> None:
    """Rows that came after a restatement was begun await the next one, by the offsets that lie behind it."""
    days = LateDays()
    days.add("1", "champion", 0, 3, 7)
    begun = days.spans
    days.add("1", "champion", 0, 2, 9)
    days.restated(begun)
    assert days.spans == [Late("1", "champion", 0, DAY_MS, 2, 8, 9)]
    days.restated(days.spans)
    assert (days.total, days.spans) == (0, [])


def test_rows_beside_a_restatement_are_those_that_it_leaves() -> None:
    """Of late rows those being restated are not told any more."""
    days = LateDays()
    days.add("1", "champion", 0, 3, 7)
    days.add("1", "champion", DAY_MS, 4, 8)
    days.add("2", "champion", 0, 5, 9)
    done = days.spans[:1]
    assert days.rows_beside(done, "1", "champion") == 4
    assert days.rows_beside(done, "2", "champion") == 5


def test_past_the_bound_rows_are_kept_as_one_span() -> None:
    """Days past the bound become one span of time and offsets, whatever their version, and are restated as one."""
    days = LateDays()
    for day in range(lateness.MAX_DAYS + 3):
        days.add("1", "champion", day * DAY_MS, 1, day)
    assert len(days.days) == lateness.MAX_DAYS
    first = lateness.MAX_DAYS
    assert days.overflow == Late(None, None, first * DAY_MS, (first + 3) * DAY_MS, 3, first, first + 2)
    assert days.total == lateness.MAX_DAYS + 3
    assert LateDays.from_list(days.to_list()) == days
    days.restated(days.spans)
    assert days == LateDays()


def test_days_asked_for_meanwhile_are_restated_whole() -> None:
    """Days that are asked for while others are at work are restated next with all that came; no row counts as late."""
    days = LateDays()
    days.ask(0, DAY_MS, 100)
    days.ask(5 * DAY_MS, 6 * DAY_MS, 100)
    begun = days.spans
    days.ask(0, DAY_MS, 150)
    days.ask(DAY_MS, 2 * DAY_MS, 200)
    days.restated(begun)
    assert days.spans == [
        Late(None, None, 0, DAY_MS, 0, 0, 150),
        Late(None, None, DAY_MS, 2 * DAY_MS, 0, 0, 200),
    ]
    assert (days.total, LateDays.from_list(days.to_list())) == (0, days)
    days.restated(days.spans)
    assert days == LateDays()


def test_only_the_days_that_were_asked_for_are_awaited() -> None:
    """Between two spans lies nothing that is restated; past the bound they become the one that they lie in."""
    days = LateDays()
    days.ask(0, DAY_MS, 100)
    days.ask(30 * DAY_MS, 31 * DAY_MS, 90)
    assert (days.awaits(DAY_MS, 30 * DAY_MS), days.awaits(0, 1), days.awaits(29 * DAY_MS, 40 * DAY_MS)) == (
        False,
        True,
        True,
    )
    for day in range(1, lateness.MAX_ASKED):
        days.ask(40 * DAY_MS + day, 41 * DAY_MS, 80)
    assert days.asked == {(0, 41 * DAY_MS): 100}


def test_rows_past_the_bound_do_not_go_with_days_that_are_asked_for() -> None:
    """What is asked for is restated whole; rows of many days are looked for by the offsets that they have."""
    days = LateDays(overflow=Late(None, None, 0, DAY_MS, 2, 50, 60))
    days.ask(0, DAY_MS, 55)
    assert [(one.rows, one.first, one.last) for one in days.spans] == [(2, 50, 60), (0, 0, 55)]
    days.restated(days.spans[1:])
    assert days == LateDays(overflow=Late(None, None, 0, DAY_MS, 2, 50, 60))


def test_what_an_earlier_release_stored_is_read() -> None:
    """Days without offsets are restated whatever their offsets."""
    stored = [[["1", "champion", 0, 3]], 2, DAY_MS, 3 * DAY_MS]
    days = LateDays.from_list(stored)
    assert (days.total, days.rows("1", "champion")) == (5, 3)
    assert days.overflow is not None
    assert (days.overflow.since_ms, days.overflow.until_ms) == (DAY_MS, 3 * DAY_MS)
    assert LateDays.from_list([[], 0, 0, 0]) == LateDays()
