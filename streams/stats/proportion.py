"""Proportion: a share of counted rows with its Wilson interval."""

from __future__ import annotations

from typing import NamedTuple

from driftline.streams.stats.intervals import wilson


class Proportion(NamedTuple):
    """`hits` of `rows`, and its 95 % interval; the last three are None without rows."""

    hits: int
    rows: int
    value: float | None
    low: float | None
    high: float | None


def proportion(hits: int, rows: int) -> Proportion:
    """Give a share its interval.

    >>> [round(x, 4) for x in proportion(3, 10)[2:]]
    [0.3, 0.1078, 0.6032]
    >>> proportion(0, 0)
    Proportion(hits=0, rows=0, value=None, low=None, high=None)

    """
    found = wilson(hits, rows)
    if found is None:
        return Proportion(hits, rows, None, None, None)
    return Proportion(hits, rows, hits / rows, found.low, found.high)
