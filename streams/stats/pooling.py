"""Pooling: thin cells are joined until each expects enough rows for a chi-squared law to hold.

Cells are taken in ascending order of the count they expect, joined until the smaller of the two samples
expects at least 5 rows in each (Cochran 1954, "Some methods for strengthening the common chi-squared
tests"), and what is left over at the end joins the last cell. The expected count of cell i is
(c_i + r_i) * min(n, m) / (n + m); it depends on the totals of the cells alone, never on which sample a row
came from, so that pooling chooses nothing in favour of drift.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

ENOUGH = 5.0
"""Rows that each pooled cell must expect in the smaller sample."""


class Pooled(NamedTuple):
    """Two rows of counts over the same pooled cells, in ascending order of expected count."""

    current: NDArray[np.int64]
    reference: NDArray[np.int64]

    @property
    def cells(self) -> int:
        """Cells left, the B of chi-squared with B - 1 degrees of freedom."""
        return len(self.current)


def pool(current: ArrayLike, reference: ArrayLike, enough: float = ENOUGH) -> Pooled:
    """Join thin cells of two rows of counts.

    Args:
        current: counts, shape (cells,).
        reference: counts of the same cells.
        enough: rows each pooled cell must expect in the smaller sample.

    Returns:
        The pooled counts: at least one cell unless both rows are empty; totals are kept.

    >>> pool([9, 1, 0, 10], [90, 10, 3, 97])
    Pooled(current=array([10, 10]), reference=array([103,  97]))

    """
    c, r = np.asarray(current, np.int64), np.asarray(reference, np.int64)
    totals = c + r
    rows = int(totals.sum())
    if rows == 0:
        return Pooled(c[:0], r[:0])
    smaller = min(int(c.sum()), int(r.sum()))
    expected = totals * (smaller / rows)
    order = np.argsort(totals, kind="stable")
    starts = _starts(expected[order].tolist(), enough)
    return Pooled(np.add.reduceat(c[order], starts), np.add.reduceat(r[order], starts))


def _starts(expected: list[float], enough: float) -> list[int]:
    """First index of each pooled cell over ascending expected counts."""
    starts, held = [0], 0.0
    for index, value in enumerate(expected):
        if held >= enough:
            starts.append(index)
            held = 0.0
        held += value
    if held < enough and len(starts) > 1:
        starts.pop()
    return starts
