"""Quality figures: faulty values of each column of a window, against the reference's own share of them.

A share of faults warns or fails when it is significant (rates.py, at the level shared over the columns) and
large: above the reference's share by more than the floor. Only a rise counts. Faults need no block null: a
floor is a plain statement of how many faulty values a model should have to bear.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from driftline.schemas.window import Figure
from driftline.streams.stats.rates import rate_null
from driftline.streams.stats.shares import defined
from driftline.streams.stats.verdict import Rule, shared_level
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.kernel import COUNT, MISSING, NAN, NEGINF, NULLS, POSINF, WRONG
from driftline.streams.windows.layout import LayoutColumn
from driftline.streams.windows.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping


class Floors(NamedTuple):
    """Rise of a share over the reference's own that warns, and that fails."""

    warn: float
    fail: float


FLOORS: Final[Mapping[str, Floors]] = MappingProxyType(
    {
        # A value that should not exist at all: a broken producer, seen at one row in a hundred.
        "wrong_type": Floors(0.01, 0.05),
        "missing": Floors(0.01, 0.05),
        "unseen": Floors(0.01, 0.05),
        # Gaps and new extremes come with weather and season too; a share of them is no fault of a producer.
        # NaN is how numpy and pandas write a gap.
        "nonfinite": Floors(0.05, 0.20),
        "nulls": Floors(0.05, 0.20),
        "out_of_range": Floors(0.05, 0.20),
    }
)
_NAMES: Final = {
    "nulls": "nulls",
    "nonfinite": "NaN or infinite",
    "wrong_type": "of a wrong type",
    "missing": "without the column",
    "out_of_range": "outside the reference's range",
    "unseen": "of levels the reference never had",
}


class Faults(NamedTuple):
    """Faulty values of one metric in one column, and out of how many."""

    column: LayoutColumn
    metric: str
    faults: int
    rows: int
    reference_faults: int
    reference_rows: int


def quality_figures(
    reference: Reference, counters: Counters, reference_rows: int, rule: Rule, held_back: str = ""
) -> list[Figure]:
    """Give a figure with a verdict for each kind of fault that each judged column can have.

    Args:
        reference: the reference's side.
        counters: the window.
        reference_rows: rows of the reference.
        rule: level and minimum count.
        held_back: why no figure may have a verdict now; empty when all may.
    """
    level = shared_level(rule.level, len(reference.columns))
    found = [faults for column in reference.columns for faults in _faults(column, counters, reference_rows)]
    nulls = rate_null(
        np.array([each.reference_faults for each in found]),
        np.array([each.reference_rows for each in found]),
        np.array([each.rows for each in found]),
        level,
    ).tolist()
    return [
        _figure(each, null, level, rule.minimum_rows, held_back)
        for each, null in zip(found, nulls, strict=True)
    ]


def _faults(column: LayoutColumn, counters: Counters, reference_rows: int) -> list[Faults]:
    """Count the faults of one column."""
    profile = column.profile
    held = counters.quality[column.index].tolist()
    cells = counters.table[COUNT, column.first : column.first + profile.bins]
    rows = counters.rows
    found = [
        Faults(column, "missing", held[MISSING], rows, 0, reference_rows),
        Faults(column, "nulls", held[NULLS], rows, profile.nulls, reference_rows),
        Faults(column, "wrong_type", held[WRONG], rows, profile.wrong, reference_rows),
    ]
    valued, reference_valued = int(cells.sum()), int(profile.counts.sum())
    if profile.kind == "numeric":
        strange = held[NAN] + held[POSINF] + held[NEGINF]
        known = profile.nan + profile.posinf + profile.neginf
        outside, reference_outside = _ends(cells), _ends(profile.counts)
        return [
            *found,
            Faults(column, "nonfinite", strange, rows, known, reference_rows),
            Faults(column, "out_of_range", outside, valued, reference_outside, reference_valued),
        ]
    unseen, reference_unseen = int(cells[-1]), int(profile.counts[-1])
    return [*found, Faults(column, "unseen", unseen, valued, reference_unseen, reference_valued)]


def _ends(counts: np.ndarray) -> int:
    """Rows in the first and last bin, beyond the range of the reference."""
    return int(counts[0] + counts[-1]) if len(counts) > 1 else int(counts.sum())


def _figure(each: Faults, null: float, level: float, minimum_rows: int, held_back: str) -> Figure:
    """Judge one share of faults."""
    floors = FLOORS[each.metric]
    share = each.faults / each.rows if each.rows else None
    own = each.reference_faults / each.reference_rows if each.reference_rows else None
    figure = Figure(
        "quality",
        each.column.profile.name,
        each.metric,
        share,
        defined(null),
        None if own is None else own + floors.warn,
        None,
        "inconclusive",
        held_back,
        each.rows,
        each.reference_rows,
        level,
    )
    if held_back:
        return figure
    name = _NAMES[each.metric]
    if share is None or own is None or min(each.rows, each.reference_rows) < minimum_rows:
        short = "rows" if each.rows < minimum_rows else "reference rows"
        count = each.rows if each.rows < minimum_rows else each.reference_rows
        figure.reason = f"Only {count} {short} with a value; a verdict needs {minimum_rows}."
    elif each.faults == 0:
        figure.verdict, figure.reason = "ok", f"No rows {name}."
    elif share - own <= floors.warn or share < null:
        why = "too few to matter" if share - own <= floors.warn else "within chance"
        figure.verdict, figure.reason = "ok", f"{share:.2%} {name}, {own:.2%} in the reference: {why}."
    else:
        figure.verdict = "fail" if share - own > floors.fail else "warn"
        figure.reason = f"{share:.2%} {name}, {own:.2%} in the reference."
    return figure
