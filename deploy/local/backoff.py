"""When to start a process again that ended: exponential waiting with jitter, forgotten after a healthy while."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.5
GREATEST_SECONDS = 30.0
HEALTHY_SECONDS = 60.0


@dataclass(slots=True)
class Backoff:
    """Waiting times of one component.

    The k-th end in a row waits FIRST · 2^(k-1) s, at most GREATEST, times a factor in [0.5, 1]: workers that
    fell together do not come back together.

    >>> wait = Backoff()
    >>> [wait.after_end(lived_seconds=1, jitter=1.0) for _ in range(4)]
    [0.5, 1.0, 2.0, 4.0]
    >>> wait.after_end(lived_seconds=61, jitter=0.0)
    0.25
    """

    ends_in_a_row: int = 0

    def after_end(self, *, lived_seconds: float, jitter: float) -> float:
        """Return how many seconds to wait before the next start.

        Args:
            lived_seconds: how long the process lived; HEALTHY_SECONDS or more forgets the ends before.
            jitter: a uniform random number in [0, 1).

        """
        if lived_seconds >= HEALTHY_SECONDS:
            self.ends_in_a_row = 0
        # Past this power the cap rules anyway, and a float would overflow after a thousand ends.
        seconds = min(GREATEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self.ends_in_a_row, 16))
        self.ends_in_a_row += 1
        return seconds * (0.5 + jitter / 2)
