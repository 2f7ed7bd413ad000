"""Plan: which column of a batch counts against which column of a layout.

Batches of one emitter have one make-up (the names, widths and order of columns), so it is worked out once and
remembered; a batch then costs a look-up and a few calls of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftline.schemas.shapes import Category, NumericBlock, PredictionColumns
from driftline.streams.windows.layout import Layout, LayoutColumn

_PLANS_MAX: Final = 64  # make-ups remembered a layout; emitters of one version send one or two


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Rows of one block that are counted in one width.

    `pick` is int64 (n, 2), row of the block and slot; `single` tells float32; `cast` that the block has
    another width.
    """

    block: int
    dtype: np.dtype
    single: bool
    pick: np.ndarray
    cast: bool


@dataclass(frozen=True, slots=True, eq=False)
class Crossed:
    """A column that came in the other kind than the profile's: each value has a wrong type."""

    at: int
    column: LayoutColumn


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How to count batches of one make-up.

    Attributes:
        numbers: numeric columns, by block of `blocks(cols)`.
        codes: place in `categories(cols)` and column of each categorical one.
        crossed_numbers: numeric columns that the profile knows as categorical.
        crossed_codes: categorical columns that the profile knows as numeric.
        missing: int64, indexes of the profile's columns that the batch lacks.
        extra: how many columns of the batch the profile does not know.
        gap_columns: name -> the column a gap of that name belongs to; columns of the batch's own kind only.
    """

    numbers: tuple[Numbers, ...]
    codes: tuple[tuple[int, LayoutColumn], ...]
    crossed_numbers: tuple[Crossed, ...]
    crossed_codes: tuple[Crossed, ...]
    missing: np.ndarray
    extra: int
    gap_columns: dict[str, LayoutColumn]


def blocks(cols: PredictionColumns) -> list[NumericBlock]:
    """All numeric blocks of a batch: features, then scores."""
    return [*cols.features, *cols.scores]


def categories(cols: PredictionColumns) -> list[tuple[str, str, Category]]:
    """All categorical columns of a batch, with role and name: features, class, segments, status."""
    found = [("feature", column.name, column) for column in cols.categories]
    if cols.predicted is not None:
        found.append(("class", "predicted", cols.predicted))
    found += [("segment", column.name, column) for column in cols.segments]
    if cols.status is not None:
        found.append(("status", "status", cols.status))
    return found


def plan_of(layout: Layout, cols: PredictionColumns) -> Plan:
    """Give the plan for a batch of this make-up."""
    make_up = (
        len(cols.features),
        tuple((block.values.dtype.char, block.names) for block in blocks(cols)),
        tuple((role, name) for role, name, _ in categories(cols)),
    )
    plan = layout.plans.get(make_up)
    if not isinstance(plan, Plan):
        if len(layout.plans) >= _PLANS_MAX:
            layout.plans.clear()
        plan = layout.plans[make_up] = _make(layout, cols)
    return plan


def _make(layout: Layout, cols: PredictionColumns) -> Plan:
    maker = _Maker(layout)
    for at, block in enumerate(blocks(cols)):
        maker.block(at, "feature" if at < len(cols.features) else "score", block)
    for at, (role, name, _) in enumerate(categories(cols)):
        maker.category(at, role, name)
    # No emitter has to tell a status, so its absence is no fault of the data.
    absent = [c.index for c in layout.columns if c.index not in maker.met and c.profile.role != "status"]
    return Plan(
        numbers=tuple(maker.numbers),
        codes=tuple(maker.codes),
        crossed_numbers=tuple(maker.crossed_numbers),
        crossed_codes=tuple(maker.crossed_codes),
        missing=np.array(absent, np.int64),
        # Without a profile no column is known, which says nothing about any of them.
        extra=maker.extra if layout.digest else 0,
        gap_columns=maker.gap_columns,
    )


class _Maker:
    """A plan in the making: what has been met so far."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.met: set[int] = set()
        self.extra = 0
        self.numbers: list[Numbers] = []
        self.codes: list[tuple[int, LayoutColumn]] = []
        self.crossed_numbers: list[Crossed] = []
        self.crossed_codes: list[Crossed] = []
        self.gap_columns: dict[str, LayoutColumn] = {}

    def block(self, at: int, role: str, block: NumericBlock) -> None:
        picks: dict[str, list[tuple[int, int]]] = {}
        for row, name in enumerate(block.names):
            column = self._meet(role, name)
            if column is None:
                continue
            if column.slot < 0:
                self.crossed_numbers.append(Crossed(at, column))
                continue
            picks.setdefault(column.profile.dtype, []).append((row, column.slot))
            self.gap_columns.setdefault(name, column)
        for width, pick in picks.items():
            dtype = np.dtype(width)
            cast = block.values.dtype != dtype
            self.numbers.append(Numbers(at, dtype, width == "float32", np.array(pick, np.int64), cast))

    def category(self, at: int, role: str, name: str) -> None:
        column = self._meet(role, name)
        if column is None:
            return
        if column.slot >= 0:
            self.crossed_codes.append(Crossed(at, column))
            return
        self.codes.append((at, column))
        if role == "feature":
            self.gap_columns[name] = column

    def _meet(self, role: str, name: str) -> LayoutColumn | None:
        column = self.layout.by_name.get((role, name))
        if column is None or column.index in self.met:
            self.extra += 1
            return None
        self.met.add(column.index)
        return column
