"""ProfileColumn: what the reference looked like in one column, and how its windows varied."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from driftline.schemas.packed import pack, pack_counts, unpack, unpack_counts
from driftline.schemas.refusal import Refused

KINDS: Final = ("numeric", "categorical")
ROLES: Final = ("feature", "score", "class", "segment", "status")
DTYPES: Final = ("float32", "float64")
HOURS_OF_WEEK: Final = 168
LEVELS_MAX: Final = 200
TAIL_MAX: Final = 1024
BINS_MAX: Final = 2**16 - 1
"""Fine bins of a column; a builder makes some hundreds."""
_GAPS: Final = ("nulls", "nan", "posinf", "neginf", "wrong")
_LO_MAX: Final = 2**32 - 1


@dataclass(slots=True, frozen=True, eq=False)
class NullTail:
    """The upper tail of the reference's own PSI at one resolution: what this stream does without drift.

    `windows` is how many reference windows (or draws of blocks of days) were compared with the whole
    reference, `largest` their greatest figures, float64, descending, at most `TAIL_MAX`.
    """

    windows: int
    largest: np.ndarray


@dataclass(slots=True, frozen=True, eq=False)
class ProfileColumn:
    """One column of a profile.

    A numeric column has F = len(edges) + 1 fine bins; bin j is (edges[j-1], edges[j]], the first and the last
    lie outside the reference's range. A categorical one has F = len(levels) + 2: the levels, `other`
    (levels of the reference past the kept ones), `unseen` (what it never had). Fine bins nest in PSI
    bins.

    Attributes:
        name: the column's name; `predicted` and `status` for the roles class and status.
        kind: one of `KINDS`.
        role: one of `ROLES`.
        dtype: the width the values travel and are counted in, one of `DTYPES`.
        mean: mean of the finite values; 0 without any.
        sd: their standard deviation (population); 0 for a constant.
        minimum: least finite value; None without any.
        maximum: greatest finite value; None without any.
        edges: float64, ascending, each exactly representable in `dtype`.
        atoms: float64, values that hold a large share; each has a fine bin of its own.
        decile_of_bin: int16 (F,), the PSI bin of each fine bin, never falling.
        levels: the reference's levels with a bin of their own, the most frequent first.
        rest: uint64, sorted xxh3_64 of the levels counted as `other`.
        rest_complete: False when there were more of those than are kept: then every unknown level is `other`.
        counts: int64 (F,), rows of the reference per fine bin.
        sums_hi: int64 (F,) or (0,), upper part of the exact sums of (v - mean) / unit, in 2**-40.
        sums_lo: int64 (F,) or (0,), lower part, 0 <= lo < 2**32; the sum is hi * 2**32 + lo.
        nulls: rows without a value.
        nan: rows that hold NaN.
        posinf: rows that hold +inf.
        neginf: rows that hold -inf.
        wrong: rows whose value had a wrong type.
        days: int64 (days, PSI bins), counts per UTC day of the reference; (0, PSI bins) without times.
        hour_of_week: int64 (168, PSI bins), from Monday 00:00 UTC; (0, PSI bins) without times.
        null_tails: resolution name -> NullTail.
    """

    name: str
    kind: str
    role: str
    counts: np.ndarray
    decile_of_bin: np.ndarray
    dtype: str = "float32"
    mean: float = 0.0
    sd: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    edges: np.ndarray = field(default_factory=lambda: np.zeros(0))
    atoms: np.ndarray = field(default_factory=lambda: np.zeros(0))
    levels: tuple[str, ...] = ()
    rest: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    rest_complete: bool = True
    sums_hi: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    sums_lo: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    nulls: int = 0
    nan: int = 0
    posinf: int = 0
    neginf: int = 0
    wrong: int = 0
    days: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    hour_of_week: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    null_tails: dict[str, NullTail] = field(default_factory=dict)

    @property
    def bins(self) -> int:
        """Number of fine bins."""
        return len(self.decile_of_bin)

    @property
    def psi_bins(self) -> int:
        """Number of PSI bins."""
        return int(self.decile_of_bin[-1]) + 1

    @property
    def psi_counts(self) -> np.ndarray:
        """Rows of the reference per PSI bin, int64 (psi_bins,)."""
        return fold_bins(self.counts, self.decile_of_bin)

    def without_history(self) -> ProfileColumn:
        """Give the column without `days` and `hour_of_week`, which no verdict reads and which fill memory."""
        if not self.days.size and not self.hour_of_week.size:
            return self
        empty = np.zeros((0, self.psi_bins), np.int64)
        return replace(self, days=empty, hour_of_week=empty)

    def narrowed(self) -> ProfileColumn:
        """Give the column with its edges in the width they travel in and its counts in the least that holds them.

        All values stay equal; half of the memory goes.
        """
        return replace(
            self,
            edges=self.edges.astype(self.dtype),
            counts=_narrow(self.counts),
            sums_hi=_narrow(self.sums_hi),
            sums_lo=_narrow(self.sums_lo),
        )

    @property
    def unit(self) -> float:
        """What exact sums are scaled by: the standard deviation, or 1 where that is 0."""
        return self.sd if self.sd > 0 else 1.0


def fold_bins(counts: np.ndarray, decile_of_bin: np.ndarray) -> np.ndarray:
    """Add int64 counts of fine bins up to PSI bins, exactly.

    >>> fold_bins(np.array([1, 2, 4]), np.array([0, 0, 1]))
    array([3, 4])
    """
    starts = np.flatnonzero(np.diff(decile_of_bin, prepend=-1))
    return np.add.reduceat(counts, starts, dtype=np.int64)


def _narrow(counts: np.ndarray) -> np.ndarray:
    for kind in (np.int32, np.uint32):
        narrow = counts.astype(kind)
        if np.array_equal(narrow, counts):
            return narrow
    return counts


def column_record(column: ProfileColumn) -> dict[str, Any]:
    """Give the Avro record (`ProfileColumn`) of a column."""
    return {
        "name": column.name,
        "kind": column.kind,
        "role": column.role,
        "dtype": column.dtype,
        "mean": column.mean,
        "sd": column.sd,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "edges": pack(column.edges, "<f8"),
        "atoms": pack(column.atoms, "<f8"),
        "decile_of_bin": pack(column.decile_of_bin, "<i2"),
        "levels": list(column.levels),
        "rest": pack(column.rest, "<u8"),
        "rest_complete": column.rest_complete,
        "counts": pack_counts(column.counts),
        "sums_hi": pack_counts(column.sums_hi),
        "sums_lo": pack_counts(column.sums_lo),
        "nulls": column.nulls,
        "nan": column.nan,
        "posinf": column.posinf,
        "neginf": column.neginf,
        "wrong": column.wrong,
        "days": pack_counts(column.days),
        "hour_of_week": pack_counts(column.hour_of_week),
        "null_tails": [
            {"resolution": name, "windows": tail.windows, "largest": pack(tail.largest, "<f8")}
            for name, tail in sorted(column.null_tails.items())
        ],
    }


def read_column(record: dict[str, Any], days: int) -> ProfileColumn:
    """Read the Avro record of a column of a profile with that many days (0: without times).

    Raises:
        Refused: `bad_shape` or `impossible_value`, naming the column.
    """
    what = f"column {record['name']!r}"
    decile_of_bin = unpack(record["decile_of_bin"], "<i2", f"{what}: decile_of_bin")
    _check_map(decile_of_bin, what)
    _check_one_of(record, "kind", KINDS, what)
    _check_one_of(record, "role", ROLES, what)
    _check_one_of(record, "dtype", DTYPES, what)
    numeric = record["kind"] == "numeric"
    fine, coarse = len(decile_of_bin), int(decile_of_bin[-1]) + 1
    edges = unpack(record["edges"], "<f8", f"{what}: edges", fine - 1 if numeric else 0)
    if not (np.diff(edges) > 0).all():
        raise Refused("impossible_value", f"{what}: its edges do not ascend")
    if not numeric and len(record["levels"]) != fine - 2:
        raise Refused("bad_shape", f"{what}: {len(record['levels'])} levels do not make {fine} bins")
    column = ProfileColumn(
        name=record["name"],
        kind=record["kind"],
        role=record["role"],
        dtype=record["dtype"],
        mean=record["mean"],
        sd=record["sd"],
        minimum=record["minimum"],
        maximum=record["maximum"],
        edges=edges,
        atoms=unpack(record["atoms"], "<f8", f"{what}: atoms"),
        decile_of_bin=decile_of_bin,
        levels=tuple(record["levels"]),
        rest=unpack(record["rest"], "<u8", f"{what}: rest"),
        rest_complete=record["rest_complete"],
        counts=unpack_counts(record["counts"], (fine,), f"{what}: counts"),
        sums_hi=unpack_counts(record["sums_hi"], (fine if numeric else 0,), f"{what}: sums_hi"),
        sums_lo=unpack_counts(record["sums_lo"], (fine if numeric else 0,), f"{what}: sums_lo"),
        nulls=record["nulls"],
        nan=record["nan"],
        posinf=record["posinf"],
        neginf=record["neginf"],
        wrong=record["wrong"],
        days=unpack_counts(record["days"], (days, coarse), f"{what}: days"),
        hour_of_week=unpack_counts(
            record["hour_of_week"], (HOURS_OF_WEEK if days else 0, coarse), f"{what}: hour_of_week"
        ),
        null_tails={
            tail["resolution"]: NullTail(
                tail["windows"], unpack(tail["largest"], "<f8", f"{what}: null tail")
            )
            for tail in record["null_tails"]
        },
    )
    _check_figures(column, what)
    return column


def _check_figures(column: ProfileColumn, what: str) -> None:
    """Refuse figures that no reference has: every verdict on the column would rest on them."""
    if not (math.isfinite(column.mean) and math.isfinite(column.sd) and column.sd >= 0):
        raise Refused(
            "impossible_value", f"{what}: no values have mean {column.mean} and deviation {column.sd}"
        )
    for name in ("counts", "days", "hour_of_week", *_GAPS):
        least = int(np.min(getattr(column, name), initial=0))
        if least < 0:
            raise Refused("impossible_value", f"{what}: {name} holds {least}, it must not be negative")
    if ((column.sums_lo < 0) | (column.sums_lo > _LO_MAX)).any():
        raise Refused("impossible_value", f"{what}: sums_lo must lie in 0 to {_LO_MAX}")


def _check_map(decile_of_bin: np.ndarray, what: str) -> None:
    if not 0 < len(decile_of_bin) <= BINS_MAX:
        raise Refused("bad_shape", f"{what}: it has {len(decile_of_bin)} bins, 1 to {BINS_MAX} are allowed")
    steps = np.diff(decile_of_bin)
    if decile_of_bin[0] != 0 or ((steps != 0) & (steps != 1)).any():
        raise Refused("impossible_value", f"{what}: its fine bins do not nest in its PSI bins")


def _check_one_of(record: dict[str, Any], key: str, allowed: tuple[str, ...], what: str) -> None:
    if record[key] not in allowed:
        raise Refused(
            "impossible_value", f"{what}: {key} is {record[key]!r}, it must be one of {', '.join(allowed)}"
        )
