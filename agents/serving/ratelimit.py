"""Rate limit: of what strangers may send without end some is told of by itself a minute, and the rest as a number."""

from __future__ import annotations

from typing import Final

MINUTE_S: Final = 60.0


class RateLimit:
    """Allows some a minute, and counts what it suppresses; time is an argument, monotonic, s.

    Args:
        most: a minute.

    >>> limit = RateLimit(2)
    >>> [limit.allows(0.0) for _ in range(5)], limit.suppressed(59.0), limit.suppressed(60.0)
    ([True, True, False, False, False], 0, 3)
    >>> limit.allows(60.0)
    True
    """

    __slots__ = ("_allowed", "_most", "_since_s", "_suppressed")

    def __init__(self, most: int) -> None:
        self._most = most
        self._since_s = float("-inf")
        self._allowed = self._suppressed = 0

    def has_room(self, now_s: float) -> bool:
        """Whether one more would be allowed."""
        if now_s - self._since_s >= MINUTE_S and not self._suppressed:
            self._since_s, self._allowed = now_s, 0
        return self._allowed < self._most

    def allows(self, now_s: float) -> bool:
        """Whether one more is told of by itself; if not, `suppressed` counts it."""
        if self.has_room(now_s):
            self._allowed += 1
            return True
        self.suppress()
        return False

    def suppress(self) -> None:
        """Count one that is not told of."""
        self._suppressed += 1

    def suppressed(self, now_s: float) -> int:
        """How many were, to be told once their minute is over; 0 when nothing is due."""
        if not self._suppressed or now_s - self._since_s < MINUTE_S:
            return 0
        count, self._suppressed = self._suppressed, 0
        self._since_s, self._allowed = now_s, 0
        return count
