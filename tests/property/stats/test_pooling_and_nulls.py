"""What pooling and the null thresholds keep, whatever the counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.streams.stats.nulls import iid_null, moving_blocks, own_windows, threshold_of
from driftline.streams.stats.pooling import ENOUGH, pool

rows = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 500)), min_size=1, max_size=60)


@given(cells=rows)
def test_pooling_keeps_every_row(cells: list[tuple[int, int]]) -> None:
    """Totals of both samples are the same before and after pooling."""
    current, reference = np.array(cells).T
    pooled = pool(current, reference)
    assert pooled.current.sum() == current.sum()
    assert pooled.reference.sum() == reference.sum()


@given(cells=rows)
def test_every_pooled_cell_expects_enough(cells: list[tuple[int, int]]) -> None:
    """Each of several pooled cells expects at least five rows in the smaller sample."""
    current, reference = np.array(cells).T
    pooled = pool(current, reference)
    if pooled.cells > 1:
        totals = pooled.current + pooled.reference
        expected = totals * min(current.sum(), reference.sum()) / totals.sum()
        assert expected.min() >= ENOUGH * (1 - 1e-12)


@given(cells=rows, shuffle=st.randoms(use_true_random=False))
def test_pooling_does_not_know_the_names_of_cells(
    cells: list[tuple[int, int]], shuffle: np.random.Generator
) -> None:
    """Another order of cells of different size gives the same pooled totals."""
    distinct = list({sum(cell): cell for cell in cells}.values())
    mixed = list(distinct)
    shuffle.shuffle(mixed)
    first, second = pool(*np.array(distinct).T), pool(*np.array(mixed).T)
    assert np.array_equal(first.current + first.reference, second.current + second.reference)


@given(figures=st.lists(st.floats(0, 10), min_size=1, max_size=400), level=st.floats(0.001, 0.5))
def test_at_most_the_reported_level_of_own_windows_exceed(figures: list[float], level: float) -> None:
    """The share of the reference's own windows above the threshold is below the level it reports."""
    found = threshold_of(figures, level)
    assert found is not None
    assert np.mean(np.array(figures) > found.value) < found.level
    assert found.level <= max(level, 1 / (len(figures) + 1))


@given(figures=st.lists(st.floats(0, 10), min_size=30, max_size=300), level=st.floats(0.001, 0.05))
def test_the_tail_tells_the_same_threshold(figures: list[float], level: float) -> None:
    """The largest figures and their number give the threshold that all of them give."""
    tail = sorted(figures)[-20:]
    assert threshold_of(tail, level, len(figures)) == threshold_of(figures, level)


def test_no_windows_give_no_threshold() -> None:
    """Without a figure, or with undefined ones only, there is no threshold."""
    assert threshold_of([], 0.01) is None
    assert threshold_of([np.nan, np.nan], 0.01) is None


@pytest.mark.parametrize(("cells", "n", "m"), [(1, 10, 10), (10, 0, 10), (10, 10, 0)])
def test_nothing_to_compare_has_no_null(cells: int, n: int, m: int) -> None:
    """One cell, or an empty sample, has no iid null."""
    assert iid_null(0.01, cells, n, m) is None


def test_draws_are_the_same_for_the_same_seed() -> None:
    """Two generators of one seed draw the same windows, so that a profile built twice is the same."""
    days = np.random.default_rng(1).integers(0, 50, (40, 3, 10))
    one, two = (moving_blocks(days, 30, np.random.default_rng(7), draws=300) for _ in range(2))
    assert one.shape == (300, 3)
    assert np.array_equal(one, two)


def test_a_window_of_alike_days_is_like_the_reference() -> None:
    """When every day is the same, windows drawn from them do not differ at all."""
    days = np.tile(np.array([3, 7, 90]), (25, 1))
    assert np.abs(moving_blocks(days, 7, np.random.default_rng(0))).max() < 1e-12
    assert np.abs(own_windows(days, minimum_rows=1)).max() < 1e-12


def test_small_reference_windows_are_left_out() -> None:
    """A reference window below the minimum count sets no threshold: as small a window is not judged."""
    figures = own_windows([[500, 500], [490, 510], [0, 3]])
    assert np.isnan(figures).tolist() == [False, False, True]


def test_a_short_reference_is_refused() -> None:
    """Fewer days than a block are named in the error."""
    with pytest.raises(ValueError, match="3 reference days"):
        moving_blocks(np.ones((3, 4)), 7, np.random.default_rng(0))
