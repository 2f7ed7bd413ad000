"""The door counts what events take in memory, and what a burst of them leaves to the process."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.door import LABELS, PREDICTIONS, Door
from driftline.agents.emit.gathering import Loose
from driftline.agents.emit.intake import Intake
from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.label_queue import LabelQueue
from driftline.agents.emit.labels import Label
from driftline.agents.emit.options import checked
from driftline.agents.emit.packed import Parcel, parcel
from driftline.agents.emit.room import Room
from driftline.agents.emit.shapes import Shape
from driftline.agents.emit.shelf import Shelf

CAP_BYTES = 1 << 20
SHAPE = Shape(tuple(f"n{at}" for at in range(25)), {})
SHELF = Shelf()


def door(cap_bytes: int = CAP_BYTES, **options: int) -> Door:
    """Give the door of an emitter whose cap in rows is never met."""
    return Door(
        checked("fraud", "1", {"buffer_bytes": cap_bytes, "buffer_events": 1_000_000, **options}),
        lambda: True,
    )


def offer(one: Door, shape: Shape = SHAPE) -> bool:
    """Offer one single event; whether it was taken."""
    return one.add(shape, (shape, {}, 0.0, b"", None, None, None, None, None, None), refuse=False)


def burst(one: Door) -> int:
    """Offer single events until one is refused; how many were taken."""
    taken = 0
    while offer(one):
        taken += 1
    return taken


def rows(size_bytes: int) -> Parcel:
    """Give rows of columns that take about so much, nearly all of it numbers."""
    count = max(1, (size_bytes - 1_100) // 32)
    column = Raw(np.zeros(count))
    return parcel(Chunk(count, np.zeros((count, 16), np.uint8), np.zeros(count, np.int64), {"a": column}))


def fill(one: Door, size_bytes: int) -> int:
    """Offer rows of columns until some are refused; how many bytes were taken."""
    taken = 0
    while one.add_parcel(ready := rows(size_bytes), SHELF, refuse=False):
        taken += ready.size_bytes
    return taken


def test_single_events_may_wait_as_objects_up_to_an_eighth() -> None:
    """Past a sixteenth of the cap callers are asked to pack, past an eighth nothing more waits as objects."""
    one = door()
    while not one.is_loose:
        assert offer(one)
    assert len(one.rows) == pytest.approx(CAP_BYTES / 16 / SHAPE.loose_bytes, abs=1)
    assert len(one.rows) + burst(one) == CAP_BYTES // 8 // SHAPE.loose_bytes


def test_what_is_packed_makes_room_for_more() -> None:
    """Events that were taken to be packed count on until they are back, then as what they take on a shelf."""
    one = door()
    burst(one)
    before = one.buffer_bytes
    loose = Loose()
    one.take_loose(loose)
    assert loose.rows
    assert one.is_packing
    assert one.has_rows
    assert one.buffer_bytes == before
    assert not offer(one)
    packed = rows(4_096).laid(SHELF)
    one.packed(loose, [packed])
    assert not one.is_packing
    assert one.buffer_bytes == before - loose.size_bytes + packed.size_bytes + packed.layout.size_bytes
    again = rows(4_096).laid(SHELF)
    one.packed(Loose(), [again])
    assert one.buffer_bytes == before - loose.size_bytes + 2 * packed.size_bytes + packed.layout.size_bytes
    assert offer(one)


def test_nothing_is_packed_while_someone_waits_for_all() -> None:
    """What a caller has taken to pack cannot be sealed: during a flush callers take nothing."""
    one = door()
    burst(one)
    one.let_pack(may=False)
    loose = Loose()
    one.take_loose(loose)
    assert loose == Loose()
    one.let_pack(may=True)
    one.take_loose(loose)
    assert loose.rows


def test_an_interrupt_among_the_events_that_are_taken_loses_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were taken by then are told as lost, and the books hold what still waits."""

    def cut(queue: Any, _most: int, found: list[Any]) -> None:
        found += [queue.popleft() for _ in range(10)]
        raise KeyboardInterrupt

    monkeypatch.setattr("driftline.agents.emit.door.take_piece", cut)
    one = door()
    offered = burst(one)
    loose = Loose()
    with pytest.raises(KeyboardInterrupt):
        one.take_loose(loose)
    one.packed(loose, [])
    with one.lock:
        book = one.books()[PREDICTIONS]
    assert (book.enqueued, book.in_flight, book.dropped, book.balance) == (
        offered,
        offered - 10,
        {"invalid": 10},
        0,
    )


