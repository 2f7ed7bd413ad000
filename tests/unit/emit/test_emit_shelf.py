"""What waits long lies on a shelf: the same bytes, in memory that leaves the process when it is let go."""

from __future__ import annotations

import datetime as dt
import os
import threading
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from driftline.agents.emit import bulk
from driftline.agents.emit.assemble import to_columns
from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.kinds import Kinds
from driftline.agents.emit.opened import joined
from driftline.agents.emit.options import checked
from driftline.agents.emit.packed import PACKED_BYTES, parcel
from driftline.agents.emit.shelf import BLOCK_BYTES, Shelf
from driftline.schemas.columns import PredictionColumns, pack_predictions, read_predictions

MB = 1_000_000
ROWS = 60
OPTIONS = checked("fraud", "1", {"columns": {"secret": "hashed"}, "categorical": {"forced", "numpy"}})


def resident_bytes() -> int:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_memory_leaves_the_process_with_what_lay_there() -> None:
    """Of 60 MB of batches all but the last are let go, and the memory of all but it goes too."""
    shelf = Shelf()
    before = resident_bytes()
    held = [shelf.bytes_like(bytes([at % 256]) * 50_000) for at in range(1_200)]
    assert resident_bytes() - before > 55 * MB
    del held[:-1]
    assert resident_bytes() - before < 5 * MB
    assert bytes(held[0]) == bytes([1_199 % 256]) * 50_000


