"""What every distance between two rows of counts keeps, whatever the counts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.streams.stats import chi2_statistic, hellinger, js_distance, ks_bounds, psi, w1_sigma

Counts = list[int]


def ks_lower(current: Counts, reference: Counts) -> float | None:
    """Return the distance over the edges alone."""
    bounds = ks_bounds(current, reference)
    return None if bounds is None else bounds[0]


def chi2(current: Counts, reference: Counts) -> float | None:
    """Return the statistic alone; one cell has no difference."""
    found = chi2_statistic(current, reference)
    if found is None:
        return 0.0 if sum(current) and sum(reference) else None
    return found.statistic


def w1(current: Counts, reference: Counts) -> float | None:
    """Return W1 of rows that lie at the right end of their bins."""
    points = np.arange(len(current), dtype=float)
    return w1_sigma(current, current * points, reference, reference * points, points[:-1])


DISTANCES = {"psi": psi, "js": js_distance, "hellinger": hellinger, "ks": ks_lower, "chi2": chi2, "w1": w1}
HIGHEST = {"psi": 2 * math.log(1e4), "js": 1.0, "hellinger": 1.0, "ks": 1.0}

each_distance = pytest.mark.parametrize("name", DISTANCES)
cell = st.one_of(st.just(0), st.integers(0, 10), st.integers(0, 10**9))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Counts, Counts]:
    """Return two rows of counts over the same two or more cells, neither of them empty."""
    cells = draw(st.integers(2, 40))
    row = st.lists(cell, min_size=cells, max_size=cells).filter(any)
    return draw(row), draw(row)


def of(name: str) -> Callable[[Counts, Counts], float | None]:
    """Return a distance by name."""
    return DISTANCES[name]


@each_distance
@given(pair=pairs())
def test_equal_counts_are_at_distance_zero(name: str, pair: tuple[Counts, Counts]) -> None:
    """A row of counts is at distance exactly 0 from itself."""
    assert of(name)(pair[0], pair[0]) == 0


@each_distance
@given(pair=pairs())
def test_distances_are_finite_and_never_negative(name: str, pair: tuple[Counts, Counts]) -> None:
    """Each distance is a number from 0 up to its bound, empty cells or not."""
    value = of(name)(*pair)
    assert value is not None
    assert math.isfinite(value)
    assert 0 <= value <= HIGHEST.get(name, math.inf)


@each_distance
@given(pair=pairs())
def test_distances_are_symmetric(name: str, pair: tuple[Counts, Counts]) -> None:
    """It does not matter which of the two samples is the reference."""
    current, reference = pair
    assert of(name)(current, reference) == pytest.approx(of(name)(reference, current), rel=1e-9, abs=1e-12)


@each_distance
@given(pair=pairs())
def test_an_empty_sample_has_no_distance(name: str, pair: tuple[Counts, Counts]) -> None:
    """With no rows on one side the figure is None, not 0."""
    empty = [0] * len(pair[0])
    assert of(name)(empty, pair[1]) is None
    assert of(name)(pair[0], empty) is None


@each_distance
@given(pair=pairs())
def test_cells_empty_in_both_change_nothing(name: str, pair: tuple[Counts, Counts]) -> None:
    """Padding with empty cells leaves a figure as it is."""
    current, reference = pair
    if name == "w1":  # its cells lie on a line: a further one needs a further edge
        return
    padded = of(name)([*current, 0, 0], [*reference, 0, 0])
    assert padded == pytest.approx(of(name)(current, reference), rel=1e-12, abs=1e-15)


@given(
    values=st.lists(st.floats(-100, 100), min_size=1, max_size=60),
    others=st.lists(st.floats(-100, 100), min_size=1, max_size=60),
    edges=st.lists(st.floats(-100, 100), min_size=1, max_size=12, unique=True).map(sorted),
)
def test_bounds_hold_the_distances_on_raw_values(
    values: list[float], others: list[float], edges: list[float]
) -> None:
    """Binned KS lies at most its bound below the true one, and binned W1 never above the true one."""
    cuts = np.array(edges)
    bins, other_bins = np.searchsorted(cuts, values), np.searchsorted(cuts, others)
    size = len(cuts) + 1
    counts, other_counts = np.bincount(bins, minlength=size), np.bincount(other_bins, minlength=size)
    points = np.sort(np.concatenate([values, others]))
    gaps = np.searchsorted(np.sort(values), points, "right") / len(values)
    gaps = gaps - np.searchsorted(np.sort(others), points, "right") / len(others)
    true_ks, true_w1 = np.abs(gaps).max(), (np.abs(gaps[:-1]) * np.diff(points)).sum()
    bounds = ks_bounds(counts, other_counts)
    assert bounds is not None
    assert bounds[0] - 1e-12 <= true_ks <= bounds[1] + 1e-12
    sums = np.bincount(bins, weights=values, minlength=size)
    other_sums = np.bincount(other_bins, weights=others, minlength=size)
    lower = w1_sigma(counts, sums, other_counts, other_sums, cuts)
    assert lower is not None
    assert lower <= true_w1 + 1e-9
