"""A few rows of columns as single events, which share a batch with what comes before and after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from driftline.agents.emit.assemble import Chunk, NamedScores
from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.shapes import LIGHT_TYPES, Shape, ShapeBook
from driftline.agents.emit.values import as_level, as_number

_FLOATS: Final = frozenset({float, type(None)})
FEW_ROWS: Final = 32
"""Up to so many rows are single events; more are a batch of their own, which costs less by the row."""


def events_of(chunk: Chunk, shapes: ShapeBook) -> tuple[Shape, list[tuple[tuple[Any, ...], int]]]:
    """Give the rows of a chunk as waiting events of one shape, each with its size as `Door.add` takes it."""
    shape = shapes.find(chunk.features)
    columns = [chunk.features[name].listed() for name in shape.names]
    kinds = {name: set(map(type, column)) for name, column in zip(shape.names, columns, strict=True)}
    shape.weigh([name for name, kind in kinds.items() if not kind <= LIGHT_TYPES])
    # Numbers of an array have the size that the shape allows for; a list's integers may have any.
    sized = [
        column
        for name, column in zip(shape.names, columns, strict=True)
        if not (
            kinds[name] <= _FLOATS
            or (chunk.features[name].levels is None and isinstance(chunk.features[name].values, np.ndarray))
        )
    ]
    rows = chunk.rows
    none = [None] * rows
    scores: list[Any] = none
    if tuple(chunk.scores) == ("score",):
        scores = [as_number(one) for one in chunk.scores["score"].listed()]
    elif chunk.scores:
        scores = [NamedScores(one) for one in _named(chunk.scores, rows, as_number)]
    segments = [tuple(one.items()) for one in _named(chunk.segments, rows, as_level)]
    facts = (
        none if chunk.predicted is None else map(as_level, chunk.predicted.listed()),
        none if chunk.latency_ms is None else map(as_number, chunk.latency_ms.listed()),
        none if chunk.status is None else map(as_level, chunk.status.listed()),
        [one or None for one in segments],
        chunk.originals or none,
    )
    times, keys = chunk.times_ms.tolist(), [row.tobytes() for row in chunk.ids]
    texts = tuple(zip(*sized, strict=True)) if sized else ((),) * rows
    found = []
    for values, time, key, score, predicted, latency_ms, status, some, original, text in zip(
        zip(*columns, strict=True), times, keys, scores, *facts, texts, strict=True
    ):
        event = (shape, values, time, key, score, predicted, latency_ms, status, some, original)
        more = (value for _, value in some or ())
        found.append((event, shape.heavy_bytes(text, original, score, predicted, status, *more)))
    return shape, found


def _named(columns: Mapping[str, Raw], rows: int, plain: Callable[[Any], Any]) -> list[dict[str, Any]]:
    values = {name: [plain(value) for value in raw.listed()] for name, raw in columns.items()}
    return [{name: column[row] for name, column in values.items()} for row in range(rows)]