@pytest.mark.parametrize("size", [0, 1, 63, 64, BLOCK_BYTES // 2, BLOCK_BYTES, 3 * BLOCK_BYTES + 1])
def test_what_is_laid_stays_as_it_is(size: int) -> None:
    """Bytes of each size come back as they were, cannot be written to, and do not touch their neighbours."""
    shelf = Shelf()
    texts = [bytes([at]) * size for at in range(1, 8)]
    laid = [shelf.bytes_like(text) for text in texts]
    assert [bytes(one) for one in laid] == texts
    assert all(one.readonly for one in laid)


def test_threads_share_a_shelf() -> None:
    """Arrays that four threads lay on one shelf at once do not overlap."""
    shelf = Shelf(4_096)
    found: dict[int, list[np.ndarray]] = {number: [] for number in range(4)}

    def lay(number: int) -> None:
        for at in range(500):
            found[number].append(np.frombuffer(shelf.place(8 * (1 + at % 40)), np.int64))
            found[number][-1][:] = number * 1_000 + at

    threads = [threading.Thread(target=lay, args=(number,)) for number in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, arrays in found.items():
        for at, array in enumerate(arrays):
            assert array.tolist() == [number * 1_000 + at] * (1 + at % 40)


def chunk() -> Chunk:
    """Give columns of every kind that may wait."""
    draw = np.random.default_rng(3)
    texts = [("red", "grün", None, "blue")[at % 4] for at in range(ROWS)]
    dates = np.array(["2026-01-01", "NaT"] * (ROWS // 2), "datetime64[D]")
    columns = {
        "float": draw.random(ROWS),
        "narrow": draw.random(ROWS).astype(np.float32),
        "whole": np.arange(ROWS) + (1 << 25),
        "date": dates,
        "text": texts,
        "ascii": [f"level-{at // 20}" for at in range(ROWS)],
        "half a pair": ["\ud800" if at == 7 else "x" for at in range(ROWS)],
        "nothing": [None] * ROWS,
        "mixed": [1.5 if at % 3 else "one" for at in range(ROWS)],
        "numpy": [np.str_("x") if at % 2 else None for at in range(ROWS)],
        "great": [1 << 70 if at == 3 else at for at in range(ROWS)],
        "days": [dt.date(2026, 1, 1 + at % 9) for at in range(ROWS)],
        "some": [None if at % 4 else at / 8 for at in range(ROWS)],
        "flags": [bool(at % 2) for at in range(ROWS)],
        "secret": [f"card {at}" for at in range(ROWS)],
        "forced": list(range(ROWS)),
        "strided": draw.random((ROWS, 3))[:, 1],
    }
    facts = bulk.Facts(
        predicted=["yes", "no"] * (ROWS // 2),
        latency_ms=draw.random(ROWS),
        status="ok",
        segments={"region": texts},
        ids=[f"order-{at}" for at in range(ROWS)],
        at=1_700_000_000_000,
    )
    source = bulk.source_of(columns, None, draw.random(ROWS), facts, OPTIONS, lambda: 0)
    return source.cut(0, ROWS)


@pytest.mark.parametrize("cuts", [(0, ROWS), (0, 25, ROWS), (0, 1, 2, 30, ROWS)])
def test_packed_rows_are_sealed_as_loose_ones(cuts: tuple[int, ...]) -> None:
    """Columns of every kind travel as they came, whether they waited on a shelf or not, by one call or by several."""
    loose = chunk()
    packed = [parcel(loose.part(start, stop)).laid(Shelf()).opened() for start, stop in pairwise(cuts)]
    sealed = [pack_predictions(to_columns(one, OPTIONS, Kinds(OPTIONS))) for one in (loose, joined(packed))]
    assert values(read_predictions(sealed[0])) == values(read_predictions(sealed[1]))


def test_what_is_known_lies_on_the_shelf() -> None:
    """Numbers and texts of every type are packed; dates, which are neither, stay objects."""
    packed = parcel(chunk()).laid(Shelf())
    names = [name for group in packed.layout for name in group]
    assert [names[at] for at in packed.rest] == ["days"]


@pytest.mark.parametrize("stop", [1, 25, ROWS])
def test_packed_rows_can_be_cut(stop: int) -> None:
    """A part of packed rows is that part of what was packed."""
    loose = chunk()
    part = joined([parcel(loose).laid(Shelf()).opened().part(stop // 2, stop)])
    sealed = [
        pack_predictions(to_columns(one, OPTIONS, Kinds(OPTIONS)))
        for one in (loose.part(stop // 2, stop), part)
    ]
    assert values(read_predictions(sealed[0])) == values(read_predictions(sealed[1]))


@pytest.mark.parametrize("rows", [1, 33])
@pytest.mark.parametrize("columns", [1, 20])
@pytest.mark.parametrize("kind", ["numbers", "texts", "gaps", "dates"])
def test_packed_rows_count_with_their_objects(rows: int, columns: int, kind: str) -> None:
    """However few they are, packed rows take no more memory than they are counted as, objects included."""
    made: dict[str, Any] = {
        "numbers": np.zeros(rows),
        "texts": ["text"] * rows,
        "gaps": np.ma.MaskedArray(np.zeros(rows), mask=np.ones(rows, np.bool_)),
        "dates": [dt.date(2026, 1, 1)] * rows,
    }
    source = bulk.source_of(
        {f"c{at}": made[kind] for at in range(columns)}, None, None, {}, OPTIONS, lambda: 1
    )
    heap = Shelf()
    heap.place = lambda size_bytes: memoryview(bytearray(size_bytes))  # type: ignore[method-assign]
    tracemalloc.start()
    try:
        packed = [parcel(source.cut(0, rows)).laid(heap) for _ in range(100)]
        taken_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken_bytes <= sum(one.size_bytes for one in packed)
    assert all(one.loose_bytes >= PACKED_BYTES for one in packed)


def values(cols: PredictionColumns) -> dict[str, list[object]]:
    """Every value by column; levels as texts, for their order tells nothing."""
    single = [one for one in (cols.predicted, cols.status) if one is not None]
    found: dict[str, list[object]] = {
        one.name: [None if code < 0 else one.levels[code] for code in one.codes.tolist()]
        for one in (*cols.categories, *cols.segments, *single)
    }
    for block in (*cols.features, *cols.scores):
        for name, row in zip(block.names, block.values, strict=True):
            found[name] = [repr(value) for value in row.tolist()]
    found["ids"] = [bytes(one) for one in cols.ids]
    return found
