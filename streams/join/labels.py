"""Labels: the label in force of every id that a deployment's labels named and that still matters, sorted by id.

Of several labels of one id the one with the greatest (known_at, place in the log) is in force, in whatever order they
come. A withdrawn one stays, as a label that says nothing: an older one must not come back.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from driftline.streams.join.keys import find, is_repeat, keys_of, places, sorted_order

if TYPE_CHECKING:
    from driftline.schemas.columns import LabelColumns
    from driftline.streams.join.keys import Keys
    from driftline.streams.join.vocabulary import Vocabulary

ROW_BITS: Final = 20
"""A batch has fewer rows than 2**20: place = offset * 2**20 + row."""
NUMBER: Final = -3
WITHDRAWN: Final = -4


@dataclass(slots=True)
class LabelRows:
    """Labels as columns of n rows.

    Attributes:
        key, rest: uint64 (n,), the ids.
        known_at_ms: int64 (n,), when each became known.
        place: int64 (n,), where each lies in the log.
        heard_s: uint32 (n,), the broker's time of its record, s since 1970.
        number: float64 (n,), NaN where there is none.
        code: int16 (n,): a class of the vocabulary, `NUMBER`, `WITHDRAWN`, or `vocabulary.OTHER`.
    """

    key: Keys
    rest: Keys
    known_at_ms: NDArray[np.int64]
    place: NDArray[np.int64]
    heard_s: NDArray[np.uint32]
    number: NDArray[np.float64]
    code: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.key)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return sum(getattr(self, name).nbytes for name in _COLUMNS)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> LabelRows:
        """Give some rows, in the order asked for."""
        return LabelRows(*(getattr(self, name)[rows] for name in _COLUMNS))

    def with_rows(self, more: LabelRows) -> LabelRows:
        """Put other rows among these; both sorted by id, no id in both."""
        if not len(more):
            return self
        at = places(self.key, self.rest, more.key, more.rest)
        return LabelRows(*(np.insert(getattr(self, name), at, getattr(more, name)) for name in _COLUMNS))

    @classmethod
    def joined(cls, parts: list[LabelRows]) -> LabelRows:
        """Lay parts end to end."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))

    @classmethod
    def empty(cls) -> LabelRows:
        """No labels."""
        ids = np.zeros(0, np.uint64)
        times, none = np.zeros(0, np.int64), np.zeros(0, np.int16)
        return cls(ids, ids, times, times, np.zeros(0, np.uint32), np.zeros(0), none)


_COLUMNS: Final = tuple(field.name for field in fields(LabelRows))


def label_rows(cols: LabelColumns, offset: int, heard_ms: int, vocabulary: Vocabulary) -> LabelRows:
    """Give a batch's labels as columns.

    Args:
        cols: the batch.
        offset: where its record lies in the log.
        heard_ms: the broker's time of the record, ms since 1970.
        vocabulary: of the deployment.
    """
    key, rest = keys_of(cols.ids)
    number = np.full(cols.rows, np.nan) if cols.numbers is None else cols.numbers
    code = vocabulary.codes_of(cols.classes, cols.rows)
    code[~np.isnan(number)] = NUMBER
    if cols.withdrawn is not None:
        code[cols.withdrawn] = WITHDRAWN
    place = (offset << ROW_BITS) + np.arange(cols.rows)
    heard = np.full(cols.rows, heard_ms // 1000, np.uint32)
    return LabelRows(key, rest, cols.known_at_ms, place, heard, number, code)


class Labels:
    """The labels in force of one deployment.

    Attributes:
        rows: sorted by id, one an id.
    """

    def __init__(self) -> None:
        self.rows = LabelRows.empty()
        self._tail: list[LabelRows] = []

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.rows.nbytes + sum(part.nbytes for part in self._tail)

    @property
    def first(self) -> int | None:
        """Offset of the oldest record whose label is in force here; None without labels. Call `settle` before."""
        return int(self.rows.place.min()) >> ROW_BITS if len(self.rows) else None

    def add(self, rows: LabelRows) -> None:
        """Take in the labels of a batch; they count from the next `settle` on."""
        self._tail.append(rows)

    def settle(self) -> tuple[LabelRows, LabelRows]:
        """Put what was added in force; returns the labels that no longer are and those that now are, each by id."""
        if not self._tail:
            return LabelRows.empty(), LabelRows.empty()
        fresh = _in_force(LabelRows.joined(self._tail))
        self._tail = []
        at = find(self.rows.key, self.rows.rest, fresh.key, fresh.rest)
        known = np.flatnonzero(at >= 0)
        newer = known[_is_newer(fresh.take(known), self.rows.take(at[known]))]
        before = self.rows.take(at[newer])
        for name in _COLUMNS:
            getattr(self.rows, name)[at[newer]] = getattr(fresh, name)[newer]
        unknown = fresh.take(at < 0)
        self.rows = self.rows.with_rows(unknown)
        changed = at < 0
        changed[newer] = True
        return before, fresh.take(changed)

    def keep(self, wanted: NDArray[np.bool_]) -> None:
        """Forget the labels that are not wanted; bool (rows,). Call `settle` before."""
        if not wanted.all():
            self.rows = self.rows.take(wanted)


def _in_force(rows: LabelRows) -> LabelRows:
    """Of labels in any order keep the one in force of each id, sorted by id."""
    by_rank = rows.take(np.lexsort((rows.place, rows.known_at_ms)))
    ranked = by_rank.take(sorted_order(by_rank.key, by_rank.rest))
    last = np.ones(len(ranked), np.bool_)
    last[:-1] = ~is_repeat(ranked.key, ranked.rest)[1:]
    return ranked.take(last)


def _is_newer(fresh: LabelRows, held: LabelRows) -> NDArray[np.bool_]:
    """Tell which of the fresh labels take the place of those held."""
    later = fresh.known_at_ms > held.known_at_ms
    return np.asarray(later | ((fresh.known_at_ms == held.known_at_ms) & (fresh.place > held.place)))


__all__ = ["NUMBER", "ROW_BITS", "WITHDRAWN", "LabelRows", "Labels", "label_rows"]
