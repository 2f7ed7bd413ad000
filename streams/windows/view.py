"""View: what was counted of one column, as a verdict reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftline.schemas.profile_column import ProfileColumn, fold_bins
from driftline.streams.windows.kernel import (
    COUNT,
    FRACTION_BITS,
    HI,
    LO,
    LO_BITS,
    MISSING,
    NAN,
    NEGINF,
    NULLS,
    POSINF,
    SATURATED,
    WRONG,
)
from driftline.streams.windows.layout import LayoutColumn


@dataclass(frozen=True, slots=True, eq=False)
class ColumnCounts:
    """One column of one window.

    Attributes:
        profile: the column of the profile it was counted against.
        counts: int64 (F,), rows per fine bin.
        sums_lo: int64 (F,), lower part of the exact sums per fine bin; zeros for a categorical column.
        sums_hi: int64 (F,), upper part; the sum is (hi * 2**32 + lo) * 2**-40 standard deviations.
        rows: rows of the window.
        nulls: rows without a value.
        nan: rows with NaN.
        posinf: rows with +inf.
        neginf: rows with -inf.
        wrong: rows whose value had a wrong type.
        missing: rows of batches that did not have the column.
        saturated: rows whose term was cut at 2**20 standard deviations.
    """

    profile: ProfileColumn
    counts: np.ndarray
    sums_lo: np.ndarray
    sums_hi: np.ndarray
    rows: int
    nulls: int
    nan: int
    posinf: int
    neginf: int
    wrong: int
    missing: int
    saturated: int

    @property
    def valid(self) -> int:
        """Rows in some bin: the n of every share."""
        return int(self.counts.sum())

    @property
    def psi_counts(self) -> np.ndarray:
        """Rows per PSI bin, int64."""
        return fold_bins(self.counts, self.profile.decile_of_bin)

    @property
    def sums(self) -> np.ndarray:
        """Sums of (v - mean) / sd per fine bin, float64; each rounded once from the exact integer."""
        return np.array([float(exact) for exact in self.exact_sums]) * 2.0**-FRACTION_BITS

    @property
    def exact_sums(self) -> list[int]:
        """The exact sums per fine bin, in 2**-40 of a standard deviation."""
        return [(int(hi) << LO_BITS) + int(lo) for hi, lo in zip(self.sums_hi, self.sums_lo, strict=True)]

    @property
    def below(self) -> int:
        """Rows under the reference's minimum; 0 for a categorical column."""
        return int(self.counts[0]) if self._has_range else 0

    @property
    def above(self) -> int:
        """Rows over the reference's maximum; 0 for a categorical column."""
        return int(self.counts[-1]) if self._has_range else 0

    @property
    def other(self) -> int:
        """Rows with a level of the reference past the kept ones; 0 for a numeric column."""
        return int(self.counts[-2]) if self.profile.kind == "categorical" else 0

    @property
    def unseen(self) -> int:
        """Rows with a level the reference never had; 0 for a numeric column."""
        return int(self.counts[-1]) if self.profile.kind == "categorical" else 0

    @property
    def _has_range(self) -> bool:
        return self.profile.kind == "numeric" and self.profile.minimum is not None


def view_of(table: np.ndarray, quality: np.ndarray, column: LayoutColumn, rows: int) -> ColumnCounts:
    """Look at one column in the tables of a window, sums in canonical form; arrays are shared, not copied."""
    cells = slice(column.first, column.first + column.profile.bins)
    entry = quality[column.index]
    return ColumnCounts(
        profile=column.profile,
        counts=table[COUNT, cells],
        sums_lo=table[LO, cells],
        sums_hi=table[HI, cells],
        rows=rows,
        nulls=int(entry[NULLS]),
        nan=int(entry[NAN]),
        posinf=int(entry[POSINF]),
        neginf=int(entry[NEGINF]),
        wrong=int(entry[WRONG]),
        missing=int(entry[MISSING]),
        saturated=int(entry[SATURATED]),
    )
