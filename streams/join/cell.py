"""Cell: the predictions of one model version and slot in one stretch of event time, sorted by id.

An id that is predicted twice in a cell counts once, as it was first: it comes from a batch that was sent again, or from
an application that logs an id twice. What other cells hold is the matter of `repeats`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from driftline.streams.join.keys import find, is_repeat, keys_of, places, sorted_order
from driftline.streams.join.labels import ROW_BITS
from driftline.streams.windows.book import NEVER, WIDTHS_MS

if TYPE_CHECKING:
    from driftline.schemas.columns import PredictionColumns
    from driftline.streams.join.keys import Keys
    from driftline.streams.join.scheme import Scheme, Segment
    from driftline.streams.join.vocabulary import Vocabulary


@dataclass(slots=True)
class PredictionRows:
    """Predictions as columns of n rows; 26 bytes each with one score of float32.

    Attributes:
        key, rest: uint64 (n,), the ids.
        after_ms: uint32 (n,), event time after the start of the cell, ms.
        predicted: int16 (n,), the class that the event carries, of the vocabulary.
        scores: float32 or float64 (S, n), by the names of the version's scheme; NaN where there is none.
        groups: uint8 (G, n), by the segments of the scheme: the place of the row's value (`segment_places`).
    """

    key: Keys
    rest: Keys
    after_ms: NDArray[np.uint32]
    predicted: NDArray[np.int16]
    scores: NDArray[np.float32] | NDArray[np.float64]
    groups: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.key)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        flat = self.key.nbytes + self.rest.nbytes + self.after_ms.nbytes + self.predicted.nbytes
        return flat + self.scores.nbytes + self.groups.nbytes

    def take(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> PredictionRows:
        """Give some rows, in the order asked for."""
        return PredictionRows(
            self.key[rows],
            self.rest[rows],
            self.after_ms[rows],
            self.predicted[rows],
            self.scores[:, rows],
            self.groups[:, rows],
        )

    def with_rows(self, more: PredictionRows) -> PredictionRows:
        """Put other rows among these; both sorted by id, no id in both."""
        if not (len(self) and len(more)):
            return self if len(self) else more
        at = places(self.key, self.rest, more.key, more.rest)
        return PredictionRows(*(_with(getattr(self, name), at, getattr(more, name)) for name in _COLUMNS))

    @classmethod
    def joined(cls, parts: list[PredictionRows]) -> PredictionRows:
        """Lay parts end to end."""
        return cls(
            np.concatenate([part.key for part in parts]),
            np.concatenate([part.rest for part in parts]),
            np.concatenate([part.after_ms for part in parts]),
            np.concatenate([part.predicted for part in parts]),
            np.concatenate([part.scores for part in parts], axis=1),
            np.concatenate([part.groups for part in parts], axis=1),
        )

    @classmethod
    def empty(cls, scheme: Scheme | None) -> PredictionRows:
        """No predictions, with the scores and segments of a scheme."""
        ids = np.zeros(0, np.uint64)
        scores, segments = (0, 0) if scheme is None else (len(scheme.columns), len(scheme.segments))
        return cls(
            ids,
            ids,
            np.zeros(0, np.uint32),
            np.zeros(0, np.int16),
            np.zeros((scores, 0), np.float32),
            np.zeros((segments, 0), np.uint8),
        )


@dataclass(slots=True)
class Fresh:
    """Predictions that came since the last time, sorted by id, one an id.

    Attributes:
        rows: n of them.
        place: int64 (n,), where each lies in the log.
        cold_ms: int64 (n,), windows that began before this time took no facts any more when it came.
    """

    rows: PredictionRows
    place: NDArray[np.int64]
    cold_ms: NDArray[np.int64]


_NOTHING: Final = (1 << 64, -1)
_COLUMNS: Final = tuple(field.name for field in fields(PredictionRows))


class Cell:
    """The predictions of one cell.

    Attributes:
        start_ms: where it begins, ms since 1970.
        first: offset of the first record that had rows of it.
        scheme: what is read of its predictions; None counts them alone.
        rows: sorted by id, one an id.
        rest_span: least and greatest half of an id that is no key.
    """

    def __init__(self, start_ms: int, first: int, scheme: Scheme | None) -> None:
        self.start_ms = start_ms
        self.first = first
        self.scheme = scheme
        self.rows = PredictionRows.empty(scheme)
        self.rest_span: tuple[int, int] = _NOTHING
        self._tail: list[Fresh] = []

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.rows.nbytes + sum(part.rows.nbytes for part in self._tail)

    def add(
        self,
        cols: PredictionColumns,
        rows: slice | NDArray[np.intp],
        vocabulary: Vocabulary,
        offset: int | NDArray[np.int64] = 0,
        cold_ms: int | NDArray[np.int64] = NEVER,
    ) -> int:
        """Take in rows of a batch whose event times lie in the cell; they count from the next `settle` on.

        Args:
            cols: the batch.
            rows: of it.
            vocabulary: of the deployment.
            offset: where its record, or that of each row, lies in the log.
            cold_ms: windows that begin before this time take no facts any more; for each row, or all of them.

        Returns:
            The bytes they take.
        """
        key, rest = keys_of(cols.ids[rows])
        after = (cols.times_ms[rows] - self.start_ms).astype(np.uint32)
        predicted = vocabulary.codes_of(cols.predicted, cols.rows)[rows]
        names, segments = ((), ()) if self.scheme is None else (self.scheme.columns, self.scheme.segments)
        scores = _scores(cols, names, rows, len(key))
        part = PredictionRows(key, rest, after, predicted, scores, _groups(cols, segments, rows, len(key)))
        order = sorted_order(key, rest)
        place = ((offset << ROW_BITS) + np.arange(cols.rows))[rows][order]
        cold = np.broadcast_to(cold_ms, cols.rows)[rows][order]
        self._tail.append(Fresh(part.take(order), place, cold))
        return part.nbytes

    def fresh(self) -> Fresh | None:
        """Hand over what was added, but for ids that are among the rows already; None when nothing was."""
        if not self._tail:
            return None
        rows = PredictionRows.joined([part.rows for part in self._tail])
        place = np.concatenate([part.place for part in self._tail])
        cold_ms = np.concatenate([part.cold_ms for part in self._tail])
        self._tail = []
        order = sorted_order(rows.key, rows.rest)
        known = is_repeat(rows.key[order], rows.rest[order])
        if known.any():
            # The archive gives its rows in no order: the first of an id is that of the least place.
            order = np.lexsort((place, rows.rest, rows.key))
        rows = rows.take(order)
        known |= find(self.rows.key, self.rows.rest, rows.key, rows.rest) >= 0
        if known.any():
            order, rows = order[~known], rows.take(~known)
        return Fresh(rows, place[order], cold_ms[order])

    def within(self, start_ms: int, end_ms: int) -> PredictionRows:
        """Give the rows of a span of event time, ms."""
        after_ms = self.rows.after_ms.astype(np.int64) + self.start_ms
        return self.rows.take(np.flatnonzero((after_ms >= start_ms) & (after_ms < end_ms)))

    def put(self, rows: PredictionRows) -> None:
        """Put predictions, sorted by id, none of which is here, among the rows."""
        if len(rows):
            low, high = int(rows.rest.min()), int(rows.rest.max())
            self.rest_span = min(low, self.rest_span[0]), max(high, self.rest_span[1])
            self.rows = self.rows.with_rows(rows)

    def read_by(self, wanted: Scheme | None, rows: PredictionRows) -> tuple[PredictionRows, Scheme | None]:
        """Give rows of the cell as another scheme reads them, and that scheme; by its own where that kept too little.

        Without segments whose values it did not keep.
        """
        own = self.scheme
        if own is None or wanted is None or not set(wanted.columns) <= set(own.columns):
            return rows, own
        places = {(one.name, one.levels): at for at, one in enumerate(own.segments)}
        kept = tuple(one for one in wanted.segments if (one.name, one.levels) in places)
        rows = replace(
            rows,
            scores=rows.scores[[own.columns.index(name) for name in wanted.columns]],
            groups=rows.groups[[places[one.name, one.levels] for one in kept]],
        )
        return rows, replace(wanted, segments=kept)

    def settle(self) -> None:
        """Put what was added among the rows, whatever other cells hold."""
        fresh = self.fresh()
        if fresh is not None:
            self.put(fresh.rows)


def cell_width(resolutions: tuple[str, ...]) -> int:
    """Give the width of the cells that serve these resolutions, ms: days where nothing narrower is counted."""
    return WIDTHS_MS["1d"] if resolutions == ("1d",) else WIDTHS_MS["1h"]


def serves(before: tuple[str, ...], name: str) -> bool:
    """Whether the cells of some resolutions serve windows of another width too.

    Cells of whole days have no hours, and those of hours go before a day does.
    """
    width = WIDTHS_MS[name]
    return not (width < cell_width(before) == WIDTHS_MS["1d"] or width > WIDTHS_MS[before[-1]])


def _with(held: NDArray[Any], at: NDArray[np.intp], more: NDArray[Any]) -> NDArray[Any]:
    """Insert along the rows, which are the last axis; of two widths the wider holds both."""
    return np.insert(held.astype(np.result_type(held, more), copy=False), at, more, axis=-1)


def _scores(
    cols: PredictionColumns, names: tuple[str, ...], rows: slice | NDArray[np.intp], count: int
) -> NDArray[np.float32] | NDArray[np.float64]:
    found = {name: block.values[at, rows] for block in cols.scores for at, name in enumerate(block.names)}
    columns = [found.get(name) for name in names]
    known = [column.dtype for column in columns if column is not None]
    scores = np.full((len(names), count), np.nan, np.result_type(np.float32, *known))
    for at, column in enumerate(columns):
        if column is not None:
            scores[at] = column
    return scores


def _groups(
    cols: PredictionColumns, segments: tuple[Segment, ...], rows: slice | NDArray[np.intp], count: int
) -> NDArray[np.uint8]:
    found = {column.name: column for column in cols.segments}
    groups = np.empty((len(segments), count), np.uint8)
    for at, segment in enumerate(segments):
        column = found.get(segment.name)
        groups[at] = segment.nowhere if column is None else segment.places_of(column)[rows]
    return groups
