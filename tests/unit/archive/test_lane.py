"""One partition's records, and the blocks they are cut into."""

from __future__ import annotations

from driftline.streams.archive.entry import Entry
from driftline.streams.archive.lane import Lane, Limits
from driftline.streams.archive.place import Opening, Place

PLACE = Place("predictions", "life-1", 0)
LIMITS = Limits(rows=10, size_bytes=1_000, records=100, seconds=1.0)


def entry(offset: int, rows: int = 1, size_bytes: int = 10) -> Entry:
    """A record."""
    return Entry(offset, 0, size_bytes, rows)


def test_time_cuts_a_block() -> None:
    """A record waits for others at most as long as the limit says, counted from the first."""
    lane = Lane(PLACE, Opening(5, None), 0)
    lane.take(entry(5), 10.0)
    lane.take(entry(6), 10.9)
    assert lane.cut(LIMITS, 10.99) is None
    block = lane.cut(LIMITS, 11.0)
    assert block is not None
    assert (block.first, block.last, len(block.entries), block.planned) == (5, 6, 2, False)
    assert lane.cut(LIMITS, 99.0) is None


def test_rows_bytes_and_records_cut_a_block() -> None:
    """Whichever limit is met first."""
    for one, count in (
        (entry(0, rows=10), 1),
        (entry(0, size_bytes=1_000), 1),
        (entry(0, rows=0, size_bytes=0), 100),
    ):
        lane = Lane(PLACE, Opening(0, None), 0)
        for offset in range(count):
            assert lane.cut(LIMITS, 0.0) is None
            lane.take(Entry(offset, 0, one.size_bytes, one.rows), 0.0)
        assert lane.cut(LIMITS, 0.0) is not None


def test_blocks_follow_one_another_without_a_hole() -> None:
    """The next block begins where the last ended, though no record lies there."""
    lane = Lane(PLACE, Opening(0, None), 0)
    lane.take(entry(0), 0.0)
    lane.cut(LIMITS, 0.0, closing=True)
    lane.take(entry(9), 0.0)
    block = lane.cut(LIMITS, 0.0, closing=True)
    assert block is not None
    assert (block.first, block.last) == (1, 9)


def test_a_planned_block_comes_first_with_its_bounds() -> None:
    """Nothing else is cut until the planned block is complete, whatever the limits say."""
    lane = Lane(PLACE, Opening(3, 5), 0)
    assert lane.take(entry(3, rows=50), 0.0) is None
    assert lane.cut(LIMITS, 99.0, closing=True) is None
    lane.take(entry(4), 0.0)
    block = lane.take(entry(5), 0.0)
    assert block is not None
    assert (block.first, block.last, block.planned, block.token) == (3, 5, True, "life-1:0:3-5")


def test_a_record_behind_a_plan_completes_it_and_is_kept() -> None:
    """The last planned offset may hold no record: a greater one proves that it will not come."""
    lane = Lane(PLACE, Opening(3, 5), 0)
    lane.take(entry(3), 0.0)
    block = lane.take(entry(8), 0.0)
    assert block is not None
    assert (block.last, len(block.entries)) == (5, 1)
    rest = lane.cut(LIMITS, 0.0, closing=True)
    assert rest is not None
    assert (rest.first, rest.last, len(rest.entries)) == (6, 8, 1)


def test_the_end_of_the_log_completes_a_plan() -> None:
    """The same without a later record."""
    lane = Lane(PLACE, Opening(3, 5), 0)
    lane.take(entry(3), 0.0)
    assert lane.reached(5) is None
    block = lane.reached(6)
    assert block is not None
    assert block.last == 5


def test_retention_inside_a_plan_keeps_its_bounds() -> None:
    """What is left is stored under the token the block had: if it lies there whole, nothing is added."""
    lane = Lane(PLACE, Opening(3, 9), beginning=7)
    block = lane.take(entry(9), 0.0)
    assert block is not None
    assert (block.first, block.last, lane.next) == (3, 9, 10)


def test_a_record_delivered_twice_by_the_client_is_taken_once() -> None:
    """Offsets below the next one are left out."""
    lane = Lane(PLACE, Opening(0, None), 0)
    lane.take(entry(0), 0.0)
    lane.take(entry(0), 0.0)
    block = lane.cut(LIMITS, 0.0, closing=True)
    assert block is not None
    assert len(block.entries) == 1


def test_a_block_reaches_to_where_no_record_is_left() -> None:
    """Behind the last record of a transaction lies its marker: the end of the log covers it, and no lag is left."""
    lane = Lane(PLACE, Opening(0, None), 0)
    lane.take(entry(0), 0.0)
    assert lane.reached(2) is None
    block = lane.cut(LIMITS, 0.0, closing=True)
    assert block is not None
    assert (block.first, block.last, lane.first) == (0, 1, 2)
    again = Lane(PLACE, Opening(0, 1), 0)
    again.take(entry(0), 0.0)
    assert again.reached(2) == block.__class__(PLACE, 0, 1, block.entries, planned=True)
