"""Profiling: a reference, row by row, into the profile that windows are counted and judged against.

Pure: chance comes in as a generator, time as a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import xxhash

from driftline.schemas.profile import PROVENANCES, Profile
from driftline.schemas.profile_column import HOURS_OF_WEEK, LEVELS_MAX, NullTail, ProfileColumn
from driftline.schemas.profile_split import ProfileSplit, split_bins
from driftline.schemas.shapes import PredictionColumns
from driftline.streams.windows.edges import find_edges, travel_dtype
from driftline.streams.windows.layout import term_scale
from driftline.streams.windows.null_tails import day_tails, short_tails, window_counts
from driftline.streams.windows.plain import count_numbers
from driftline.streams.windows.resolution import DAY_MS, HOUR_MS, Resolution
from driftline.streams.windows.sample import Sample, SampleColumn, SampleError, gather
from driftline.streams.windows.splits import SEGMENTS_MAX, SPLIT_FEATURES, count_pairs

SEGMENT_VALUES: Final = 32
REST_MAX: Final = 20_000
"""Levels past the kept ones whose hashes a profile carries (160 KB), to tell `other` from `unseen`."""
MINIMUM_ROWS: Final = 200
_LARGE: Final = 1e150  # squares of greater values leave float64
_MONDAY_HOURS: Final = 4 * 24  # hours from the epoch, a Thursday, to the first Monday


def build_profile(
    batches: Iterable[PredictionColumns],
    *,
    rng: np.random.Generator,
    created_at_ms: int,
    provenance: str = "none",
    resolutions: Sequence[str] = ("1d",),
    has_times: bool = True,
    minimum_rows: int = MINIMUM_ROWS,
    threshold: float | None = None,
) -> Profile:
    """Build a profile from a reference.

    Args:
        batches: the reference, all of one deployment and version with the same columns. float64 columns may be
            narrowed to float32 (see `ProfileColumn.dtype`); float32 ones stay.
        rng: draws the blocks of days of wide windows; the same seed and rows give the same profile.
        created_at_ms: the time now, ms since 1970.
        provenance: where the scores come from, one of `PROVENANCES`.
        resolutions: at which the deployment is counted.
        has_times: whether the batches' event times are real; without them there is no block null.
        minimum_rows: rows below which a window is not judged, and so is no window of the null.
        threshold: of the scores, above which the model says yes; becomes an edge.

    Raises:
        SampleError: when the batches are no reference, or the provenance is unknown.
        ResolutionError: for a resolution that does not exist.
    """
    if provenance not in PROVENANCES:
        raise SampleError(f"provenance {provenance!r} does not exist: use one of {', '.join(PROVENANCES)}")
    widths = tuple(Resolution.parse(name).name for name in resolutions)
    sample = gather(batches)
    short = tuple(name for name in widths if name in ("5m", "1h"))
    columns: list[ProfileColumn] = []
    bins_of: list[np.ndarray] = []
    for material in sample.columns:
        column, bins = _numeric(material, threshold) if material.codes is None else _categorical(material)
        if has_times:
            column = _with_times(column, bins, sample, short, minimum_rows)
        columns.append(column)
        bins_of.append(bins)
    splits = tuple(_splits(columns, bins_of))
    if has_times:
        tails = day_tails([column.days for column in columns], minimum_rows, rng)
        columns = [_with_tails(column, more) for column, more in zip(columns, tails, strict=True)]
    day_starts = np.unique(Resolution("1d").starts(sample.times_ms)) if has_times else np.zeros(0, np.int64)
    return Profile(
        deployment=sample.deployment,
        model_version=sample.model_version,
        created_at_ms=created_at_ms,
        rows=sample.rows,
        provenance=provenance,
        columns=tuple(columns),
        resolutions=widths,
        start_ms=int(sample.times_ms.min()) if has_times else None,
        end_ms=int(sample.times_ms.max()) if has_times else None,
        day_starts_ms=day_starts,
        splits=splits,
    )


def _splits(columns: Sequence[ProfileColumn], bins_of: Sequence[np.ndarray]) -> Iterator[ProfileSplit]:
    """Count the features and the first score by the values of each segment; bins are those of PSI, -1 for none."""
    pairs = list(zip(columns, bins_of, strict=True))
    segments = [pair for pair in pairs if pair[0].role == "segment" and pair[0].kind == "categorical"]
    split = [pair for pair in pairs if pair[0].role == "feature"][:SPLIT_FEATURES]
    split += [pair for pair in pairs if pair[0].role == "score"][:1]
    for segment, values in segments[:SEGMENTS_MAX]:
        for column, bins in split:
            counts = np.zeros((len(segment.levels) + 1, split_bins(column)), np.int64)
            count_pairs(counts, values, bins)
            yield ProfileSplit(segment.name, column.role, column.name, counts)


def _numeric(material: SampleColumn, threshold: float | None) -> tuple[ProfileColumn, np.ndarray]:
    """Profile a numeric column; with it the PSI bin of each row, -1 for none."""
    raw = np.zeros(0) if material.values is None else material.values
    dtype = travel_dtype(raw[np.isfinite(raw)], material.role)
    with np.errstate(over="ignore"):  # past float32 lies infinity; few values do, or the column were float64
        values = raw.astype(dtype)
    finite = values[np.isfinite(values)]
    found = find_edges(finite, material.role, threshold)
    mean, sd = _moments(finite)
    counted = count_numbers(values, found.fine.astype(dtype), mean, term_scale(sd if sd > 0 else 1.0))
    gaps = int(np.count_nonzero(material.nulls | material.wrong))
    column = ProfileColumn(
        name=material.name,
        kind="numeric",
        role=material.role,
        dtype=str(dtype),
        mean=mean,
        sd=sd,
        minimum=float(finite.min()) if len(finite) else None,
        maximum=float(finite.max()) if len(finite) else None,
        edges=found.fine,
        atoms=found.atoms,
        decile_of_bin=found.decile_of_bin,
        counts=counted.counts,
        sums_hi=counted.sums_hi,
        sums_lo=counted.sums_lo,
        nulls=int(np.count_nonzero(material.nulls)),
        wrong=int(np.count_nonzero(material.wrong)),
        nan=counted.nan - gaps,  # under a gap lies NaN
        posinf=counted.posinf,
        neginf=counted.neginf,
        days=np.zeros((0, int(found.decile_of_bin[-1]) + 1), np.int64),
        hour_of_week=np.zeros((0, int(found.decile_of_bin[-1]) + 1), np.int64),
    )
    fine = np.searchsorted(found.fine.astype(dtype), values, side="left")
    return column, np.where(np.isfinite(values), found.decile_of_bin[np.minimum(fine, len(found.fine))], -1)


def _categorical(material: SampleColumn) -> tuple[ProfileColumn, np.ndarray]:
    """Profile a categorical column; with it the bin of each row, -1 for null."""
    codes = np.zeros(0, np.int64) if material.codes is None else material.codes
    counts = np.bincount(codes[codes >= 0], minlength=len(material.levels))
    # The most frequent first; of equals the first by name, so that the order of rows does not matter.
    met = [code for code in range(len(counts)) if counts[code] > 0]
    order = sorted(met, key=lambda code: (-counts[code], material.levels[code]))
    kept = order[: SEGMENT_VALUES if material.role == "segment" else LEVELS_MAX]
    rest = order[len(kept) :]
    bin_of = np.full(len(counts) + 1, len(kept), np.int64)
    bin_of[kept] = np.arange(len(kept))
    bin_of[-1] = -1
    bins = bin_of[codes]
    hashes = [xxhash.xxh3_64_intdigest(material.levels[code].encode()) for code in rest[:REST_MAX]]
    size = len(kept) + 2
    column = ProfileColumn(
        name=material.name,
        kind="categorical",
        role=material.role,
        levels=tuple(material.levels[code] for code in kept),
        rest=np.sort(np.array(hashes, np.uint64)),
        rest_complete=len(rest) <= REST_MAX,
        decile_of_bin=np.arange(size, dtype=np.int16),
        counts=np.bincount(bins[bins >= 0], minlength=size),
        nulls=int(np.count_nonzero(material.nulls)),
        wrong=int(np.count_nonzero(material.wrong)),
        days=np.zeros((0, size), np.int64),
        hour_of_week=np.zeros((0, size), np.int64),
    )
    return column, bins


def _with_times(
    column: ProfileColumn, bins: np.ndarray, sample: Sample, short: tuple[str, ...], minimum_rows: int
) -> ProfileColumn:
    times = sample.times_ms
    hours = (times // HOUR_MS - _MONDAY_HOURS) % HOURS_OF_WEEK
    valid = bins >= 0
    flat = hours[valid] * column.psi_bins + bins[valid]
    by_hour = np.bincount(flat, minlength=HOURS_OF_WEEK * column.psi_bins)
    return replace(
        column,
        days=window_counts(bins, column.psi_bins, times // DAY_MS),
        hour_of_week=by_hour.reshape(HOURS_OF_WEEK, column.psi_bins),
        null_tails=short_tails(bins, column.psi_bins, times, short, minimum_rows),
    )


def _with_tails(column: ProfileColumn, more: dict[str, NullTail]) -> ProfileColumn:
    return replace(column, null_tails=column.null_tails | more)


def _moments(finite: np.ndarray) -> tuple[float, float]:
    """Give mean and population standard deviation in float64, 0 for none; also where squares would overflow."""
    if len(finite) == 0:
        return 0.0, 0.0
    # In order of size: float sums depend on the order of rows, and a profile must not.
    values = np.sort(finite.astype(np.float64))
    largest = float(np.abs(values).max())
    scale = largest if largest > _LARGE else 1.0
    values = values / scale
    mean, sd = float(values.mean()), float(values.std())
    # A constant whose mean is rounded has no spread, and must not get one of 1e-17.
    constant = bool((values == values[0]).all())
    return (float(values[0]) * scale, 0.0) if constant else (mean * scale, sd * scale)
