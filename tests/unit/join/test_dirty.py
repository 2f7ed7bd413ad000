"""What came too late for memory is kept within bounds, and let go once it is restated."""

from __future__ import annotations

from driftline.streams.join.dirty import SINGLE_MAX, Offsets


def test_offsets_past_the_bound_become_a_span() -> None:
    """However many records hold missed labels, the state stays small, and none of them falls out."""
    offsets = Offsets()
    offsets.add(range(0, 2 * SINGLE_MAX, 2))
    assert (len(offsets.single), offsets.span) == (SINGLE_MAX, None)
    offsets.add([9])
    assert (offsets.single, offsets.span) == (set(), (0, 2 * SINGLE_MAX - 2))
    offsets.add([3 * SINGLE_MAX])
    assert Offsets.from_list(offsets.to_list()) == offsets
    assert bool(offsets)


def test_offsets_that_came_meanwhile_stay() -> None:
    """What lies behind the position of a restatement awaits the next one."""
    offsets = Offsets({3, 8}, (1, 12))
    begun = offsets.copy()
    offsets.add([9])
    offsets.restated(8)
    assert offsets == Offsets({9}, (9, 12))
    assert begun == Offsets({3, 8}, (1, 12))
    offsets.restated(12)
    assert offsets == Offsets()
    assert not offsets
