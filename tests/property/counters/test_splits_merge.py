"""Counts by segment values are a commutative group too, and travel as bytes without a change."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segmented import CARRIERS, reference, rows

from driftline.schemas.columns import PredictionColumns
from driftline.schemas.deployment_state import defaults
from driftline.streams.windows.counters import Counters, CountersError
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.splits import splits_of

ALL = slice(None)
SEEDS = st.integers(0, 2**32)
SIZES = st.integers(1, 60)


@functools.cache
def layout() -> Layout:
    """Return the layout of a profile with two segments."""
    return Layout(reference(2_000))


def made(seed: int, size: int) -> PredictionColumns:
    """Make a batch whose carriers the reference does not all know, and some rows of which have none."""
    return rows(seed, size, carriers=(*CARRIERS, "ZZ", None))


def counted(*parts: tuple[PredictionColumns, slice | np.ndarray]) -> Counters:
    """Fold parts of batches into new counters, by segment too."""
    counters = Counters(layout())
    for cols, some in parts:
        counters.fold(cols, some)
        counters.fold_splits(splits_of(layout(), defaults("churn")), cols, some)
    return counters


def merged(*parts: Counters) -> Counters:
    """Merge counters into new ones."""
    total = Counters(layout())
    for part in parts:
        total.merge(part)
    return total


@given(SEEDS, SIZES, st.data())
def test_any_parts_in_any_order_are_the_whole(seed: int, size: int, data: st.DataObject) -> None:
    """Cut into two anywhere, folded or merged, forwards or backwards, the counts are those of all rows at once."""
    cols = made(seed, size)
    order = np.array(data.draw(st.permutations(range(size))), np.int64)
    cut = data.draw(st.integers(0, size))
    whole = counted((cols, ALL))
    one, other = counted((cols, order[:cut])), counted((cols, order[cut:]))
    assert (
        whole == merged(one, other) == merged(other, one) == counted((cols, order[cut:]), (cols, order[:cut]))
    )
    assert whole.splits


@given(SEEDS, SEEDS, SIZES)
def test_what_is_retracted_was_never_there(first: int, second: int, size: int) -> None:
    """(a + b) - b == a, also where a has no row of a value, and a - a is empty."""
    one, other = counted((made(first, size), ALL)), counted((made(second, 7), ALL))
    total = merged(one, other)
    total.retract(other)
    assert total == one
    assert merged(one, Counters(layout())) == one == merged(Counters(layout()), one)
    total.retract(one)
    assert total == Counters(layout())
    assert total.to_bytes()[0] == 1


@given(SEEDS, SIZES)
def test_bytes_hold_all_of_it(seed: int, size: int) -> None:
    """What is read back is what was counted, and merges with it."""
    one = counted((made(seed, size), ALL))
    data = one.to_bytes()
    again = Counters.from_bytes(layout(), data)
    assert again == one
    assert again.to_bytes() == data
    assert merged(again, one) == merged(one, one)


@given(SEEDS, st.data())
def test_damaged_bytes_are_refused(seed: int, data: st.DataObject) -> None:
    """A cut or a changed byte gives a sentence or the same tables of the same shapes, never another error."""
    good = counted((made(seed, 20), ALL)).to_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[at] ^= data.draw(st.integers(1, 255))
    for bad in (good[:at], bytes(changed)):
        try:
            read = Counters.from_bytes(layout(), bad)
        except CountersError:
            continue
        assert read.table.shape == Counters(layout()).table.shape


def test_without_splits_the_bytes_are_those_of_before() -> None:
    """Nothing is paid where no segment is counted: format 1, and no byte more."""
    plain = Counters(layout())
    plain.fold(made(3, 50))
    split = counted((made(3, 50), ALL))
    assert (plain.to_bytes()[0], split.to_bytes()[0]) == (1, 2)
    assert plain != split
    assert plain.to_bytes()[37:] in split.to_bytes()
    with pytest.raises(
        CountersError, match="format 9 is not known to this release, which reads formats 1 and 2"
    ):
        Counters.from_bytes(layout(), b"\x09" + plain.to_bytes()[1:])
