"""A replay of any log gives what a plain count of its rows gives, whatever the order, and only whole windows."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st
from shards import BASE_MS, DAY_MS, HOUR_MS, RowsOnly, batch

from driftline.streams.replay import recount as recounting
from driftline.streams.replay.choice import Span
from driftline.streams.replay.errors import ReplayError
from driftline.streams.replay.recount import Recount
from driftline.streams.windows.rules import Rules

WIDTHS = {"1h": HOUR_MS, "1d": DAY_MS}
TIMES = st.lists(st.integers(0, 40 * 24).map(lambda hour: BASE_MS + hour * HOUR_MS), min_size=1, max_size=6)
LOGS = st.lists(st.tuples(st.integers(0, 8), TIMES), min_size=1, max_size=20)
SPANS = st.tuples(st.integers(-10, 40 * 24), st.integers(1, 60 * 24)).map(
    lambda one: (BASE_MS + one[0] * HOUR_MS, BASE_MS + (one[0] + one[1]) * HOUR_MS)
)


class Found(NamedTuple):
    """A result, as far as a plain count knows it."""

    resolution: str
    start_ms: int
    rows: int


def plain(log: list[tuple[int, list[int]]], span: tuple[int, int]) -> set[Found]:
    """Count rows one by one, batches once."""
    counts: Counter[tuple[str, int]] = Counter()
    for time in [time for times in dict(reversed(log)).values() for time in times]:
        for name, width in WIDTHS.items():
            start = time // width * width
            if span[0] <= start and start + width <= span[1]:
                counts[name, start] += 1
    return {Found(*window, rows) for window, rows in counts.items()}


@settings(max_examples=many(100), deadline=None)
@given(log=LOGS, span=SPANS, packs=st.booleans())
def test_a_replay_counts_what_the_log_holds(
    *, log: list[tuple[int, list[int]]], span: tuple[int, int], packs: bool
) -> None:
    """Rows of every window wholly in the span equal a plain count, packed meanwhile or not; weeks are sums of days."""
    work = Recount("a", 0, len(log), Span(*span), RowsOnly(), Rules())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recounting, "DECODED_BYTES", 0 if packs else 1 << 30)
        for seq, times in log:
            work.take(batch("a", seq, times))
        results = list(work.results(span[1], 0))
    counted = [one for one in results if one.resolution in WIDTHS]
    assert {Found(one.resolution, one.window_start_ms, one.rows) for one in counted} == plain(log, span)
    assert len(counted) == len({(one.resolution, one.window_start_ms) for one in counted})
    days = [one for one in counted if one.resolution == "1d"]
    for merged in [one for one in results if one.resolution not in WIDTHS]:
        inside = [
            day.rows for day in days if merged.window_start_ms <= day.window_start_ms < merged.window_end_ms
        ]
        assert merged.rows == sum(inside)
        assert span[0] <= merged.window_start_ms < merged.window_end_ms <= span[1]


@settings(max_examples=many(50), deadline=None)
@given(LOGS)
def test_day_by_day_gives_what_all_at_once_gives(log: list[tuple[int, list[int]]]) -> None:
    """Rows in the order of days, each day given and let go when it is whole, give the same results."""
    span = (BASE_MS - 40 * DAY_MS, BASE_MS + 100 * DAY_MS)
    at_once = Recount("a", 0, 0, Span(*span), RowsOnly(), Rules())
    by_day = Recount("a", 0, 0, Span(*span), RowsOnly(), Rules())
    times = sorted(time for _, row in log for time in row)
    found = []
    for number, day in enumerate(sorted({time // DAY_MS * DAY_MS for time in times})):
        mine = [time for time in times if day <= time < day + DAY_MS]
        by_day.take(batch("a", number, mine))
        at_once.take(batch("a", number, mine))
        found += list(by_day.results(span[1], 0, before_ms=day + DAY_MS))
    found += list(by_day.results(span[1], 0))
    assert not by_day.keys
    want = list(at_once.results(span[1], 0))
    names = [(one.resolution, one.window_start_ms, one.rows, one.counts) for one in found]
    assert sorted(names) == sorted(
        (one.resolution, one.window_start_ms, one.rows, one.counts) for one in want
    )


def test_more_windows_than_memory_is_allowed_for_is_one_sentence() -> None:
    """A replay stops with a sentence before it takes more memory than its cap."""
    work = Recount("a", 0, 0, Span(0, BASE_MS * 2), RowsOnly(), Rules(), packed_bytes=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recounting, "DECODED_BYTES", 0)
        with pytest.raises(ReplayError, match="replay a shorter span, or wider windows"):
            work.take(batch("a", 0, [BASE_MS]))
