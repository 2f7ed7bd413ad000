"""Pace: how fast a model answers, and with it whether the event loop may ask it without a thread between."""

from __future__ import annotations

from typing import Final

WEIGHT: Final = 0.05
"""Of the newest call in the mean."""
MOST_S: Final = 0.002
"""A call counts as no longer: one that the system held up says nothing of the model."""


class Pace:
    """The mean of the last calls, as seconds a row.

    >>> pace = Pace()
    >>> pace.is_within(1, 0.001)
    False
    >>> pace.took(0.0001, 1)
    >>> pace.is_within(1, 0.001), pace.is_within(100, 0.001)
    (True, False)
    """

    __slots__ = ("_mean_s",)

    def __init__(self) -> None:
        self._mean_s = -1.0

    def took(self, seconds: float, rows: int) -> None:
        """Take in a call."""
        each_s = (min(MOST_S, seconds)) / (rows or 1)
        held_s = self._mean_s
        self._mean_s = each_s if held_s < 0.0 else held_s + WEIGHT * (each_s - held_s)

    def is_within(self, rows: int, seconds: float) -> bool:
        """Whether a call of so many rows will take at most so long; never before the first call was seen."""
        return 0.0 <= self._mean_s * rows <= seconds
