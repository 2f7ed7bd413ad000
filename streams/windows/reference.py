"""Reference: what a profile says about each judged column, laid out once so that windows are judged fast.

The columns are the rows of common matrices, padded with cells that stay empty, so that each figure is
computed for all of them by a handful of vector operations.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from driftline.schemas.profile import Profile
from driftline.schemas.profile_column import ProfileColumn
from driftline.streams.stats.nulls import MINIMUM_WINDOWS, WINDOW_DAYS, Threshold, known_level, threshold_of
from driftline.streams.stats.shares import Array
from driftline.streams.windows.edges import single_valued
from driftline.streams.windows.kernel import FRACTION_BITS, LO_BITS
from driftline.streams.windows.layout import Layout, LayoutColumn
from driftline.streams.windows.resolution import NAMES, Resolution

JUDGED: Final = {"feature": "drift", "score": "prediction", "class": "prediction"}
"""Kind of figure by role of a column; segments and status are counted, not judged."""
REFERENCES_HELD: Final = 256
"""Profiles whose reference stays laid out, 40 MB at 25 features; past it the oldest is laid out anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Numeric columns of one role, K of them, W bins at most.

    Attributes:
        rows: int64 (K,), their places among the judged columns.
        cells: int32 (K, W), cell of each bin; one past the table where a column has no more bins.
        counts: integers (K, W), rows of the reference per bin.
        sums: float64 (K, W), sums of (v - mean) / sd per bin; NaN for a constant, which has no sigma.
        edges: floats (K, W - 1), edges as the values travel; the last one repeated as padding.
        mean: float64 (K, 1), mean of each column.
        unit: float64 (K, 1), its sd, or 1 for a constant.
        atoms: bool (K, W), bins that hold one value only.
    """

    rows: np.ndarray
    cells: np.ndarray
    counts: np.ndarray
    sums: Array
    edges: np.ndarray
    mean: Array
    unit: Array
    atoms: np.ndarray

    @property
    def sigma_edges(self) -> Array:
        """Edges in the unit of the sums, float64 (K, W - 1)."""
        return np.asarray((self.edges - self.mean) / self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The reference's side of every figure of one profile; about 150 KB at 25 features and a score.

    Attributes:
        columns: the F judged columns, features first, in the order of the layout.
        starts: int64, first cell of every PSI bin of the layout.
        places: int64, where those bins lie in the flat (F, B) matrix; past its end for columns not judged.
        counts: int64 (F, B), rows of the reference per PSI bin.
        numbers: the numeric columns: features, and scores apart, which have many more bins.
    """

    columns: tuple[LayoutColumn, ...]
    starts: np.ndarray
    places: np.ndarray
    counts: np.ndarray
    numbers: tuple[Numbers, ...]


class BlockNull(NamedTuple):
    """The block null of one column, or None and why it is not known, a clause."""

    threshold: Threshold | None
    why: str


@functools.lru_cache(maxsize=REFERENCES_HELD)
def reference_of(layout: Layout) -> Reference:
    """Lay out the reference of a layout's profile; the last few hundred are kept."""
    return _lay_out(layout)


@functools.lru_cache(maxsize=REFERENCES_HELD * len(NAMES))
def block_nulls(
    profile: Profile, layout: Layout, resolution: Resolution, level: float
) -> tuple[BlockNull, ...]:
    """Give the block null of every judged column at one width of windows and level of one figure."""
    columns = reference_of(layout).columns
    return tuple(_block_null(profile, column.profile, resolution, level) for column in columns)


def psi_counts(reference: Reference, cells: np.ndarray) -> np.ndarray:
    """Counts of a window per PSI bin, int64 (F, B), from the counts of all cells of its layout."""
    found = np.zeros(reference.counts.size + 1, np.int64)
    found[reference.places] = np.add.reduceat(cells, reference.starts)
    return found[:-1].reshape(reference.counts.shape)


