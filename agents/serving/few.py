"""Few: what strangers may send without end is told of one by one a few times a minute, and beyond that as a number."""

from __future__ import annotations

from typing import Final

MINUTE_S: Final = 60.0


class Few:
    """Lets some through a minute, and counts the rest; time is an argument, monotonic, s.

    Args:
        most: a minute.

    >>> few = Few(2)
    >>> [few.passes(0.0) for _ in range(5)], few.more(59.0), few.more(60.0)
    ([True, True, False, False, False], 0, 3)
    >>> few.passes(60.0)
    True
    """

    __slots__ = ("_more", "_most", "_passed", "_since_s")

    def __init__(self, most: int) -> None:
        self._most = most
        self._since_s = float("-inf")
        self._passed = self._more = 0

    def has_room(self, now_s: float) -> bool:
        """Whether one more may pass."""
        if now_s - self._since_s >= MINUTE_S and not self._more:
            self._since_s, self._passed = now_s, 0
        return self._passed < self._most

    def passes(self, now_s: float) -> bool:
        """Whether one more is told of by itself; if not, `more` counts it."""
        if self.has_room(now_s):
            self._passed += 1
            return True
        self.miss()
        return False

    def miss(self) -> None:
        """Count one that is not told of."""
        self._more += 1

    def more(self, now_s: float) -> int:
        """How many did not pass, to be told once their minute is over; 0 when nothing is due."""
        if not self._more or now_s - self._since_s < MINUTE_S:
            return 0
        more, self._more = self._more, 0
        self._since_s, self._passed = now_s, 0
        return more
