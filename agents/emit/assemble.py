"""Waiting events to the columns of one batch: single events, each with its own keys, and parts of whole columns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.errors import BadEvent, cause_of
from driftline.agents.emit.kinds import Kinds, Levels, Numbers, Raw, encode_levels, encode_numbers, only_used
from driftline.agents.emit.options import Options
from driftline.agents.emit.shapes import Shape, ShapeBook
from driftline.schemas.columns import Category, Gap, NumericBlock, PredictionColumns
from driftline.schemas.ids import ID_BYTES
from driftline.schemas.names import MAX_COLUMNS

T = TypeVar("T")

UNION_BYTES: Final = 1 << 19
"""Names and numbers of the columns that events with unlike names have together; more are no one chunk."""
_NUMBER_BYTES: Final = 8


class NamedScores(dict[str, Any]):
    """The scores of one event by name: a type of its own, since a score of the application may be anything."""


def settled(
    rows: Sequence[tuple[Any, ...]], shapes: ShapeBook
) -> tuple[list[tuple[Any, ...]], list[BadEvent]]:
    """Give rows of which every copied dict is replaced by its values, under its own shape; and why some can be none.

    `log` copies a dict that has as many keys as the one before; here it is seen whether they are the same.
    """
    good: list[tuple[Any, ...]] = []
    bad: list[BadEvent] = []
    for row in rows:
        values = row[1]
        if type(values) is not dict:
            good.append(row)
            continue
        try:
            good.append((row[0], row[0].take(values), *row[2:]))
        except KeyError:
            try:
                shape = shapes.find(values)
                good.append((shape, shape.take(values), *row[2:]))
            except BadEvent as error:
                bad.append(error)
    return good, bad


def chunks(
    rows: Sequence[tuple[Any, ...]], shapes: ShapeBook, finished: Callable[[Chunk], T]
) -> Iterator[T | str]:
    """Turn waiting events into finished chunks; tell the cause for each event that can be in none.

    When they cannot be one chunk they are cut in halves, down to the event that is to blame: all are accounted for.
    """
    try:
        good, bad = settled(rows, shapes)
        chunk = [finished(of_rows(good))] if good else []
    except BaseException as error:  # whatever an event does, it costs that event alone
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise  # the caller's own
        if len(rows) == 1:
            yield cause_of(error)
            return
        half = len(rows) // 2
        yield from chunks(rows[:half], shapes, finished)
        yield from chunks(rows[half:], shapes, finished)
        return
    yield from map(str, bad)
    yield from chunk


def of_rows(rows: Sequence[tuple[Any, ...]]) -> Chunk:
    """Turn settled events into columns. A name that only some of them have is null in the others.

    Raises BadEvent when their names are so unlike that the columns of several would take more than a message has.
    """
    shapes, values, times, ids, scores, predicted, latency, status, segments, originals = zip(
        *rows, strict=True
    )
    count = len(rows)
    return Chunk(
        rows=count,
        ids=np.frombuffer(b"".join(ids), np.uint8).reshape(count, ID_BYTES),
        times_ms=_times(times),
        features=_features(shapes, values),
        originals=list(originals) if any(one is not None for one in originals) else None,
        scores=_scores(scores),
        predicted=_unless_empty(predicted),
        latency_ms=_unless_empty(latency),
        status=_unless_empty(status),
        segments={} if not any(segments) else _spread([dict(one) if one else {} for one in segments]),
        shapes=frozenset(shapes),
    )


def to_columns(chunk: Chunk, options: Options, kinds: Kinds) -> PredictionColumns:
    """Encode a chunk as the columns of one batch, without its identity; decides kinds that are open yet."""
    cols = PredictionColumns(
        deployment=options.deployment,
        model_version=options.version,
        slot=options.slot,
        rows=chunk.rows,
        identity=None,
        ids=chunk.ids,
        original_ids=chunk.originals,
        times_ms=chunk.times_ms,
    )
    numbers: dict[str, Numbers] = {}
    for name, raw in chunk.features.items():
        column = kinds.encode(name, raw)
        if isinstance(column, Numbers):
            numbers[name] = column
        else:
            cols.categories.append(Category(name, column.levels, column.codes))
            _gap(cols, name, None, column.wrong)
    cols.features = _blocks(cols, numbers)
    scores = {name: kinds.score(name, raw) for name, raw in chunk.scores.items()}
    # Gaps are named by column: under one name a feature's stands, and a score's NaN speaks for itself.
    cols.scores = _blocks(cols, scores, silent=chunk.features.keys())
    cols.predicted = _class("predicted", chunk.predicted)
    cols.status = _class("status", chunk.status)
    if chunk.latency_ms is not None:
        latency = encode_numbers(chunk.latency_ms)[0].values
        with np.errstate(over="ignore"):
            cols.latency_ms = latency.astype(np.float32)
    hidden = [name for name, treatment in options.treatments.items() if treatment == "counters_only"]
    cols.counters_only = tuple(name for name in hidden if name in chunk.features or name in chunk.segments)
    for name, raw in chunk.segments.items():
        if options.treatments.get(name) == "drop":
            continue
        hashed = options.treatments.get(name) == "hashed"
        levels = kinds.encode(name, raw) if hashed else _levels(raw)
        if isinstance(levels, Levels):
            cols.segments.append(Category(name, levels.levels, levels.codes))
    return cols


def _features(shapes: Sequence[Shape], values: Sequence[Any]) -> dict[str, Raw]:
    first = shapes[0]
    if all(shape is first for shape in shapes):
        return _one_shape(first, values)
    columns: dict[str, list[Any]] = {}
    rows_of: dict[Shape, list[int]] = {}
    for row, shape in enumerate(shapes):
        rows_of.setdefault(shape, []).append(row)
    _check_union({name for shape in rows_of for name in shape.names}, len(shapes))
    for shape, rows in rows_of.items():
        for name, raw in _one_shape(shape, [values[row] for row in rows]).items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * len(shapes)
            items = raw.values.tolist() if isinstance(raw.values, np.ndarray) else raw.values
            for row, value in zip(rows, items, strict=True):
                column[row] = value
    return {name: Raw(column) for name, column in columns.items()}


def _one_shape(shape: Shape, values: Sequence[Any]) -> dict[str, Raw]:
    if shape.dtype is None:
        return {
            name: Raw(column) for name, column in zip(shape.names, zip(*values, strict=True), strict=True)
        }
    matrix = np.frombuffer(b"".join(values), shape.dtype).reshape(len(values), shape.width)
    return {name: Raw(matrix[:, at]) for name, at in zip(shape.names, shape.kept, strict=True)}


def _times(times: Sequence[float | int]) -> NDArray[np.int64]:
    if int not in set(map(type, times)):
        return np.floor(np.array(times, np.float64) * 1000).astype(np.int64)
    return np.array([time if isinstance(time, int) else int(time * 1000) for time in times], np.int64)


def _scores(scores: Sequence[Any]) -> dict[str, Raw]:
    """One column named `score`, or those that a dict named; both kinds may stand in one batch."""
    if NamedScores not in set(map(type, scores)):
        return {} if all(score is None for score in scores) else {"score": Raw(scores)}
    return _spread(
        [one if type(one) is NamedScores else {} if one is None else {"score": one} for one in scores]
    )


def _spread(rows: Sequence[Mapping[str, Any]]) -> dict[str, Raw]:
    names = dict.fromkeys(name for row in rows for name in row)
    _check_union(names, len(rows))
    return {name: Raw([row.get(name) for row in rows]) for name in names}


def _check_union(names: Collection[str], rows: int) -> None:
    if rows == 1:
        return
    # Under a gap a name stands twice.
    size = sum(2 * len(name.encode()) + _NUMBER_BYTES * rows for name in names)
    if len(names) > MAX_COLUMNS or size > UNION_BYTES:
        raise BadEvent(f"{rows:,} events with {len(names):,} names together are no one batch")


def _unless_empty(values: Sequence[Any]) -> Raw | None:
    return None if all(value is None for value in values) else Raw(values)


def _levels(raw: Raw) -> Levels:
    """Encode classes, segments, status: whatever comes becomes a level, since none of them is a number to watch."""
    if raw.levels is not None:
        return only_used(raw.levels, np.asarray(raw.values, np.int32))
    values = raw.listed() if isinstance(raw.values, np.ndarray) else raw.values
    return encode_levels(values, any_type=True)


def _class(name: str, raw: Raw | None) -> Category | None:
    if raw is None:
        return None
    levels = _levels(raw)
    return Category(name, levels.levels, levels.codes)


def _blocks(
    cols: PredictionColumns, columns: Mapping[str, Numbers], silent: Any = frozenset()
) -> list[NumericBlock]:
    """Gather numeric columns in one block a width, and note their gaps."""
    blocks = []
    for dtype in (np.float32, np.float64):
        names = tuple(name for name, column in columns.items() if column.values.dtype == dtype)
        if names:
            values = np.empty((len(names), cols.rows), dtype)
            for at, name in enumerate(names):
                values[at] = columns[name].values
            blocks.append(NumericBlock(names, values))
    for name, column in columns.items():
        if name not in silent:
            _gap(cols, name, column.nulls, column.wrong)
    return blocks


def _gap(cols: PredictionColumns, name: str, nulls: Any, wrong: Any) -> None:
    if nulls is not None or wrong is not None:
        cols.gaps.append(Gap(name, nulls, wrong))
