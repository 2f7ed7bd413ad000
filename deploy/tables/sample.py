"""A few rows of a table, evenly apart, as arrays: what a model is asked with when it is packed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from driftline.deploy.tables.scan import is_nested, is_text, plain
from driftline.deploy.tables.values import numbers, texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.deploy.tables.source import TableSource


def sample(source: TableSource, most: int) -> dict[str, NDArray[Any]]:
    """Read a table once and keep between `most` and twice as many rows, evenly apart; all of a shorter one.

    Returns:
        Column -> float64 with NaN for null, or objects: texts, None for null. Columns that are neither numbers, truth
        values nor texts are left out.

    Raises:
        TableError: the file is damaged.
    """
    names = [field.name for field in source.schema if _is_taken(field.type)]
    kept: list[pa.RecordBatch] = []
    step, start, count = 1, 0, 0
    for batch in source.batches(names):
        # The next row that is kept may lie beyond this batch.
        first = -start % step
        chosen = pa.array(range(first, batch.num_rows, step), pa.int64())
        start += batch.num_rows
        if len(chosen):
            kept.append(batch.take(chosen))
            count += len(chosen)
        while count > 2 * most:
            merged = pa.Table.from_batches(kept).combine_chunks()
            halved = merged.take(pa.array(range(0, merged.num_rows, 2), pa.int64()))
            kept, count, step = halved.combine_chunks().to_batches(), halved.num_rows, step * 2
    table = (
        pa.Table.from_batches(kept, pa.schema([source.schema.field(name) for name in names]))
        if kept
        else None
    )
    if table is None:
        return {name: np.zeros(0) for name in names}
    return {name: _array(table.column(name).combine_chunks()) for name in names}


def _is_taken(kind: pa.DataType) -> bool:
    return not is_nested(kind) and not pa.types.is_temporal(kind) and not pa.types.is_null(kind)


def _array(column: pa.Array) -> NDArray[Any]:
    chunk = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    values = plain(chunk)
    if is_text(values.type):
        made: NDArray[Any] = np.array(texts(values).to_pylist(), dtype=object)
        return made
    return numbers(values)[0]
