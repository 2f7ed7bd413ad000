"""Rows that came for a window already cold: kept by day, until those windows are restated from the archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from driftline.streams.windows.resolution import DAY_MS

MAX_DAYS = 2048
"""Days listed one by one for a deployment; past it rows are counted in one entry with the span they cover."""

MAX_ASKED = 64
"""Spans that are asked for apart; past it they become the one that they lie in."""

ANY_OFFSET = 1 << 62
"""The last offset of rows that an earlier release counted without one."""


class Late(NamedTuple):
    """Late rows of a span of event time, and where in the log they lie.

    Attributes:
        version, slot: of the model; None for those past `MAX_DAYS`, which are of any.
        since_ms, until_ms: event time, exclusive at the end.
        rows: how many.
        first, last: least and greatest offset of a record that held some; `first` is 0 where all that came is wanted.
    """

    version: str | None
    slot: str | None
    since_ms: int
    until_ms: int
    rows: int
    first: int
    last: int

    @property
    def is_asked(self) -> bool:
        """Whether all that came is wanted, though no row of it is late."""
        return self.version is None and self.rows == 0

    @property
    def span_ms(self) -> tuple[int, int]:
        """The span of event time, ms."""
        return self.since_ms, self.until_ms

    def with_rows(self, day_ms: int, rows: int, offset: int) -> Late:
        """The same with more rows."""
        return self._replace(
            since_ms=min(self.since_ms, day_ms),
            until_ms=max(self.until_ms, day_ms + DAY_MS),
            rows=self.rows + rows,
            first=min(self.first, offset),
            last=max(self.last, offset),
        )

    def after(self, done: Late) -> Late | None:
        """What is left when what stood in `done` is restated; None for nothing."""
        if self.last <= done.last:
            return None
        return self._replace(rows=max(self.rows - done.rows, 1), first=done.last + 1)


@dataclass(slots=True)
class LateDays:
    """Late rows by (model version, slot, day); the archive has the rows, their windows await restatement.

    Attributes:
        days: rows by day.
        overflow: rows past `MAX_DAYS`.
        asked: spans of days that are to be restated though no row of them is late: since and until (ms), and the offset
            up to which all that came is wanted.
    """

    days: dict[tuple[str, str, int], Late] = field(default_factory=dict)
    overflow: Late | None = None
    asked: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, version: str, slot: str, day_ms: int, rows: int, offset: int) -> None:
        """Count `rows` rows of the UTC day that starts at `day_ms`, found at an offset."""
        key = (version, slot, day_ms)
        held = self.days.get(key)
        if held is not None:
            self.days[key] = held.with_rows(day_ms, rows, offset)
        elif len(self.days) < MAX_DAYS:
            self.days[key] = Late(version, slot, day_ms, day_ms + DAY_MS, rows, offset, offset)
        elif self.overflow is None:
            self.overflow = Late(None, None, day_ms, day_ms + DAY_MS, rows, offset, offset)
        else:
            self.overflow = self.overflow.with_rows(day_ms, rows, offset)

    def ask(self, since_ms: int, until_ms: int, offset: int) -> None:
        """Have all days of a span restated with what came up to an offset, though no row of them is late."""
        self.asked[since_ms, until_ms] = max(self.asked.get((since_ms, until_ms), 0), offset)
        if len(self.asked) > MAX_ASKED:
            starts, ends = zip(*self.asked, strict=True)
            self.asked = {(min(starts), max(ends)): max(self.asked.values())}

    def awaits(self, since_ms: int, until_ms: int) -> bool:
        """Whether some of a span is asked for and not restated yet."""
        return any(since < until_ms and until > since_ms for since, until in self.asked)

    def rows(self, version: str, slot: str) -> int:
        """Late rows of one model version and slot that are listed by day."""
        return sum(one.rows for (v, s, _), one in self.days.items() if (v, s) == (version, slot))

    def rows_beside(self, done: Iterable[Late], version: str, slot: str) -> int:
        """Likewise, without those that are restated now."""
        gone = sum(one.rows for one in done if (one.version, one.slot) == (version, slot))
        return max(self.rows(version, slot) - gone, 0)

    @property
    def total(self) -> int:
        """All late rows of the deployment: the figure `awaiting_restatement`."""
        return sum(one.rows for one in self.spans)

    @property
    def spans(self) -> list[Late]:
        """All that awaits restatement."""
        asked = [Late(None, None, *span, 0, 0, offset) for span, offset in self.asked.items()]
        return [*self.days.values(), *([] if self.overflow is None else [self.overflow]), *asked]

    def restated(self, done: Iterable[Late]) -> None:
        """Take out what was restated; what came since stays."""
        for one in done:
            if one.is_asked:
                if self.asked.get(one.span_ms, one.last + 1) <= one.last:
                    del self.asked[one.span_ms]
                continue
            if one.version is None or one.slot is None:
                self.overflow = None if self.overflow is None else self.overflow.after(one)
                continue
            key = (one.version, one.slot, one.since_ms)
            held = self.days.get(key)
            left = None if held is None else held.after(one)
            if left is not None:
                self.days[key] = left
            else:
                self.days.pop(key, None)

    def to_list(self) -> list[tuple[str | None, str | None, int, int, int, int, int]]:
        """Plain values for storing."""
        return [(*one,) for one in self.spans]

    @classmethod
    def from_list(cls, stored: list[Any]) -> LateDays:
        """The reverse of `to_list`; reads what an earlier release stored too."""
        found = cls()
        spans = [Late(*one) for one in stored] if _is_plain(stored) else _earlier(*stored)
        for one in spans:
            if one.is_asked:
                found.asked[one.span_ms] = one.last
            elif one.version is None or one.slot is None:
                found.overflow = one
            else:
                found.days[one.version, one.slot, one.since_ms] = one
        return found


def _is_plain(stored: list[Any]) -> bool:
    """Whether it is a list of spans, and not (days, overflow, since, until)."""
    return all(isinstance(one, list | tuple) and len(one) == len(Late._fields) for one in stored)


def _earlier(listed: list[Any], overflow: int, since_ms: int, until_ms: int) -> list[Late]:
    spans = [Late(v, s, day, day + DAY_MS, rows, 0, ANY_OFFSET) for v, s, day, rows in listed]
    return spans + ([Late(None, None, since_ms, until_ms, overflow, 0, ANY_OFFSET)] if overflow else [])
