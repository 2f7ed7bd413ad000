"""Events that carry long texts are sealed, and laid down, a few at a time: each step holds them once more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from driftline.agents.emit import bulk
from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.door import Door
from driftline.agents.emit.gathering import BATCH_BYTES, Gathering
from driftline.agents.emit.intake import Intake
from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.opened import Opened
from driftline.agents.emit.options import checked
from driftline.agents.emit.packed import Parcel, parcel
from driftline.agents.emit.shapes import Shape
from driftline.agents.emit.shelf import Shelf

OPTIONS = checked("fraud", "1", {})
TEXT_CHARS = 20_000
# The fewest rows of such texts that make a batch.
FEW = -(-BATCH_BYTES // TEXT_CHARS)


def texts(rows: int, chars: int = TEXT_CHARS) -> list[str]:
    """Texts of which no two are equal."""
    return [f"{at:0{chars}d}" for at in range(rows)]


def taken_of(gathering: Gathering) -> list[list[Opened]]:
    """The parts of each batch, the last one for having waited."""
    found = []
    while (taken := gathering.take(float("inf"))) is not None:
        found.append(taken.parts)
    return found


@pytest.mark.parametrize("call_rows", [1, 7, 3 * FEW])
def test_packed_rows_with_long_texts_make_batches_of_fewer(call_rows: int) -> None:
    """A batch is full with half a MiB of texts, however many calls brought them; every row comes, in its order."""
    gathering, told = Gathering(500), 0
    made = texts(3 * FEW)
    for start in range(0, len(made), call_rows):
        some = made[start : start + call_rows]
        count = len(some)
        chunk = Chunk(count, np.zeros((count, 16), np.uint8), np.zeros(count, np.int64), {"t": Raw(some)})
        gathering.add(parcel(chunk).laid(Shelf()), 0.0)
        told += count
        assert gathering.has_batch == (told * TEXT_CHARS >= BATCH_BYTES)
    batches = taken_of(gathering)
    assert [sum(part.rows for part in parts) for parts in batches] == [FEW, FEW, FEW]
    assert [text for parts in batches for part in parts for text in part.lists[0]] == made


def test_single_events_with_long_texts_are_taken_a_few_at_a_time() -> None:
    """What is taken to be sealed holds half a MiB of texts and the event that passed it."""
    door = Door(OPTIONS, lambda: True)
    shape = Shape(("t",), {})
    for _ in range(2 * FEW):
        assert door.add(shape, (shape, {}, 0.0, b"", *[None] * 6), TEXT_CHARS)
    taken = []
    while rows := door.take_rows(500):
        taken.append(len(rows))
        door.sealed(0)
    assert taken == [FEW, FEW]


@pytest.mark.parametrize(("rows", "chars"), [(3_000, 1), (3_000, 100), (3_000, 2_000), (600, 20_000)])
def test_a_long_call_is_laid_down_in_parts_of_bounded_size(rows: int, chars: int) -> None:
    """Parts of a call are as many bytes, numbers or texts, and together all of its rows."""
    offered: list[Parcel] = []

    def add_parcel(ready: Parcel, _shelf: Shelf, *, refuse: bool) -> bool:
        offered.append(ready)
        return not refuse

    door: Any = SimpleNamespace(is_closed=False, add_parcel=add_parcel)
    columns = {"t": texts(rows, chars), "n": np.arange(float(rows))}
    intake = Intake(OPTIONS, lambda: 1.0)
    life: Any = SimpleNamespace(door=door, shelf=Shelf())
    ids = intake.pour(
        life, columns, lambda: bulk.source_of(columns, None, None, {}, OPTIONS, intake.now_ms), 0
    )
    assert max(one.size_bytes for one in offered) <= 1 << 20
    laid = [one.laid(life.shelf).opened() for one in offered]
    assert [text for one in laid for text in one.lists[0]] == columns["t"]
    assert [value for one in laid for value in one.blocks["d"][0].tolist()] == list(range(rows))
    assert np.array_equal(np.concatenate([one.ids for one in laid]), ids)
    assert len(offered) <= 3 + rows * (chars + 40) // (1 << 17)
