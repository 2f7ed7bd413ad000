"""The door counts what events take in memory, and what a burst of them leaves to the process."""

from __future__ import annotations

import numpy as np

from driftline.agents.emit.assemble import Chunk
from driftline.agents.emit.door import Door
from driftline.agents.emit.options import checked
from driftline.agents.emit.shapes import Shape

CAP_BYTES = 1 << 20
SHAPE = Shape(tuple(f"n{at}" for at in range(25)), {})


def door(cap_bytes: int = CAP_BYTES) -> Door:
    """Give the door of an emitter whose cap in rows is never met."""
    options = checked("fraud", "1", {"buffer_bytes": cap_bytes, "buffer_events": 1_000_000})
    return Door(options, lambda: True)


def burst(one: Door) -> int:
    """Offer single events until one is refused; how many were taken."""
    before = len(one.rows)
    while not one.ledgers["predictions"].book().dropped:
        one.add(SHAPE, (SHAPE, {}, 0.0, b"", None, None, None, None, None, None))
    return len(one.rows) - before


def chunk(size_bytes: int, *, is_tight: bool = False) -> Chunk:
    """Give a chunk that says it is so large."""
    none = np.zeros((1, 16), np.uint8)
    return Chunk(1, none, np.zeros(1, np.int64), {}, size_bytes=size_bytes, is_tight=is_tight)


def test_a_burst_counts_on_when_it_is_sealed() -> None:
    """What a burst took stays with the process, so that less may wait beside it; the next has its room."""
    one = door()
    taken = burst(one)
    assert taken == CAP_BYTES // SHAPE.row_bytes
    sealed = len(one.take_rows(taken)) * 100
    one.sealed(sealed)
    assert one.buffer_bytes == sealed
    tight = chunk(CAP_BYTES // 2, is_tight=True)
    assert not one.add_chunk(tight, refuse=False)
    again = 0
    while one.add_chunk(chunk(4_096), refuse=False):
        again += 4_096
    assert again > CAP_BYTES * 3 // 4 - sealed - 4_096


def test_whatever_was_held_a_quarter_is_free() -> None:
    """However much lies idle, of a burst and of Kafka's client, a quarter of the cap takes new events."""
    one = door()
    taken = burst(one)
    one.take_rows(taken)
    one.sealed(0)
    one.settle(1_000_000, 1, CAP_BYTES)
    assert one.limit > CAP_BYTES // 4 // SHAPE.row_bytes, "what the burst has left is taken again"
    assert not one.add_chunk(chunk(CAP_BYTES // 4 + 1, is_tight=True), refuse=False)
    assert one.add_chunk(chunk(CAP_BYTES // 4 - 1, is_tight=True), refuse=False)


def test_events_as_large_as_half_the_cap_come_in_one_by_one() -> None:
    """What one large event has left is taken by the next, while the first is on its way."""
    wide = Shape(tuple(f"n{at}" for at in range(4_000)), {})
    assert CAP_BYTES / 4 < wide.row_bytes < CAP_BYTES / 2
    one = door(CAP_BYTES // 2)
    for on_its_way in range(20):
        one.add(wide, (wide, {}, 0.0, b"", None, None, None, None, None, None))
        assert len(one.take_rows(1)) == 1
        one.sealed(1 + on_its_way)
    assert not one.ledgers["predictions"].book().dropped


def test_what_was_taken_counts_until_it_is_sealed() -> None:
    """Events that are being sealed are in memory, and counted, until the sender says what it holds instead."""
    one = door()
    for _ in range(10):
        one.add(SHAPE, (SHAPE, {}, 0.0, b"", None, None, None, None, None, None))
    before = one.buffer_bytes
    one.take_rows(10)
    assert one.buffer_bytes == before > 0
    one.sealed(7)
    assert one.buffer_bytes == 7


def test_what_was_taken_leaves_no_room_for_more() -> None:
    """Events that left the queue for a batch are held on: as many fewer may wait, by rows and by bytes."""
    options = checked("fraud", "1", {"buffer_events": 100})
    one = Door(options, lambda: True)
    one.settle(1_000, 0, 0)
    for _ in range(100):
        one.add(SHAPE, (SHAPE, {}, 0.0, b"", None, None, None, None, None, None))
    assert one.limit == len(one.rows) == 100
    one.take_rows(60)
    assert one.limit == len(one.rows) == 40
    one.sealed(1_000)
    assert one.limit == 40
    by_bytes = door()
    by_bytes.settle(1_000_000, 0, 0)
    taken = burst(by_bytes)
    by_bytes.take_rows(taken // 2)
    assert by_bytes.limit <= len(by_bytes.rows)


def test_a_backlog_of_chunks_is_tight() -> None:
    """Chunks past a tenth of the cap are asked to be tight while there is room, and leave nothing behind then."""
    one = door()
    size = CAP_BYTES // 32
    wanted = []
    for _ in range(31):
        wanted.append(one.wants_tight(chunk(size)))
        assert one.add_chunk(chunk(size, is_tight=wanted[-1]), refuse=False)
    assert wanted == [False] * 3 + [True] * 28
    assert one.add_chunk(chunk(size, is_tight=True), refuse=False)
    assert not one.wants_tight(chunk(size)), "there is no room at all"
    while (taken := one.take_chunk()) is not None:
        one.chunk_done(taken)
    one.sealed(8)
    assert one.buffer_bytes == 8
    assert not one.add_chunk(chunk(CAP_BYTES * 29 // 32 - 7, is_tight=True), refuse=False)
    assert one.add_chunk(chunk(CAP_BYTES * 29 // 32 - 8, is_tight=True), refuse=False)
