"""Elsewhere: predictions that are not counted again, of ids that are; an id counts where it came first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.streams.join.keys import keys_of, places, sorted_order
from driftline.streams.join.labels import ROW_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.schemas.columns import PredictionColumns
    from driftline.streams.join.cell import Fresh

Columns = tuple["NDArray[np.uint64]", "NDArray[np.uint64]", "NDArray[np.int64]", "NDArray[np.int64]"]
"""Key, rest, place in the log, event time in ms; sorted by id, which may be there more than once."""


class Elsewhere:
    """Such predictions by model version and slot, 32 bytes each."""

    def __init__(self) -> None:
        self._tail: dict[tuple[str, str], list[Columns]] = {}
        self._sorted: dict[tuple[str, str], Columns] = {}
        self.nbytes = 0

    def add(self, offsets: NDArray[np.int64] | int, cols: PredictionColumns) -> None:
        """Take predictions in; `offsets` say where each lies in the log."""
        key, rest = keys_of(cols.ids)
        place = np.broadcast_to(np.asarray(offsets, np.int64) << ROW_BITS, cols.rows)
        self._tail.setdefault((cols.model_version, cols.slot), []).append((key, rest, place, cols.times_ms))
        self.nbytes += 32 * cols.rows

    def came_before(self, version: str, slot: str, fresh: Fresh) -> NDArray[np.bool_]:
        """Tell of predictions which have an id that came before, in a cell that took facts then; bool (n,)."""
        found = np.zeros(len(fresh.rows), np.bool_)
        held = self._columns((version, slot))
        if held is None:
            return found
        key, rest, place, time_ms = held
        at = places(key, rest, fresh.rows.key, fresh.rows.rest)
        open_ = np.arange(len(found))
        while len(open_ := open_[at[open_] < len(key)]):
            there = at[open_]
            open_ = open_[(key[there] == fresh.rows.key[open_]) & (rest[there] == fresh.rows.rest[open_])]
            there = at[open_]
            # A cell takes facts as long as any time in it is none that is cold.
            before = (place[there] < fresh.place[open_]) & (time_ms[there] >= fresh.cold_ms[open_])
            found[open_[before]] = True
            at[open_] += 1
            open_ = open_[~before]
        return found

    def _columns(self, which: tuple[str, str]) -> Columns | None:
        parts = self._tail.pop(which, [])
        if parts:
            parts += [self._sorted[which]] if which in self._sorted else []
            key, rest, place, time_ms = (np.concatenate(columns) for columns in zip(*parts, strict=True))
            order = sorted_order(key, rest)
            self._sorted[which] = key[order], rest[order], place[order], time_ms[order]
        return self._sorted.get(which)
