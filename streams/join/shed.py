"""Shed: what leaves the memory of the join, and the records that stay of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from driftline.streams.join.day_key import day_key
from driftline.streams.join.hot import WAIT_S
from driftline.streams.join.kept import CellKey
from driftline.streams.windows.book import NEVER, WIDTHS_MS
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Collection

    from driftline.streams.join.hot import Hot
    from driftline.streams.join.shard_row import Records


def let_go(hot: Hot, cold: list[CellKey]) -> Records:
    """Drop cells, and give the records of the days that they were part of, and of ids that came first in them."""
    repeats = hot.repeats.records(hot.name, hot.cells, cold)
    days = sorted({CellKey(key.version, key.slot, key.start_ms // DAY_MS * DAY_MS) for key in cold})
    hot.drop(cold)
    return [*repeats, *((day_key(hot.name, day), hot.days.packed(day)) for day in days if day in hot.days)]


class Shed(NamedTuple):
    """What is to be stored, and the broker's time of the newest label let go, s; None without."""

    records: Records
    let_go_s: int | None


def shed(hots: Collection[Hot], heard_s: int, hot_windows: int, most_bytes: int) -> Shed:
    """Let go of labels that wait, then of the oldest days, while that is wanted.

    The days that stay are in doubt: an id that came first in a day that goes, or a label that waited, is missed there.

    Args:
        hots: all deployments, as they were published.
        heard_s: the broker's time of the newest label, s.
        hot_windows: closed windows that still take facts.
        most_bytes: how much is to be held.
    """
    records: Records = []
    times_s = [_drop_waiting(hot, heard_s, hot_windows) for hot in hots]
    held = [(key, hot) for hot in hots for key in hot.cells]
    size_bytes = sum(hot.nbytes for hot in hots)
    for key, hot in sorted(held, key=lambda one: one[0].start_ms):
        if size_bytes <= most_bytes:
            break
        if key not in hot.cells:
            continue
        size_bytes -= hot.nbytes
        floor = (key.start_ms // DAY_MS + 1) * DAY_MS
        hot.floors_ms |= {name: max(floor, hot.floors_ms.get(name, NEVER)) for name in WIDTHS_MS}
        records += let_go(hot, [one for one in hot.cells if one.start_ms < floor])
        hot.gaps.doubts(floor, floor + (hot_windows + 1) * DAY_MS)
        times_s.append(_drop_waiting(hot, heard_s, hot_windows))
        size_bytes += hot.nbytes
    return Shed(records, max((time_s for time_s in times_s if time_s is not None), default=None))


def _drop_waiting(hot: Hot, heard_s: int, hot_windows: int) -> int | None:
    """Let go of labels without a prediction in memory; the days that one may still come in are in doubt.

    Returns:
        The broker's time of the newest of them, s: what is predicted of before that, however late, is in doubt too.
    """
    newest_s = hot.trim(heard_s, 0)
    if newest_s is not None and hot.newest_ms != NEVER:
        since_ms = hot.cold_before("1d", hot.watermark_ms, hot_windows)
        hot.gaps.doubts(since_ms, (hot.newest_ms // DAY_MS + 1) * DAY_MS, heard_s + WAIT_S)
    return newest_s
