"""When the demo's replay is over."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from driftline.deploy.demo.settle import closing_of

DAYS = {date(2013, 7, 31): 900, date(2013, 8, 1): 80}
LABELS = {"2013-07": 890, "2013-08": 70}


def window(day: date, resolution: str, rows: int, **over: Any) -> dict[str, Any]:
    """Return a window, final and of drift."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    given = {
        "role": "",
        "resolution": resolution,
        "window_start": start,
        "rows": rows,
        "labels": 0,
        "final": True,
    }
    return given | over


def windows(**over: Any) -> list[dict[str, Any]]:
    """Return all windows as they are at the end; `over` changes the first of them."""
    return [
        window(date(2013, 7, 31), "1d", 900) | over,
        window(date(2013, 8, 1), "1d", 80),
        window(date(2013, 7, 1), "1M", 900),
        window(date(2013, 8, 1), "1M", 80, final=False),
        window(date(2013, 7, 1), "1M", 900, role="accuracy", labels=890),
        window(date(2013, 8, 1), "1M", 80, role="accuracy", labels=70, final=False),
    ]


def test_it_is_over_when_days_are_closed_and_months_are_whole_with_their_labels() -> None:
    """The last month cannot be final: nothing comes after it."""
    assert closing_of(DAYS, windows(), LABELS).is_over


def test_it_is_not_over_while_anything_is_missing() -> None:
    """A day that is open or lacks a row, a month without its labels or its window, no day at all."""
    assert not closing_of(DAYS, windows(final=False), LABELS).is_over
    assert not closing_of(DAYS, windows(rows=899), LABELS).is_over
    assert not closing_of(DAYS, windows(), LABELS | {"2013-08": 71}).is_over
    for short in range(4):
        held = windows()
        held[short]["rows"] -= 1
        assert not closing_of(DAYS, held, LABELS).is_over
    for missing in range(6):
        held = windows()
        del held[missing]
        assert not closing_of(DAYS, held, LABELS).is_over
    assert not closing_of({}, [], {}).is_over
