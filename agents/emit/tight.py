"""A chunk of columns as it waits in a backlog: on a shelf, its texts as levels and codes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit.assemble import Chunk
from driftline.agents.emit.bulk import weighed
from driftline.agents.emit.kinds import Raw, encode_levels
from driftline.agents.emit.shelf import Shelf


def tightened(chunk: Chunk, shelf: Shelf) -> Chunk:
    """Copy a chunk to a shelf; lists of other things than texts stay lists.

    Gives the chunk back when there is no memory.
    """

    def laid(column: Raw | None) -> Raw | None:
        return None if column is None else _laid(column, shelf)

    try:
        tight = replace(
            chunk,
            ids=shelf.array_like(chunk.ids),
            times_ms=shelf.array_like(chunk.times_ms),
            features={name: _laid(column, shelf) for name, column in chunk.features.items()},
            scores={name: _laid(column, shelf) for name, column in chunk.scores.items()},
            predicted=laid(chunk.predicted),
            latency_ms=laid(chunk.latency_ms),
            status=laid(chunk.status),
            segments={name: _laid(column, shelf) for name, column in chunk.segments.items()},
            is_tight=True,
        )
    except (OSError, MemoryError):
        return chunk
    return weighed(tight)


def _laid(column: Raw, shelf: Shelf) -> Raw:
    nulls = None if column.nulls is None else shelf.array_like(column.nulls)
    if isinstance(column.values, np.ndarray):
        values: NDArray[Any] = column.values
        return Raw(shelf.array_like(values), nulls, column.levels)
    if column.levels is None and set(map(type, column.values)) <= {str, type(None)}:
        found = encode_levels(column.values, any_type=False)
        if found.levels and found.wrong is None:
            return Raw(shelf.array_like(found.codes), None, found.levels)
    return column
