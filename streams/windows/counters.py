"""Counters: all that is counted of one window, as integers, so that parts merge into exactly the whole."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final, TypeAlias

import numpy as np

from driftline.schemas.errors import DriftlineError
from driftline.schemas.shapes import PredictionColumns
from driftline.streams.windows import counters_bytes, fold
from driftline.streams.windows.kernel import FAST_ROWS, HI, LATENCY_BINS, LO, MISSING, QUALITIES
from driftline.streams.windows.layout import Layout, LayoutColumn
from driftline.streams.windows.plain import normalise
from driftline.streams.windows.splits import Split, Tables, add_splits, shape_of
from driftline.streams.windows.view import ColumnCounts, view_of

Rows: TypeAlias = slice | np.ndarray
ALL: Final = slice(None)


class CountersError(DriftlineError):
    """Counters of different profiles that were to be added, or bytes that are no counters of this profile."""


class Counters:
    """Counts and exact sums of one window.

    `merge` is associative and commutative, an empty `Counters` of the same layout is its identity, and
    `retract` undoes it. Folding rows in any order, in any parts, gives equal (`==`) counters.

    Attributes:
        layout: where each count lies.
        rows: predictions counted.
        extra: values met in columns that the profile does not know.
        first_ms: least event time met; None without rows. Retracting rows does not raise it again, so
            it takes no part in `==`.
        last_ms: greatest event time met, likewise.
        table: int64 (3, cells): counts, lower and upper parts of sums. Read it through `column`.
        quality: int64 (columns, QUALITIES).
        latency: int64 (LATENCY_BINS,), the sketch of `driftline.streams.windows.latency`; None before
            the first.
        splits: counts by the values of segments (`driftline.streams.windows.splits`); empty without.
    """

    __slots__ = (
        "_unnormalised",
        "extra",
        "first_ms",
        "last_ms",
        "latency",
        "layout",
        "quality",
        "rows",
        "splits",
        "table",
    )
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.rows = 0
        self.extra = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.table = np.zeros((3, layout.cells), np.int64)
        self.quality = np.zeros((len(layout.columns), QUALITIES), np.int64)
        self.latency: np.ndarray | None = None
        self.splits: Tables = {}
        self._unnormalised = 0  # rows folded since lo was last cut to 32 bits

    def fold(self, cols: PredictionColumns, rows: Rows = ALL) -> None:
        """Count the rows of a batch that fall into this window; a whole batch (`ALL`) is the fast way.

        Args:
            cols: the batch.
            rows: a slice, or an integer index array, of its rows.
        """
        whole = isinstance(rows, slice) and rows in (ALL, slice(0, cols.rows))
        times = cols.times_ms if whole else cols.times_ms[rows]
        count = len(times)
        if count == 0:
            return
        if count > FAST_ROWS:
            index = np.arange(cols.rows)[rows]
            for start in range(0, count, FAST_ROWS):
                self.fold(cols, index[start : start + FAST_ROWS])
            return
        first_ms, last_ms = cols.span_ms if whole else (int(times.min()), int(times.max()))
        self._note_times(first_ms, last_ms)
        self.rows += count
        if not self.layout.columns:
            return
        if self._unnormalised + count > FAST_ROWS:
            self._normalise()
        self._unnormalised += count
        self.extra += fold.add_batch(self.layout, self.table, self.quality, cols, None if whole else rows)
        if cols.latency_ms is not None:
            fold.add_latency(self._sketch(), cols.latency_ms, None if whole else rows)

    def fold_splits(self, splits: tuple[Split, ...], cols: PredictionColumns, rows: Rows = ALL) -> None:
        """Count the same rows by the values of segments, beside `fold`; they are no part of its counts."""
        whole = isinstance(rows, slice) and rows in (ALL, slice(0, cols.rows))
        add_splits(splits, self.splits, cols, None if whole else rows)

    def merge(self, other: Counters) -> None:
        """Add another window's counts to these.

        Raises:
            CountersError: when the two were counted against different profiles.
        """
        self._add(other, 1)
        if other.first_ms is not None and other.last_ms is not None:
            self._note_times(other.first_ms, other.last_ms)

    def retract(self, other: Counters) -> None:
        """Take out counts that were merged or folded in before.

        Raises:
            CountersError: when the two were counted against different profiles.
        """
        self._add(other, -1)
        if self.rows == 0:
            self.first_ms = self.last_ms = None

    @property
    def absent(self) -> list[LayoutColumn]:
        """Columns of the profile that none of the rows had."""
        return [one for one in self.layout.columns if 0 < self.rows == self.quality[one.index, MISSING]]

    def borrow(self, columns: Iterable[LayoutColumn], other: Counters) -> None:
        """Take some columns as another window counted them, with the rows that it had, if any of them had the column.

        Raises:
            CountersError: when the two were counted against different profiles.
        """
        if self.layout.digest != other.layout.digest:
            raise CountersError(f"columns of {other!r} do not belong to {self!r}")
        self._normalise()
        taken = {one.index for one in columns if other.quality[one.index, MISSING] < other.rows}
        for column in (one for one in self.layout.columns if one.index in taken):
            cells = slice(column.first, column.end)
            self.table[:, cells] = other.normalised[:, cells]
            self.quality[column.index] = other.quality[column.index]
        self.splits |= {pair: table.copy() for pair, table in other.splits.items() if taken & set(pair)}

    def copy(self) -> Counters:
        """Give counters of the same content that change apart from these."""
        twin = Counters(self.layout)
        twin.merge(self)
        return twin

    def column(self, name: str, role: str = "feature") -> ColumnCounts:
        """Give what was counted of one column.

        Raises:
            KeyError: when the profile has none of that name and role.
        """
        return view_of(self.normalised, self.quality, self.layout.column(name, role), self.rows)

    def columns(self) -> list[ColumnCounts]:
        """Give what was counted of every column, in the order of the layout."""
        return [view_of(self.normalised, self.quality, column, self.rows) for column in self.layout.columns]

    @property
    def normalised(self) -> np.ndarray:
        """The table with every sum in canonical form, 0 <= lo < 2**32."""
        self._normalise()
        return self.table

    @property
    def size_bytes(self) -> int:
        """Memory held by these counters alone, about."""
        latency = 0 if self.latency is None else self.latency.nbytes
        latency += sum(table.nbytes for table in self.splits.values())
        return self.table.nbytes + self.quality.nbytes + latency + 4 * sys.getsizeof(0) + 256

    def to_bytes(self) -> bytes:
        """Give these counters as bytes: only what is not zero, compressed, with the profile's digest."""
        return counters_bytes.pack(
            counters_bytes.Content(
                digest=self.layout.digest,
                scalars=(self.rows, self.extra, self.first_ms, self.last_ms),
                table=self.normalised,
                quality=self.quality,
                latency=self.latency,
                splits=self.splits,
            )
        )

    @classmethod
    def from_bytes(cls, layout: Layout, data: bytes) -> Counters:
        """Read what `to_bytes` wrote.

        Raises:
            CountersError: when the bytes are damaged, or were counted against another profile than the
                layout's.
        """
        counters = cls(layout)
        try:
            content = counters_bytes.unpack(
                data, layout.digest, counters.table.shape, counters.quality.shape, counters._split_shapes
            )
        except ValueError as error:
            name = f"{layout.deployment!r} {layout.model_version!r}"
            raise CountersError(f"counters of {name}: {error}") from error
        counters.rows, counters.extra, counters.first_ms, counters.last_ms = content.scalars
        counters.table = content.table
        counters.quality = content.quality
        counters.latency = content.latency
        counters.splits = dict(content.splits)
        return counters

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counters):
            return NotImplemented
        return (
            self.layout.digest == other.layout.digest
            and (self.rows, self.extra) == (other.rows, other.extra)
            and np.array_equal(self.normalised, other.normalised)
            and np.array_equal(self.quality, other.quality)
            and np.array_equal(_or_zeros(self.latency), _or_zeros(other.latency))
            and _same_splits(self.splits, other.splits)
        )

    def __repr__(self) -> str:
        name = f"{self.layout.deployment} {self.layout.model_version}"
        return f"<Counters of {name}: {self.rows} rows, profile {self.layout.digest[:12] or 'none'}>"

    def _note_times(self, first_ms: int, last_ms: int) -> None:
        self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
        self.last_ms = last_ms if self.last_ms is None else max(self.last_ms, last_ms)

    def _normalise(self) -> None:
        if self._unnormalised:
            normalise(self.table[LO], self.table[HI])
            self._unnormalised = 0

    def _add(self, other: Counters, sign: int) -> None:
        if self.layout.digest != other.layout.digest:
            mine, theirs = (each.layout.digest[:12] or "none" for each in (self, other))
            raise CountersError(
                f"counters of {self.layout.deployment!r} against {mine} and against {theirs} do not add up: "
                "count one of the windows again"
            )
        self.rows += sign * other.rows
        self.extra += sign * other.extra
        self.quality += sign * other.quality
        if other.latency is not None:
            self.latency = self._sketch() + sign * other.latency
        for pair, table in other.splits.items():
            self.splits[pair] = self._split(pair) + sign * table
        self._normalise()
        self.table += sign * other.normalised
        normalise(self.table[LO], self.table[HI])

    def _split(self, pair: tuple[int, int]) -> np.ndarray:
        held = self.splits.get(pair)
        return np.zeros(self._split_shapes(pair), np.int64) if held is None else held

    def _split_shapes(self, pair: tuple[int, int]) -> tuple[int, int]:
        segment, column = pair
        return shape_of(self.layout.columns[segment], self.layout.columns[column])

    def _sketch(self) -> np.ndarray:
        if self.latency is None:
            self.latency = np.zeros(LATENCY_BINS, np.int64)
        return self.latency


def _or_zeros(sketch: np.ndarray | None) -> np.ndarray:
    return np.zeros(LATENCY_BINS, np.int64) if sketch is None else sketch


def _same_splits(mine: Tables, theirs: Tables) -> bool:
    """Whether two have the same counts; a table of zeros is as good as none."""
    for pair in {*mine, *theirs}:
        one, other = mine.get(pair), theirs.get(pair)
        if one is None or other is None:
            left = other if one is None else one
            if left is not None and left.any():
                return False
        elif not np.array_equal(one, other):
            return False
    return True