def test_an_interrupt_as_events_are_taken_to_be_packed_leaves_nothing_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C just behind it: nothing counts as being packed for ever, which a flush would wait for; books balance."""
    one = door()
    taken = burst(one)
    take_loose = one.take_loose

    def interrupted(*args: Any) -> None:
        take_loose(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(one, "take_loose", interrupted)
    life: Any = SimpleNamespace(door=one, shelf=SHELF)
    with pytest.raises(KeyboardInterrupt):
        Intake(checked("fraud", "1", {}), time.time)._pack_some(life)
    assert not one.is_packing
    book = one.books()["predictions"]
    assert (book.balance, book.enqueued) == (0, taken)


def test_a_burst_counts_on_when_it_is_sealed() -> None:
    """What a burst took stays with the process, so that less may wait beside it; the next has its room."""
    one = door()
    burst(one)
    while one.rows:
        one.take_rows(500)
    one.sealed(1)
    free_bytes = CAP_BYTES - CAP_BYTES // 8 - CAP_BYTES // 16 - CAP_BYTES // 48
    assert not one.add_parcel(rows(free_bytes + 4_096), SHELF, refuse=False)
    assert one.add_parcel(rows(free_bytes - 4_096), SHELF, refuse=False)
    again = burst(one)
    assert again >= 10, "without it there is room for one"


def test_each_thread_counts() -> None:
    """The allocator keeps something for each thread that brings events: so much less may wait."""
    room = Room(checked("fraud", "1", {"buffer_bytes": CAP_BYTES}))
    room.waiting_bytes = room.tight_bytes = 1
    assert room.fits(0, CAP_BYTES * 29 // 32 - CAP_BYTES // 48, 0)
    assert not room.fits(0, CAP_BYTES * 30 // 32 - CAP_BYTES // 48, 0)
    room._threads.update(range(16))
    assert not room.fits(0, CAP_BYTES * 29 // 32 - 10 * CAP_BYTES // 48, 0)


def test_whatever_was_held_a_quarter_is_free() -> None:
    """However much lies idle, of a burst, of threads and of Kafka's client, a quarter of the cap takes new rows."""
    one = door()
    burst(one)
    while one.rows:
        one.take_rows(500)
    one.sealed(0)
    one.settle(1_000_000, 1, CAP_BYTES)
    assert one.limit > CAP_BYTES // 16 // SHAPE.row_bytes, "what the burst has left is taken again"
    assert not one.add_parcel(rows(CAP_BYTES // 4 + 4_096), SHELF, refuse=False)
    assert one.add_parcel(rows(CAP_BYTES // 4 - 4_096), SHELF, refuse=False)


def test_events_as_large_as_half_the_cap_come_in_one_by_one() -> None:
    """What one large event has left is taken by the next, while the first is on its way."""
    wide = Shape(tuple(f"n{at}" for at in range(4_000)), {})
    assert CAP_BYTES / 4 < wide.row_bytes < CAP_BYTES / 2
    one = door(CAP_BYTES // 2)
    for on_its_way in range(20):
        assert offer(one, wide)
        assert len(one.take_rows(1)) == 1
        one.sealed(1 + on_its_way)


def test_what_was_taken_counts_until_it_is_sealed() -> None:
    """Events that are being sealed are in memory, and counted, until the sender says what it holds instead."""
    one = door()
    for _ in range(10):
        assert offer(one)
    before = one.buffer_bytes
    one.take_rows(10)
    assert one.buffer_bytes == before > 0
    one.sealed(7)
    assert one.buffer_bytes == 7


def test_what_was_taken_leaves_no_room_for_more() -> None:
    """Events that left the queue for a batch are held on: as many fewer may wait."""
    one = door(buffer_events=20)
    one.settle(1_000, 0, 0)
    for _ in range(20):
        assert offer(one)
    assert one.limit == len(one.rows) == 20
    one.take_rows(12)
    assert one.limit == len(one.rows) == 8
    one.sealed(1_000)
    assert one.limit == 8


def test_rows_of_columns_fill_the_cap() -> None:
    """Packed rows may take all of the cap but what sealing and a thread need, and count until they are sealed."""
    one = door()
    taken = fill(one, 16_384)
    assert taken > CAP_BYTES * 0.88
    taken += rows(1).layout.size_bytes  # the names count once
    assert one.buffer_bytes == taken
    sizes = 0
    while (some := one.take_gathered(0.0) or one.take_gathered(float("inf"))) is not None:
        sizes += some.done_bytes
        assert one.buffer_bytes == taken - sizes + some.done_bytes
        one.sealed(0)
    assert sizes == taken
    assert one.buffer_bytes == 0


def test_labels_are_taken_as_far_as_there_is_room() -> None:
    """Of labels that come together and do not all fit, the first are taken, and each of the rest is refused."""
    one = door(buffer_events=100)
    one.add_labels([Label(bytes(16), None, at, 1.0) for at in range(64)])
    one.add_labels([Label(bytes(16), None, at, 1.0) for at in range(64, 128)])
    with one.lock:
        book = one.books()[LABELS]
    assert (book.enqueued, book.in_flight, book.dropped) == (128, 100, {"buffer_full": 28})
    assert [label.known_at_ms for label in one.take_labels(1_000)] == list(range(100))


def test_packed_labels_come_back_in_their_order() -> None:
    """Labels are what they were when they had to be packed, and of less size; the room is told of every byte."""
    room = Room(checked("fraud", "1", {}))
    queue = LabelQueue(room, 100)
    labels = [
        Label(bytes(16), f"order {at}" if at % 2 else None, at, ("yes", 1.5, None)[at % 3])
        for at in range(350)
    ]
    queue.add(labels, sum(label.size_bytes for label in labels))
    before = room.waiting_bytes
    for _ in range(4):
        queue.pack(SHELF)
    assert room.waiting_bytes < before / 3
    found: list[Label] = []
    while queue.rows:
        found += queue.take(100)
    assert found == labels
    assert (room.waiting_bytes, room.tight_bytes) == (0, 0)
