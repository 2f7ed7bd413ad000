"""Splits: what is counted of a window by the values of segments: deciles of the score and of important features.

Only where the profile has a segment and the settings, or their silence, ask for it. Counts are sums like all others:
they merge and retract, and a table that nothing was counted in is as good as none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.profile_split import split_bins
from driftline.streams.windows.fold import line
from driftline.streams.windows.split_kernel import compiled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.shapes import Category, PredictionColumns
    from driftline.streams.windows.layout import Layout, LayoutColumn

SEGMENTS_MAX: Final = 8
"""Segments that figures are split by; those declared after them are left out."""
SPLIT_FEATURES: Final = 64
"""Features of a profile that can be split; those after them are judged as a whole."""
IMPORTANT: Final = 10
"""Features that are split in a window: the most important ones, else the first."""

Rows = slice | np.ndarray
Tables = dict[tuple[int, int], np.ndarray]
"""int64 (V, B) by (segment's index, column's index) in a layout."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Columns whose rows are told apart by the values of one segment; `edges` between deciles, None for levels."""

    segment: LayoutColumn
    columns: tuple[LayoutColumn, ...]
    edges: tuple[np.ndarray | None, ...]

    def value_at(self, place: int) -> str:
        """Give the value of a row of the tables: a level of the reference, or `other`."""
        levels = self.segment.profile.levels
        return levels[place] if place < len(levels) else "other"


def splits_of(layout: Layout, state: DeploymentState) -> tuple[Split, ...]:
    """Choose what is split: declared segments, else all of the profile; the score and the most important features."""
    if not layout.splits:
        return ()
    held = layout.plans.get("splits")
    if isinstance(held, tuple) and held[0] == state.settings:
        found: tuple[Split, ...] = held[1]
        return found
    found = tuple(_choose(layout, state.settings.segments, state.settings.feature_importance))
    layout.plans["splits"] = (state.settings, found)
    return found


def _choose(layout: Layout, declared: Mapping[str, object], importance: Mapping[str, float]) -> list[Split]:
    segments = {layout.columns[pair[0]].profile.name: layout.columns[pair[0]] for pair in layout.splits}
    wanted = [name for name in declared if name in segments] if declared else list(segments)
    chosen = []
    for name in wanted[:SEGMENTS_MAX]:
        segment = segments[name]
        columns = [layout.columns[at] for of, at in layout.splits if of == segment.index]
        features = [column for column in columns if column.profile.role == "feature"]
        if importance:
            weights = {column.index: importance.get(column.profile.name, 0.0) for column in features}
            features = sorted(
                (one for one in features if weights[one.index] > 0), key=lambda one: -weights[one.index]
            )
        scores = [column for column in columns if column.profile.role == "score"]
        found = (*features[:IMPORTANT], *scores)
        chosen.append(Split(segment, found, tuple(map(_edges_of, found))))
    return chosen


def add_splits(splits: tuple[Split, ...], tables: Tables, cols: PredictionColumns, rows: Rows | None) -> None:
    """Add the chosen rows of a batch to the tables, in place; a column that the batch lacks is not counted."""
    kernel = compiled()
    categories = {column.name: column for column in cols.categories}
    segments = {column.name: column for column in cols.segments}
    for split in splits:
        segment = segments.get(split.segment.profile.name)
        if segment is None:
            continue
        told = line(segment.codes, rows), _places(split.segment, segment, len(split.segment.profile.levels))
        for column, edges in zip(split.columns, split.edges, strict=True):
            pair = split.segment.index, column.index
            if edges is not None:
                values = _numbers(column, cols, rows)
                if values is not None:
                    kernel.numbers(values, edges, *told, _table(tables, pair, split.segment, column))
            elif column.profile.name in categories:
                category = categories[column.profile.name]
                bins = _places(column, category, split_bins(column.profile) - 1)
                table = _table(tables, pair, split.segment, column)
                kernel.levels(line(category.codes, rows), bins, *told, table)


def count_pairs(counts: np.ndarray, values: np.ndarray, bins: np.ndarray) -> None:
    """Add rows to a table (V, B) by value and bin, in place; past its ends the last one is meant, below 0 none."""
    there = (values >= 0) & (bins >= 0)
    height, width = counts.shape
    flat = np.minimum(values[there], height - 1) * width + np.minimum(bins[there], width - 1)
    counts += np.bincount(flat, minlength=counts.size).reshape(counts.shape)


def shape_of(segment: LayoutColumn, column: LayoutColumn) -> tuple[int, int]:
    """Shape (V, B) of the table of a column by a segment."""
    return len(segment.profile.levels) + 1, split_bins(column.profile)


def _table(tables: Tables, pair: tuple[int, int], segment: LayoutColumn, column: LayoutColumn) -> np.ndarray:
    table = tables.get(pair)
    if table is None:
        table = tables[pair] = np.zeros(shape_of(segment, column), np.int64)
    return table


def _places(column: LayoutColumn, category: Category, last: int) -> np.ndarray:
    """Give the bin of each level of a batch, those past the last one in it; int64 (levels,)."""
    found: np.ndarray = np.minimum(column.cells_of_levels(category.levels) - column.first, last)
    return found


def _numbers(column: LayoutColumn, cols: PredictionColumns, rows: Rows | None) -> np.ndarray | None:
    """Give the chosen values of a numeric column as it travels; None when the batch lacks it."""
    profile = column.profile
    for block in cols.features if profile.role == "feature" else cols.scores:
        if profile.name in block.names:
            with np.errstate(over="ignore"):  # past float32 lies infinity, and is counted so
                values = block.values[block.names.index(profile.name)].astype(profile.dtype, copy=False)
            return line(values, rows)
    return None


def _edges_of(column: LayoutColumn) -> np.ndarray | None:
    """Give the edges between the PSI bins of a numeric column, in the width of its values."""
    profile = column.profile
    if profile.kind != "numeric":
        return None
    return profile.edges[np.flatnonzero(np.diff(profile.decile_of_bin))].astype(profile.dtype)
