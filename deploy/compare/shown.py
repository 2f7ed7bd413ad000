"""What people are shown of a comparison: one entry a column, the worst first, with its bars and faults."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftline.schemas.profile_column import ProfileColumn
from driftline.schemas.window import Figure
from driftline.streams.stats.shares import Array, shares
from driftline.streams.windows.comparison import Comparison
from driftline.streams.windows.kernel import COUNT
from driftline.streams.windows.reference import psi_counts, reference_of

SEVERITY: Final = {"fail": 0, "warn": 1, "inconclusive": 2, "ok": 3}
BARS: Final = 14
"""Bars of one picture of levels, those with the largest shares."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin or level: what it is called, and its share on both sides."""

    label: str
    reference: float
    current: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One column: the verdict on its drift, its other figures, its faults that warn or fail, its bars."""

    name: str
    kind: str
    psi: Figure
    figures: dict[str, float | None]
    faults: list[Figure]
    bars: list[Bar]
    not_drawn: int = 0
    """Levels that have no bar, for there are too many."""

    @property
    def verdict(self) -> str:
        """The worst verdict on the column, of drift and quality together."""
        verdicts = [str(figure.verdict) for figure in (self.psi, *self.faults)]
        return min(verdicts, key=lambda verdict: SEVERITY[verdict])


def entries_of(found: Comparison) -> list[Entry]:
    """Lay a comparison out by column, the worst verdict first, then the greatest PSI."""
    reference = reference_of(found.counters.layout)
    currents = shares(psi_counts(reference, found.counters.table[COUNT]))
    references = shares(reference.counts)
    entries = []
    for row, column in enumerate(reference.columns):
        of_column = [figure for figure in found.figures if figure.feature == column.profile.name]
        drift = [figure for figure in of_column if figure.kind != "quality"]
        psi = next(figure for figure in drift if figure.metric == "psi")
        faults = [f for f in of_column if f.kind == "quality" and f.verdict in {"warn", "fail"}]
        bins = column.profile.psi_bins
        bars = _bars(column.profile, references[row, :bins], currents[row, :bins])
        entries.append(
            Entry(
                column.profile.name,
                psi.kind,
                psi,
                {figure.metric: figure.value for figure in drift},
                faults,
                bars[:BARS],
                len(bars) - len(bars[:BARS]),
            )
        )
    return sorted(entries, key=lambda e: (SEVERITY[e.verdict], -(e.psi.value or 0.0), e.name))


def _bars(column: ProfileColumn, reference: Array, current: Array) -> list[Bar]:
    """Give the bars of one column: bins in their order, or the levels with the largest shares."""
    old, new = np.nan_to_num(reference), np.nan_to_num(current)
    labels = (
        _bin_labels(column) if column.kind == "numeric" else [*column.levels, "other levels", "new levels"]
    )
    bars = [Bar(*each) for each in zip(labels, old.tolist(), new.tolist(), strict=True)]
    if column.kind == "numeric":
        return bars
    # `other` and `new` are drawn only where there are any.
    bars = [bar for bar in bars if bar.reference or bar.current]
    return sorted(bars, key=lambda bar: max(bar.reference, bar.current), reverse=True)


def _bin_labels(column: ProfileColumn) -> list[str]:
    """Name each PSI bin of a numeric column by its ends."""
    last = np.flatnonzero(np.diff(column.decile_of_bin))
    ends = [f"{edge:.4g}" for edge in column.edges[last].tolist()]
    if not ends:
        return ["all values"]
    middle = [f"{low} to {high}" for low, high in itertools.pairwise(ends)]
    return [f"up to {ends[0]}", *middle, f"above {ends[-1]}"]
