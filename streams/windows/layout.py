"""Layout: where every count of one profile lies, as flat tables for the kernel.

Made once from a profile and shared by all windows that count against it. All columns share one table of
cells; a numeric column's part ends with a cell more than it has bins, which the kernel uses as it
counts and leaves at 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import xxhash

from driftline.schemas.profile import Profile
from driftline.schemas.profile_column import ProfileColumn
from driftline.streams.windows import grid as grids
from driftline.streams.windows.kernel import FRACTION_BITS, GRID_CELLS

STATUS_LEVELS: Final = ("ok", "error", "timeout", "rejected", "invalid")
_LEVEL_SETS_MAX: Final = 256  # sets of levels remembered a column; emitters send few
_GREATEST: Final = float(np.finfo(np.float64).max)
_STATUS_BINS: Final = len(STATUS_LEVELS) + 2
_STATUS: Final = ProfileColumn(
    name="status",
    kind="categorical",
    role="status",
    levels=STATUS_LEVELS,
    counts=np.zeros(_STATUS_BINS, np.int64),
    decile_of_bin=np.arange(_STATUS_BINS, dtype=np.int16),
)


@dataclass(slots=True, eq=False)
class LayoutColumn:
    """One column of a layout.

    Attributes:
        index: its place in `Layout.columns` and its row of the quality table.
        first: its first cell.
        end: one past its last cell.
        slot: its row of the numeric tables; -1 for a categorical column.
        profile: the column of the profile, without its history.
        level_bins: level -> bin.
    """

    index: int
    first: int
    end: int
    slot: int
    profile: ProfileColumn
    level_bins: dict[str, int] = field(default_factory=dict)
    _cells_of_levels: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict)

    def cells_of_levels(self, levels: tuple[str, ...]) -> np.ndarray:
        """Give the cell of each of a batch's levels; int64 (len(levels),)."""
        known = self._cells_of_levels.get(levels)
        if known is None:
            if len(self._cells_of_levels) >= _LEVEL_SETS_MAX:
                self._cells_of_levels.clear()
            known = np.array([self.first + self.bin_of_level(level) for level in levels], np.int64)
            self._cells_of_levels[levels] = known
        return known

    def bin_of_level(self, level: str) -> int:
        """Give the bin of one level: its own, `other` (levels), or `unseen` (levels + 1)."""
        own = self.level_bins.get(level)
        if own is not None:
            return own
        other = len(self.profile.levels)
        if not self.profile.rest_complete:
            return other
        key = np.uint64(xxhash.xxh3_64_intdigest(level.encode()))
        at = int(np.searchsorted(self.profile.rest, key))
        return other if at < len(self.profile.rest) and self.profile.rest[at] == key else other + 1


class Layout:
    """The tables of one profile; `Layout.without_profile` has none and counts rows, latency and status alone.

    Attributes:
        deployment: name of the deployment.
        model_version: the model version.
        digest: of the profile; empty without one.
        columns: every column of the profile, and one of the role status.
        by_name: the same by (role, name).
        cells: length of the cell table.
        places: int64 (slots, 3): first cell, end and column index of each numeric column.
        scales: float64 (slots, 4): mean, 2**40 / unit, low and scale of the grid.
        splits: integers (V, B) by (segment's index, column's index): rows of the reference by segment value
            (`driftline.schemas.profile_split`); empty without a segment, and then nothing is counted so.
        edges32: float32 (cells,), each numeric column's edges and two +inf; (0,) where no column travels in this width.
        edges64: float64 (cells,), likewise.
        grid: uint16 (slots, GRID_CELLS + 1): edges before each cell of the grid; the last entry leads aside.
        plans: what others work out from the layout and remember with it: how batches of one make-up are counted
            (`plan`), the reference's side of figures (`reference`). Cleared when there are many.
    """

    def __init__(self, profile: Profile, digest: str = "") -> None:
        """Lay a profile out; `digest` is that of the whole one, when this is what is left of it."""
        columns = _with_status(profile.without_history().columns)
        self._lay(profile.deployment, profile.model_version, digest or profile.digest(), columns)
        for split in profile.splits:
            pair = self.by_name["segment", split.segment].index, self.by_name[split.role, split.column].index
            self.splits[pair] = split.counts

    @classmethod
    def without_profile(cls, deployment: str, model_version: str) -> Layout:
        """Lay out what needs no profile: counters on it count rows, latency and status, until a profile comes."""
        layout = cls.__new__(cls)
        layout._lay(deployment, model_version, "", _with_status(()))  # noqa: SLF001 - its own class
        return layout

    def column(self, name: str, role: str = "feature") -> LayoutColumn:
        """Find a column.

        Raises:
            KeyError: when the profile has none of that name and role.
        """
        return self.by_name[role, name]

    def _lay(
        self, deployment: str, model_version: str, digest: str, profiles: tuple[ProfileColumn, ...]
    ) -> None:
        self.deployment = deployment
        self.model_version = model_version
        self.digest = digest
        self.columns = tuple(_columns(profiles))
        self.by_name = {(column.profile.role, column.profile.name): column for column in self.columns}
        self.cells = self.columns[-1].end if self.columns else 0
        self.plans: dict[object, object] = {}
        self.splits: dict[tuple[int, int], np.ndarray] = {}
        numeric = [column for column in self.columns if column.slot >= 0]
        self.places = np.zeros((len(numeric), 3), np.int64)
        self.scales = np.zeros((len(numeric), 4), np.float64)
        self.grid = np.zeros((len(numeric), GRID_CELLS + 1), np.uint16)
        edges = np.full(self.cells, np.inf)
        for column in numeric:
            self._place(column)
            edges[column.first : column.end - 2] = column.profile.edges
        widths = {column.profile.dtype for column in numeric}
        with np.errstate(over="ignore"):  # edges of float64 columns, which nothing reads in this width
            self.edges32 = edges.astype(np.float32) if "float32" in widths else np.zeros(0, np.float32)
        self.edges64 = edges if "float64" in widths else np.zeros(0)

    def _place(self, column: LayoutColumn) -> None:
        profile = column.profile
        chosen = grids.choose(profile.edges, profile.counts)
        self.places[column.slot] = column.first, column.end, column.index
        self.scales[column.slot] = profile.mean, term_scale(profile.unit), chosen.low, chosen.scale
        self.grid[column.slot, :GRID_CELLS] = chosen.before
        self.grid[column.slot, GRID_CELLS] = column.end - column.first - 1


def _columns(profiles: tuple[ProfileColumn, ...]) -> list[LayoutColumn]:
    columns: list[LayoutColumn] = []
    first = slots = 0
    for index, profile in enumerate(profiles):
        numeric = profile.kind == "numeric"
        end = first + profile.bins + int(numeric)
        level_bins = {level: at for at, level in enumerate(profile.levels)}
        columns.append(LayoutColumn(index, first, end, slots if numeric else -1, profile, level_bins))
        first, slots = end, slots + int(numeric)
    return columns


def _with_status(columns: tuple[ProfileColumn, ...]) -> tuple[ProfileColumn, ...]:
    """Add a status column where the profile has none: outcomes are counted for every deployment."""
    return columns if any(column.role == "status" for column in columns) else (*columns, _STATUS)


def term_scale(unit: float) -> float:
    """Give 2**40 / unit, what makes a centred value a term; finite for every unit > 0."""
    with np.errstate(over="ignore"):
        return min(float(np.float64(2.0**FRACTION_BITS) / np.float64(unit)), _GREATEST)
