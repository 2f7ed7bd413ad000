"""Pace: how fast a model answers, and with it whether the event loop may ask it without a thread between."""

from __future__ import annotations

from typing import Final

WEIGHT: Final = 0.05
"""Of the newest call in the mean."""
MOST_S: Final = 0.002
"""A row counts as no longer: a call that the system held up says nothing of the model."""
HELD_UP_S: Final = 0.02
"""A call that the loop itself made and that took so long held up everybody: the next calls have a thread."""
AWAY: Final = 1_000
"""How many calls those are: so many the first time, twice as many the second time, and so on."""
MOST_TIMES: Final = 10


class Pace:
    """The mean of the last calls, as seconds a row.

    >>> pace = Pace()
    >>> pace.is_within(1, 0.001)
    False
    >>> pace.took(0.0001, 1)
    >>> pace.is_within(1, 0.001), pace.is_within(100, 0.001)
    (True, False)
    """

    __slots__ = ("_away", "_mean_s", "_times")

    def __init__(self) -> None:
        self._mean_s = -1.0
        self._away = self._times = 0

    def took(self, seconds: float, rows: int, *, is_here: bool = False, has_failed: bool = False) -> None:
        """Take in a call.

        Args:
            seconds: it took.
            rows: it had.
            is_here: the event loop made it, and stood still for so long.
            has_failed: what refuses quickly may answer slowly: it makes the mean no better.
        """
        each_s = min(MOST_S, seconds / (rows or 1))
        held_s = self._mean_s
        if is_here and seconds >= HELD_UP_S:
            self._times = min(MOST_TIMES, self._times + 1)
            self._away = AWAY * self._times
        if has_failed and (held_s < 0.0 or each_s <= held_s):
            return
        self._mean_s = each_s if held_s < 0.0 else held_s + WEIGHT * (each_s - held_s)
        if self._away > 0 and not (is_here and seconds >= HELD_UP_S):
            self._away -= 1

    def is_within(self, rows: int, seconds: float) -> bool:
        """Whether a call of so many rows will take at most so long; never before the first call was seen."""
        return self._away <= 0 and 0.0 <= self._mean_s * rows <= seconds
