"""Fold: the rows of one batch, added to the tables of a window's counters."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from driftline.schemas.shapes import Gap, PredictionColumns
from driftline.streams.windows.kernel import MISSING, NAN, NULLS, WRONG, compiled
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.plan import Numbers, Plan, blocks, categories, plan_of

Rows: TypeAlias = slice | np.ndarray
"""A slice or an integer index array of a batch's rows; None stands for all of them, without a copy."""


def add_batch(
    layout: Layout, table: np.ndarray, quality: np.ndarray, cols: PredictionColumns, rows: Rows | None
) -> int:
    """Add the chosen rows of a batch to the cell and quality tables of a layout, in place.

    At most `FAST_ROWS` rows may come between two normalisations of the table.

    Returns:
        How many values lie in columns that the profile does not know.
    """
    plan = plan_of(layout, cols)
    count = cols.rows if rows is None else len(cols.times_ms[rows])
    kernel = compiled()
    batch_blocks = blocks(cols)
    for step in plan.numbers:
        values, pick = _block(batch_blocks[step.block].values, rows, step)
        edges = layout.edges32 if step.single else layout.edges64
        kernel.numbers(values, pick, layout.places, layout.scales, edges, layout.grid, table, quality)
    batch_categories = categories(cols)
    for at, column in plan.codes:
        category = batch_categories[at][2]
        bin_of = column.cells_of_levels(category.levels)
        kernel.codes(line(category.codes, rows), bin_of, column.index, table, quality)
    gaps = {gap.name: _held(gap, rows) for gap in cols.gaps}
    _enter_gaps(plan, quality, gaps)
    if plan.crossed_numbers or plan.crossed_codes:
        _enter_crossed(plan, quality, cols, rows, gaps)
    if len(plan.missing):
        quality[plan.missing, MISSING] += count
    return plan.extra * count


def add_latency(sketch: np.ndarray, latency_ms: np.ndarray, rows: Rows | None) -> None:
    """Add float32 latencies of the chosen rows to a latency sketch, in place."""
    compiled().latency(line(latency_ms, rows).view(np.int32), sketch)


def _enter_gaps(plan: Plan, quality: np.ndarray, gaps: dict[str, tuple[int, int]]) -> None:
    """Enter rows under a gap as what they are: the kernel met NaN, or the code of null, there."""
    for name, (nulls, wrong) in gaps.items():
        column = plan.gap_columns.get(name)
        if column is None:
            continue
        entry = quality[column.index]
        entry[WRONG] += wrong
        if column.slot >= 0:
            entry[NAN] -= nulls + wrong
            entry[NULLS] += nulls
        else:
            entry[NULLS] -= wrong


def _enter_crossed(
    plan: Plan,
    quality: np.ndarray,
    cols: PredictionColumns,
    rows: Rows | None,
    gaps: dict[str, tuple[int, int]],
) -> None:
    """Count columns of the other kind than the profile's: a wrong type in each row that is not null."""
    count = cols.rows if rows is None else len(cols.times_ms[rows])
    for crossed in plan.crossed_numbers:
        nulls = gaps.get(crossed.column.profile.name, (0, 0))[0]
        quality[crossed.column.index, NULLS] += nulls
        quality[crossed.column.index, WRONG] += count - nulls
    for crossed in plan.crossed_codes:
        codes = line(categories(cols)[crossed.at][2].codes, rows)
        without = int(np.count_nonzero(codes < 0))
        nulls = without - gaps.get(crossed.column.profile.name, (0, 0))[1]
        quality[crossed.column.index, NULLS] += nulls
        quality[crossed.column.index, WRONG] += count - nulls


def _block(values: np.ndarray, rows: Rows | None, step: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Give the block as the kernel takes it: the chosen rows, the width of the profile, C order, aligned."""
    pick = step.pick
    if step.cast:
        with np.errstate(over="ignore"):  # past float32 lies infinity, and is counted so
            values = values[pick[:, 0]].astype(step.dtype)
        pick = np.column_stack([np.arange(len(pick)), pick[:, 1]])
    if rows is not None:
        values = values[:, rows]
    if not (values.flags.c_contiguous and values.flags.aligned):
        values = values.copy(order="C")
    return values, pick


def line(values: np.ndarray, rows: Rows | None) -> np.ndarray:
    """Give the chosen rows of one column as the kernel takes them: C order, aligned."""
    if rows is not None:
        values = values[rows]
    return values if values.flags.c_contiguous and values.flags.aligned else values.copy()


def _held(gap: Gap, rows: Rows | None) -> tuple[int, int]:
    """Count the null and the wrong rows of a gap among the chosen ones."""
    nulls, wrong = (
        0 if mask is None else int(np.count_nonzero(mask if rows is None else mask[rows]))
        for mask in (gap.nulls, gap.wrong)
    )
    return nulls, wrong
