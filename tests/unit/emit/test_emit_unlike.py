"""Events whose names are unlike one another: each travels as it would alone, and names are not kept for ever."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emit_fakes import NOBODY, columns_of, levels_of, numbers_of, sink

from driftline.agents.emit import Emitter, kinds
from driftline.agents.emit.assemble import UNION_BYTES, chunks
from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.gathering import UNLIKE, take_piece
from driftline.agents.emit.kinds import Kinds, Raw
from driftline.agents.emit.options import checked
from driftline.agents.emit.packers import predictions_packer
from driftline.agents.emit.seal import Sealed, Sealer
from driftline.agents.emit.shapes import Row, Shape, ShapeBook
from driftline.schemas.columns import read_predictions
from driftline.schemas.names import MAX_COLUMNS

ROWS = 300


class Hostile(str):
    """A name that nobody compares."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise ValueError("compared")


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


def test_what_others_brought_is_left_out_where_a_row_fits_no_message_with_it() -> None:
    """And there alone: a null that a row was told with is one, a column that is not there would be missing."""
    long, text = [f"{'x' * 190}{place}" for place in range(400)], "x" * 900_000
    features: dict[str, list[Any]] = {"opt": [None, None, None], "text": [None, text, None]}
    features |= {name: [None, None, 1.0] for name in long}
    scores, segments = {"p": Raw([None, None, 1.0])}, {"s": Raw([None, None, "a"])}
    chunk = Chunk(
        3, np.arange(48, dtype=np.uint8).reshape(3, 16), np.zeros(3, np.int64),
        {name: Raw(values) for name, values in features.items()}, scores=scores, segments=segments,
        shapes=frozenset((Shape(("opt",), {}), Shape(("text",), {}), Shape(long, {}))),
    )  # fmt: skip
    options = checked("d", "1", {})
    sealer = Sealer("predictions", "d", "app", 1, predictions_packer(options, Kinds(options)))
    sealed = [one for one in sealer.seal(chunk, 0, 0) if isinstance(one, Sealed)]
    found = {batch.ids[0][0]: batch for batch in (read_predictions(one.payload) for one in sealed)}
    assert [(one.rows, one.seq, one.ordinal) for one in sealed] == [(1, place, place) for place in range(3)]
    assert columns_of(found[16]) == {"text": [text]}
    for row in (0, 32):
        assert columns_of(found[row])["opt"] == [None]
        assert (len(found[row].scores), len(found[row].segments)) == (1, 1)


def test_a_row_alone_has_what_it_was_told_with() -> None:
    """What none holds goes, but for features that all were told with; of whole columns nothing does."""
    shapes = [Shape(("a", "b"), {}), Shape(("a", "c"), {})]
    empty, full = (
        {"n": Raw([None]), "l": Raw([-1], levels=("x",))},
        {"p": Raw([1.0]), "m": Raw([0], levels=("x",))},
    )
    nulls = Raw(np.zeros(1), np.ones(1, np.bool_))

    def bare(shapes: list[Shape]) -> Chunk:
        features = {"a": nulls, "b": Raw([2.0]), "c": nulls}
        ids, times = np.zeros((1, 16), np.uint8), np.zeros(1, np.int64)
        return Chunk(
            1, ids, times, features, scores=empty | full, segments=empty | full, shapes=frozenset(shapes)
        ).bare()

    cut, whole = bare(shapes), bare([])
    assert [list(one) for one in (cut.features, cut.scores, cut.segments)] == [
        ["a", "b"],
        ["p", "m"],
        ["p", "m"],
    ]
    assert [len(one) for one in (whole.features, whole.scores, whole.segments)] == [3, 4, 4]


@pytest.mark.parametrize("what", ["score", "segments"])
def test_named_scores_and_segments_count_against_the_cap(what: str) -> None:
    """Thousands of names an event: what has no room is refused, as of features."""
    emitter = Emitter("d", "1", bootstrap=NOBODY, buffer_bytes=4 << 20, linger_s=5.0, kafka={"log_level": 0})
    for row in range(60):
        emitter.log({"a": 1.0}, **{what: {f"s{place}_{row}": 0.5 for place in range(MAX_COLUMNS)}})
    assert emitter.stats().dropped["buffer_full"] > 30
    emitter.close(0.0)


def test_a_piece_has_few_events_whose_names_are_unlike() -> None:
    """A caller that packs for the sender is held up for some 15 ms, whatever the names are and however many."""
    alike = deque([(None, dict.fromkeys(map(str, range(4_000))))] * 1_000)
    two = deque([(None, dict.fromkeys(map(str, range(99 + row % 2)))) for row in range(1_000)])
    unlike = deque([(None, {f"n{row}": 1.0}) for row in range(1_000)])
    wide = deque([(None, dict.fromkeys(f"n{row}_{place}" for place in range(400))) for row in range(1_000)])
    hostile = deque([(None, {Hostile("a"): 1.0}) for _ in range(1_000)])
    changes = ((unlike, UNLIKE + 1), (two, UNLIKE + 1), (wide, 5), (hostile, UNLIKE + 1))
    for rows, taken in ((alike, 600), *changes):
        found: list[tuple[Any, ...]] = []
        take_piece(rows, 600, found)
        assert (len(found), len(rows)) == (taken, 1_000 - taken)


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