def _lay_out(layout: Layout) -> Reference:
    order = {role: at for at, role in enumerate(JUDGED)}
    judged = [column for column in layout.columns if column.profile.role in JUDGED]
    judged.sort(key=lambda column: order[column.profile.role])
    width = max((column.profile.psi_bins for column in judged), default=1)
    row_of = {column.index: row for row, column in enumerate(judged)}
    aside = len(judged) * width
    starts, places = [], []
    for column in layout.columns:
        bins = np.flatnonzero(np.diff(column.profile.decile_of_bin, prepend=-1))
        starts.append(column.first + bins)
        row = row_of.get(column.index)
        places.append(np.full(len(bins), aside) if row is None else row * width + np.arange(len(bins)))
    counts = np.zeros((len(judged), width), np.int64)
    for row, column in enumerate(judged):
        counts[row, : column.profile.psi_bins] = column.profile.psi_counts
    return Reference(
        columns=tuple(judged),
        starts=np.concatenate(starts) if starts else np.zeros(0, np.int64),
        places=np.concatenate(places) if places else np.zeros(0, np.int64),
        counts=counts,
        numbers=tuple(_numbers(judged, role, layout.cells) for role in ("feature", "score")),
    )


def _block_null(profile: Profile, column: ProfileColumn, resolution: Resolution, level: float) -> BlockNull:
    if len(profile.day_starts_ms) == 0:
        return BlockNull(None, "the reference has no times")
    tail = column.null_tails.get(resolution.name)
    days = len(profile.day_starts_ms)
    if resolution.name in WINDOW_DAYS and days < MINIMUM_WINDOWS:
        return BlockNull(None, f"the reference has {days} days, {MINIMUM_WINDOWS} are needed")
    windows = 0 if tail is None else tail.windows
    if tail is None or windows < MINIMUM_WINDOWS:
        said = "no reference window" if windows == 0 else f"only {windows} reference windows"
        why = f"{said} of {resolution.name} with enough rows, {MINIMUM_WINDOWS} are needed"
        return BlockNull(None, why)
    found = threshold_of(tail.largest, level, windows)
    if found is None:
        return BlockNull(None, "the reference's own figures are undefined")
    return BlockNull(found._replace(level=known_level(found.level, resolution.name, days)), "")


def _numbers(judged: list[LayoutColumn], role: str, aside: int) -> Numbers:
    rows = [row for row, column in enumerate(judged) if column.slot >= 0 and column.profile.role == role]
    profiles = [judged[row].profile for row in rows]
    width = max((profile.bins for profile in profiles), default=2)
    shape = (len(rows), width)
    numbers = Numbers(
        rows=np.array(rows, np.int64),
        cells=np.full(shape, aside, np.int32),
        counts=np.zeros(shape, np.result_type(np.int32, *(profile.counts for profile in profiles))),
        sums=np.zeros(shape),
        edges=np.zeros(
            (len(rows), width - 1), np.result_type(np.float32, *(profile.dtype for profile in profiles))
        ),
        mean=np.array([[profile.mean] for profile in profiles]).reshape(-1, 1),
        unit=np.array([[profile.unit] for profile in profiles]).reshape(-1, 1),
        atoms=np.zeros(shape, np.bool_),
    )
    for at, (row, profile) in enumerate(zip(rows, profiles, strict=True)):
        numbers.cells[at, : profile.bins] = judged[row].first + np.arange(profile.bins)
        numbers.counts[at, : profile.bins] = profile.counts
        numbers.sums[at, : profile.bins] = sums_of(profile.sums_hi, profile.sums_lo)
        if profile.sd <= 0:
            numbers.sums[at] = np.nan
        numbers.edges[at, : profile.bins - 1] = profile.edges
        numbers.edges[at, profile.bins - 1 :] = profile.edges[-1:] if len(profile.edges) else profile.mean
        numbers.atoms[at, : profile.bins] = single_valued(profile.edges, profile.dtype)
    return numbers


def sums_of(hi: np.ndarray, lo: np.ndarray) -> Array:
    """Exact sums, hi * 2**32 + lo in units of 2**-40, as floats."""
    return np.asarray(
        hi.astype(np.float64) * 2.0 ** (LO_BITS - FRACTION_BITS) + lo.astype(np.float64) * 2.0**-FRACTION_BITS
    )
