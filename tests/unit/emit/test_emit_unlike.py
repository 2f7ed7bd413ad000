"""Events whose names are unlike one another: each travels as it would alone, and names are not kept for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emit_fakes import columns_of, levels_of, numbers_of, sink

from driftline.agents.emit import kinds
from driftline.agents.emit.assemble import UNION_BYTES, chunks
from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.shapes import Row, Shape, ShapeBook
from driftline.schemas.names import MAX_COLUMNS

ROWS = 300


def told(batch: Any, row: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What a row of a batch holds: features, scores and segments by name."""
    features = {name: column[row] for name, column in columns_of(batch).items()}
    scores = {
        name: values[row]
        for block in batch.scores
        for name, values in zip(block.names, numbers_of(block), strict=True)
    }
    segments = {column.name: levels_of(column)[row] for column in batch.segments}
    return tuple(  # type: ignore[return-value]
        {name: one for name, one in group.items() if one is not None and one == one}  # noqa: PLR0124 - NaN
        for group in (features, scores, segments)
    )


def told_of(folder: Path, rows: list[dict[str, Any]]) -> list[Any]:
    """What events hold as a reader sees them; none of them is dropped."""
    with sink(folder) as made:
        for row in rows:
            made.emitter.log(row["features"], row.get("score"), segments=row.get("segments"))
        assert made.stats().dropped == {}
        return [told(batch, row) for batch in made.batches() for row in range(batch.rows)]


@pytest.mark.parametrize(("width", "name"), [(20, "word"), (20, "x" * 160), (MAX_COLUMNS // 4, "w")])
def test_events_of_unlike_names_all_travel(tmp_path: Path, width: int, name: str) -> None:
    """Columns that they have together are more than a message takes: they make several, and plain ones beside them."""
    rows = []
    for row in range(ROWS if width == 20 else 12):
        sparse = {f"{name}{row}_{place}": float(place) for place in range(width)}
        rows += [{"features": sparse}, {"features": {"age": 3.0}}]
    assert told_of(tmp_path, rows) == [(row["features"], {}, {}) for row in rows]


@pytest.mark.parametrize("what", ["score", "segments"])
def test_scores_and_segments_of_unlike_names_all_travel(tmp_path: Path, what: str) -> None:
    """The same of what stands beside features."""
    value: Any = 1.0 if what == "score" else "a"
    rows = [
        {"features": {"age": 3.0}, what: {f"s{row}_{place}": value for place in range(20)}}
        for row in range(ROWS)
    ]
    assert told_of(tmp_path, rows) == [
        (row["features"], row.get("score", {}), row.get("segments", {})) for row in rows
    ]


def test_a_row_that_nearly_fills_a_message_travels_beside_others(tmp_path: Path) -> None:
    """The columns of others cost it nothing: cut from them, it has those it came with."""
    large = {"features": {"text": "x" * 960_000, "none": None}}
    others = [
        {"features": {f"word{row}_{place}": 1.0 for place in range(20)}, "segments": {f"s{row}": "a"}}
        for row in range(40)
    ]
    found = [row[0] for row in told_of(tmp_path, [*others[:20], large, *others[20:]])]
    assert sorted(found, key=str) == sorted(
        [{"text": "x" * 960_000}, *(one["features"] for one in others)], key=str
    )


def test_a_part_keeps_what_all_its_events_came_with() -> None:
    """A null that each of them told is told; one that stands for a name they lack is not. What came whole stays so."""
    shapes = [Shape(("a", "b"), {}), Shape(("a", "c"), {})]
    columns = {"a": [None, 1.0], "b": [2.0, None], "c": [None, 3.0]}

    def part(shapes: list[Shape]) -> Chunk:
        features = {name: Raw(values) for name, values in columns.items()}
        ids, times = np.zeros((2, 16), np.uint8), np.zeros(2, np.int64)
        return Chunk(2, ids, times, features, shapes=frozenset(shapes)).part(0, 1)

    assert list(part(shapes).features) == ["a", "b"]
    assert list(part([]).features) == ["a", "b", "c"]


def test_of_more_names_than_are_remembered_kinds_are_found_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that are new for ever take no memory for ever; what was remembered stays what it was."""
    monkeypatch.setattr(kinds, "REMEMBERED", 10)
    rows = [{"features": {"known": 1 << 30}}]
    rows += [{"features": {f"name{row}": (1 << 30) + 1}} for row in range(50)]
    rows += [{"features": {"name49": "text"}}, {"features": {"known": "text"}}]
    with sink(tmp_path, linger_s=0.0) as made:
        for row in rows:
            made.emitter.log(row["features"])
            made.stats()
        book = made.emitter._kinds
        assert (len(book._kinds), len(book._wide)) == (10, 10)
        found = [columns_of(batch) for batch in made.batches()]
    assert found[:51] == [
        {name: [float(value)] for name, value in row["features"].items()} for row in rows[:51]
    ]
    assert found[51:] == [{"name49": ["text"]}, {"known": ["?"]}]


def test_no_chunk_has_more_columns_than_a_message_has_room_for() -> None:
    """Events are cut in halves before columns are made of them; alone each makes those it has."""
    book = ShapeBook({})
    names = [[f"word{row}_{place}" for place in range(100)] for row in range(ROWS)]
    names.append([f"w{place}" for place in range(MAX_COLUMNS)])
    rows = [
        Row(book.find(dict.fromkeys(some)), [1.0] * len(some), 0, bytes(16), *[None] * 6) for some in names
    ]
    found = list(chunks(rows, book, lambda chunk: (chunk.rows, len(chunk.features))))
    assert sum(one[0] for one in found) == len(rows)
    assert found[-1] == (1, MAX_COLUMNS)
    assert all(8 * count * width <= UNION_BYTES for count, width in found[:-1])
