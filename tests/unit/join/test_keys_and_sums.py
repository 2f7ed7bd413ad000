"""Ids as sorted keys, and sums that never round."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftline.streams.join.exact import exact_float, exact_sum, exact_sums
from driftline.streams.join.keys import find, ids_of, keys_of, pairs, sorted_order
from driftline.streams.windows.kernel import LATENCY_BINS, compiled
from driftline.streams.windows.latency import latency_bins


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_an_exact_sum_is_fsum(values: list[float]) -> None:
    """As a float an exact sum is what `math.fsum` gives, for every finite float64, subnormal ones too."""
    total = exact_sum(np.array(values, float))
    try:
        wanted = math.fsum(values)
    except OverflowError:  # it gives up on the way where the exact sum may come back
        return
    assert exact_float(total) == wanted


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 3)), max_size=40))
def test_sums_of_groups_are_those_of_their_values(rows: list[tuple[float, int]]) -> None:
    """Each group's sum equals (`==`) that of its values alone; one without values is 0."""
    values, groups = np.array([one for one, _ in rows], float), np.array([at for _, at in rows], np.int64)
    found = exact_sums(values, groups, 4)
    assert found == [exact_sum(values[groups == at]) for at in range(4)]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.integers(0, 50))
def test_parts_of_an_exact_sum_add_up(values: list[float], cut: int) -> None:
    """A sum in two parts, either first, is the same integer."""
    whole = np.array(values, float)
    assert exact_sum(whole[cut:]) + exact_sum(whole[:cut]) == exact_sum(whole)


def test_a_sum_past_float64_is_infinite_and_comes_back() -> None:
    """Past the range the float is infinite; what is added to it later is not lost."""
    huge = exact_sum(np.full(4, 1e308))
    assert exact_float(huge) == math.inf
    assert exact_float(-huge) == -math.inf
    assert exact_float(huge - exact_sum(np.full(3, 1e308))) == 1e308


def test_keys_give_the_id_back() -> None:
    """No bit of an id is lost."""
    ids = np.random.default_rng(3).integers(0, 256, (1000, 16), dtype=np.uint8)
    assert np.array_equal(ids_of(*keys_of(ids)), ids)


def test_ids_made_to_share_one_key_are_told_apart() -> None:
    """An attacker's ids of one key are sorted, found and paired by the whole id."""
    rest = np.arange(50, dtype=np.uint64)
    ids = ids_of(np.full(50, 7, np.uint64), rest)
    key, rest = keys_of(np.concatenate([ids, ids])[np.random.default_rng(1).permutation(100)])
    assert (key == 7).all()
    order = sorted_order(key, rest)
    assert (np.diff(rest[order].astype(np.int64)) >= 0).all()
    one = order[::2]
    assert find(key[one], rest[one], key, rest).tolist() == rest.tolist()
    mine, theirs = pairs(key[one], rest[one], key[one][:10], rest[one][:10])
    assert mine.tolist() == theirs.tolist() == list(range(10))


def test_an_id_that_is_not_there_is_not_found() -> None:
    """Neither among none nor past the last."""
    none = np.zeros(0, np.uint64)
    some = np.array([5], np.uint64)
    assert find(none, none, some, some).tolist() == [-1]
    assert find(some, some, some + np.uint64(1), some).tolist() == [-1]
    assert find(some, some, some, some + np.uint64(1)).tolist() == [-1]


def test_delays_lie_in_the_bins_of_the_kernel() -> None:
    """The bins that numpy gives are those that the kernel counts latencies into, at both ends too."""
    values = np.concatenate([[0.0, 1e-9, 1e9, np.inf], np.random.default_rng(2).lognormal(3, 6, 5000)])
    sketch = np.zeros(LATENCY_BINS, np.int64)
    compiled().latency(values.astype(np.float32).view(np.int32), sketch)
    assert np.array_equal(np.bincount(latency_bins(values), minlength=LATENCY_BINS), sketch)
