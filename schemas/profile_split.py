"""ProfileSplit: the reference's rows of one column by the values of one segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.schemas.packed import pack_counts, unpack_counts
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.schemas.profile_column import ProfileColumn

SPLIT_LEVELS: Final = 16
"""Levels of a categorical column that are told apart within a segment's value; the rest is one bin more."""
SPLIT_ROLES: Final = ("feature", "score")


@dataclass(slots=True, frozen=True, eq=False)
class ProfileSplit:
    """Counts of one column by the values of one segment.

    Attributes:
        segment: name of the segment column.
        role: of the column that is split, one of `SPLIT_ROLES`.
        column: its name.
        counts: integers (V, B): V values of the segment, its levels and then `other`; B bins (`split_bins`).
            Rows without a value of either are left out.
    """

    segment: str
    role: str
    column: str
    counts: np.ndarray


def split_bins(column: ProfileColumn) -> int:
    """Number of bins of a column within a segment's value: deciles, or the first levels and the rest."""
    return column.psi_bins if column.kind == "numeric" else min(column.bins, SPLIT_LEVELS + 1)


def split_records(splits: Iterable[ProfileSplit]) -> list[dict[str, Any]]:
    """Give the records `ProfileSplit` of a profile."""
    return [
        {
            "segment": one.segment,
            "role": one.role,
            "column": one.column,
            "counts": pack_counts(one.counts),
        }
        for one in splits
    ]


def read_splits(
    records: Sequence[Mapping[str, Any]], columns: Iterable[ProfileColumn]
) -> tuple[ProfileSplit, ...]:
    """Read what `split_records` gave, of a profile of these columns.

    Raises:
        Refused: they are of columns that the profile does not have, or their parts do not fit.
    """
    known = {(column.role, column.name): column for column in columns}
    found = []
    for record in records:
        segment = known.get(("segment", record["segment"]))
        split = known.get((record["role"], record["column"])) if record["role"] in SPLIT_ROLES else None
        what = f"{record['role']} {record['column']!r} by {record['segment']!r}"
        if segment is None or segment.kind != "categorical" or split is None:
            raise Refused("bad_shape", f"counts of {what} are of columns that the profile does not have")
        counts = unpack_counts(record["counts"], (len(segment.levels) + 1, split_bins(split)), what)
        if int(np.min(counts, initial=0)) < 0:
            raise Refused("impossible_value", f"counts of {what} must not be negative")
        found.append(ProfileSplit(record["segment"], record["role"], record["column"], counts))
    if len({(one.segment, one.role, one.column) for one in found}) != len(found):
        raise Refused("bad_shape", "counts of one column by one segment stand twice in the profile")
    return tuple(found)
