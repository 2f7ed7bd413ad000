"""Rows in the order of event time: streamed when the file is in order, sorted in memory when not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.guess import EPOCH_UNITS
from driftline.deploy.tables.iso import first_unread, read, why_unread
from driftline.deploy.tables.scan import is_text, plain
from driftline.deploy.tables.source import BATCH_ROWS
from driftline.schemas.wire import MAX_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from driftline.deploy.tables.roles import ColumnPlan, TablePlan
    from driftline.deploy.tables.source import TableSource

YEARS = (1, 2199)
"""Event times that are read: a calendar has no earlier ones, and no later ones travel."""
YEARS_S = (-62_135_596_800, MAX_TIME_MS // 1_000)

SORT_CAP_BYTES = 2 << 30
"""Bytes of columns that are sorted in memory; a larger table must come in order."""


def ordered_batches(source: TableSource, plan: TablePlan) -> Iterator[pa.RecordBatch]:
    """Read the columns that take part, rows in the order of event time (stable: ties keep the file's order).

    A table without a timestamp keeps its order.

    Raises:
        TableError: a row has no time, or the table is out of order and larger than SORT_CAP_BYTES.

    """
    names = [one.name for one in plan.columns if one.role != "ignore"]
    timestamp = plan.one("timestamp")
    if timestamp is None or _in_order(source, timestamp):
        yield from source.batches(names)
        return
    kept: list[pa.RecordBatch] = []
    size = 0
    for stored in source.batches(names):
        batch = pa.RecordBatch.from_arrays([plain(column) for column in stored.columns], names=names)
        kept.append(batch)
        size += batch.nbytes
        if size > SORT_CAP_BYTES:
            raise TableError(
                f"{source.path.name} is not in order of {timestamp.name!r} and larger than "
                f"{SORT_CAP_BYTES >> 30} GiB, which is as much as is sorted in memory: sort the file by "
                "that column first"
            )
    table = pa.Table.from_batches(kept)
    times = np.concatenate([times_ms(batch.column(timestamp.name), timestamp) for batch in kept])
    del kept
    order = np.argsort(times, kind="stable")
    for start in range(0, len(order), BATCH_ROWS):
        for batch in table.take(order[start : start + BATCH_ROWS]).combine_chunks().to_batches():
            yield batch


def times_ms(column: pa.Array, plan: ColumnPlan) -> NDArray[np.int64]:
    """Give event times in ms since 1970 UTC, rounded down.

    Raises:
        TableError: a row has no time, or one that no window can hold.

    """
    values = plain(column)
    if values.null_count:
        raise TableError(
            f"column {plan.name!r} has rows without a time ({values.null_count} in one batch): fill "
            "them or drop the rows"
        )
    if plan.type == "text" and is_text(values.type):
        values = _parsed(values, plan.name)
    if pa.types.is_date(values.type):
        values = pc.cast(values, pa.timestamp("ms"))
    is_time = pa.types.is_timestamp(values.type)
    a_second = EPOCH_UNITS[values.type.unit if is_time else plan.type]
    stored = pc.cast(values, pa.int64()) if is_time else values
    return _to_ms(_checked(stored, a_second, plan).to_numpy(zero_copy_only=False).astype(np.int64), a_second)


def _checked(values: pa.Array, a_second: int, plan: ColumnPlan) -> pa.Array:
    """Return whole numbers of time themselves, when all are in the years of `YEARS`."""
    low, high = (moment * a_second for moment in YEARS_S)
    ends = pc.min_max(values).as_py()
    if len(values) and not (low <= ends["min"] and ends["max"] < high):
        raise TableError(
            f"column {plan.name!r} has times outside the years {YEARS[0]} to {YEARS[1]}, read as {plan.type}: "
            "check the column, or its unit with a mapping"
        )
    return values


def _to_ms(values: NDArray[np.int64], a_second: int) -> NDArray[np.int64]:
    ms = 1_000
    return values // (a_second // ms) if a_second >= ms else values * (ms // a_second)


def _parsed(values: pa.Array, name: str) -> pa.Array:
    times = read(values)
    if times is None:
        why = why_unread(first_unread(values))
        raise TableError(
            f"column {name!r} cannot be the timestamp: {why}; write the column anew, or give it another "
            "role in a mapping"
        )
    return times


def _in_order(source: TableSource, timestamp: ColumnPlan) -> bool:
    """Whether no row comes before the row above it."""
    last: int | None = None
    for batch in source.batches([timestamp.name]):
        times = times_ms(batch.column(0), timestamp)
        if (last is not None and times[0] < last) or bool(np.any(times[1:] < times[:-1])):
            return False
        last = int(times[-1])
    return True
