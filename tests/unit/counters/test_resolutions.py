"""Windows: aligned to UTC, weeks from Monday, months by the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from driftline.streams.windows.resolution import NAMES, Resolution, ResolutionError


def ms(text: str) -> int:
    """Read an ISO time in UTC as milliseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("name", "time", "start", "end"),
    [
        ("5m", "2013-03-10 02:34:59", "2013-03-10 02:30", "2013-03-10 02:35"),
        ("1h", "2013-03-10 02:34:59", "2013-03-10 02:00", "2013-03-10 03:00"),
        ("1d", "2013-03-10 23:59:59", "2013-03-10", "2013-03-11"),
        ("7d", "2013-03-10 23:59:59", "2013-03-04", "2013-03-11"),
        ("7d", "2013-03-11 00:00:00", "2013-03-11", "2013-03-18"),
        ("1M", "2012-02-29 12:00:00", "2012-02-01", "2012-03-01"),
        ("1M", "2013-12-31 23:59:59", "2013-12-01", "2014-01-01"),
        ("1d", "1969-12-31 12:00:00", "1969-12-31", "1970-01-01"),
    ],
)
def test_a_window_holds_its_time(name: str, time: str, start: str, end: str) -> None:
    """Start and end of the window of a time are those of the UTC calendar."""
    resolution = Resolution.parse(name)
    assert resolution.starts(np.array([ms(time)])).tolist() == [ms(start)]
    assert resolution.end(ms(start)) == ms(end)


@pytest.mark.parametrize("name", NAMES)
def test_a_start_is_its_own_start_and_an_end_the_next(name: str) -> None:
    """Windows follow each other without a hole."""
    resolution = Resolution.parse(name)
    start = int(resolution.starts(np.array([ms("2013-05-17 13:13")]))[0])
    for _ in range(20):
        end = resolution.end(start)
        assert resolution.starts(np.array([start, end - 1, end])).tolist() == [start, start, end]
        start = end


def test_an_unknown_resolution_is_named_with_the_known_ones() -> None:
    """The error says what there is."""
    with pytest.raises(ResolutionError, match=r"'2h' does not exist: use one of 5m, 1h, 1d, 7d, 1M"):
        Resolution.parse("2h")
