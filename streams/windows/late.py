"""Rows that came for a window already cold: kept by day, until a replay recounts those days."""

from __future__ import annotations

from dataclasses import dataclass, field

DAY_MS = 86_400_000

MAX_DAYS = 2048
"""Days listed one by one for a deployment; past it rows are counted in `overflow` with the span they cover."""


@dataclass(slots=True)
class LateDays:
    """Counts of late rows by (model version, slot, day); the archive has the rows, windows await restatement."""

    days: dict[tuple[str, str, int], int] = field(default_factory=dict)
    overflow: int = 0
    overflow_from_ms: int = 0
    overflow_until_ms: int = 0

    def add(self, version: str, slot: str, day_ms: int, rows: int) -> None:
        """Count `rows` rows of the UTC day that starts at `day_ms`."""
        key = (version, slot, day_ms)
        if key in self.days or len(self.days) < MAX_DAYS:
            self.days[key] = self.days.get(key, 0) + rows
            return
        self.overflow_from_ms = min(self.overflow_from_ms, day_ms) if self.overflow else day_ms
        self.overflow_until_ms = max(self.overflow_until_ms, day_ms + DAY_MS)
        self.overflow += rows

    def rows(self, version: str, slot: str) -> int:
        """Late rows of one model version and slot that are listed by day."""
        return sum(count for (v, s, _), count in self.days.items() if (v, s) == (version, slot))

    @property
    def total(self) -> int:
        """All late rows of the deployment: the figure `awaiting_restatement`."""
        return sum(self.days.values()) + self.overflow

    def to_list(self) -> tuple[list[tuple[str, str, int, int]], int, int, int]:
        """Plain values for storing."""
        listed = [(version, slot, day, count) for (version, slot, day), count in self.days.items()]
        return listed, self.overflow, self.overflow_from_ms, self.overflow_until_ms

    @classmethod
    def from_list(cls, stored: tuple[list[tuple[str, str, int, int]], int, int, int]) -> LateDays:
        """The reverse of `to_list`."""
        listed, overflow, since, until = stored
        return cls({(v, s, day): count for v, s, day, count in listed}, overflow, since, until)
