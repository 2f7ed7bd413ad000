"""Promise P2: the figures of a window equal those that scipy and plain numpy give on the raw rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from driftline.streams.stats import Comparison, compare

REL = 1e-9
Values = NDArray[np.float64]
Pair = tuple[Values, Values]


def rng() -> np.random.Generator:
    """Return the generator of every case."""
    return np.random.default_rng(20130101)


def with_gaps(values: Values, *strange: float) -> Values:
    """Put strange values into every hundredth place."""
    values = values.copy()
    for at, value in enumerate(strange):
        values[at::100] = value
    return values


CASES: dict[str, Callable[[], Pair]] = {
    "shifted": lambda: (rng().normal(0, 1, 9_000), rng().normal(0.3, 1.2, 4_000)),
    "skewed": lambda: (rng().lognormal(0, 2, 9_000), rng().lognormal(0.2, 2, 3_000)),
    "ties": lambda: (
        rng().integers(0, 7, 5_000).astype(float),
        rng().integers(1, 9, 900).astype(float),
    ),
    "zeros and a tail": lambda: (
        np.where(rng().random(6_000) < 0.6, 0.0, rng().exponential(3, 6_000)),
        np.where(rng().random(2_000) < 0.4, 0.0, rng().exponential(4, 2_000)),
    ),
    "tenths": lambda: (
        np.round(rng().normal(20, 5, 8_000), 1),
        np.round(rng().normal(22, 5, 3_000), 1),
    ),
    "constant": lambda: (np.full(4_000, 3.25), np.full(700, 3.25)),
    "constant that moved": lambda: (np.full(4_000, 3.25), np.full(700, 4.5)),
    "NaN and infinities": lambda: (
        with_gaps(rng().normal(0, 1, 9_000), math.nan, math.inf),
        with_gaps(rng().normal(0.2, 1, 4_000), math.nan, math.inf, -math.inf),
    ),
    "integers past 2**24": lambda: (
        (2**24 + rng().integers(0, 50, 5_000)).astype(float),
        (2**24 + rng().integers(5, 60, 2_000)).astype(float),
    ),
    "one row": lambda: (rng().normal(0, 1, 3_000), np.array([0.5])),
    "far outside": lambda: (rng().normal(0, 1, 3_000), rng().normal(1e6, 1, 500)),
    "one reference row": lambda: (np.array([1.0]), rng().normal(0, 1, 500)),
}
each_case = pytest.mark.parametrize("name", CASES)


def as_they_travel(found: Comparison, pair: Pair) -> Pair:
    """Return the finite values of a case in the width that the profile chose."""
    dtype = found.profile.column("x").dtype
    reference, current = (values[np.isfinite(values)].astype(dtype) for values in pair)
    return reference, current


def decile_counts(reference: Values, current: Values) -> tuple[list[int], list[int]]:
    """Count both samples in right-closed bins between the distinct deciles of the reference."""
    edges = [-math.inf, *sorted(set(np.quantile(reference, np.arange(1, 10) / 10).tolist())), math.inf]
    bins = list(itertools.pairwise(edges))
    old, new = ([int(((v > low) & (v <= high)).sum()) for low, high in bins] for v in (reference, current))
    return old, new


def plain_psi(reference: list[int], current: list[int]) -> float:
    """PSI of two rows of counts, term by term."""
    total = 0.0
    for r, c in zip(reference, current, strict=True):
        q, p = max(r / sum(reference), 1e-4), max(c / sum(current), 1e-4)
        total += (p - q) * math.log(p / q)
    return total


def plain_pooled(reference: list[int], current: list[int]) -> list[tuple[int, int]]:
    """Join cells, fewest rows first, until each expects five rows in both samples."""
    n, m = sum(current), sum(reference)
    waiting = sorted(zip(current, reference, strict=True), key=sum)
    pooled: list[tuple[int, int]] = []
    held = (0, 0)
    for cell in waiting:
        held = (held[0] + cell[0], held[1] + cell[1])
        if min(n, m) / (n + m) * sum(held) >= 5 - 1e-9:
            pooled.append(held)
            held = (0, 0)
    if pooled:
        pooled[-1] = (pooled[-1][0] + held[0], pooled[-1][1] + held[1])
    return pooled


@each_case
def test_psi_js_and_hellinger_equal_the_batch_formulas(name: str) -> None:
    """On the deciles of the reference, PSI, Jensen-Shannon and Hellinger agree to 1e-9."""
    pair = CASES[name]()
    found = compare({"x": pair[0]}, {"x": pair[1]})
    reference, current = decile_counts(*as_they_travel(found, pair))
    q, p = np.array(reference) / sum(reference), np.array(current) / sum(current)
    assert found.figure("x", "psi").value == pytest.approx(plain_psi(reference, current), rel=REL, abs=1e-15)
    assert found.figure("x", "js").value == pytest.approx(jensenshannon(p, q, base=2), rel=REL, abs=1e-8)
    true_hellinger = math.sqrt(max(1 - float(np.sqrt(p * q).sum()), 0))
    assert found.figure("x", "hellinger").value == pytest.approx(true_hellinger, rel=1e-7, abs=1e-7)
    gaps = np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / math.sqrt(2)
    assert found.figure("x", "hellinger").value == pytest.approx(gaps, rel=REL, abs=1e-15)


@each_case
def test_chi_squared_equals_scipys_on_pooled_cells(name: str) -> None:
    """Chi-squared equals chi2_contingency without correction; with one cell left it is undefined."""
    pair = CASES[name]()
    found = compare({"x": pair[0]}, {"x": pair[1]})
    pooled = plain_pooled(*decile_counts(*as_they_travel(found, pair)))
    value = found.figure("x", "chi2").value
    if len(pooled) < 2:
        assert value is None
    else:
        expected = chi2_contingency(np.array(pooled).T, correction=False).statistic
        assert value == pytest.approx(expected, rel=REL)


@each_case
def test_the_exact_ks_lies_inside_its_bounds(name: str) -> None:
    """D of ks_2samp on the raw rows lies between ks and ks_upper."""
    pair = CASES[name]()
    found = compare({"x": pair[0]}, {"x": pair[1]})
    reference, current = as_they_travel(found, pair)
    exact = ks_2samp(reference, current, method="asymp").statistic
    lower, upper = found.figure("x", "ks").value, found.figure("x", "ks_upper").value
    assert lower is not None
    assert upper is not None
    assert lower - 1e-12 <= exact <= upper + 1e-12
    if name in {"ties", "constant", "constant that moved", "integers past 2**24"}:
        assert exact == pytest.approx(lower, abs=1e-12), "values with bins of their own leave nothing open"


@each_case
def test_w1_is_a_close_lower_bound(name: str) -> None:
    """W1/sigma is at most scipy's distance over the reference's deviation, and close to it."""
    pair = CASES[name]()
    found = compare({"x": pair[0]}, {"x": pair[1]})
    reference, current = (values.astype(np.float64) for values in as_they_travel(found, pair))
    value = found.figure("x", "w1_sigma").value
    if reference.std() == 0:
        assert value is None, "a constant reference has no sigma"
        return
    exact = wasserstein_distance(reference, current) / reference.std()
    assert value is not None
    assert value <= exact * (1 + 1e-9) + 1e-9
    assert value == pytest.approx(exact, rel=0.02, abs=0.02)


@each_case
def test_the_mean_moved_by_what_numpy_says(name: str) -> None:
    """mean_sigma is the difference of the means over the reference's deviation; a constant has none."""
    pair = CASES[name]()
    found = compare({"x": pair[0]}, {"x": pair[1]})
    reference, current = (values.astype(np.float64) for values in as_they_travel(found, pair))
    value = found.figure("x", "mean_sigma").value
    if reference.std() == 0:
        assert value is None
        return
    exact = (current.mean() - reference.mean()) / reference.std()
    assert value == pytest.approx(exact, rel=1e-9, abs=1e-9)


def levels_case() -> tuple[list[str], list[str]]:
    """Return 300 levels in the reference; the current rows add 20 that it never had."""
    make = rng()
    shares = 1 / np.arange(1, 301)
    reference = make.choice(300, 20_000, p=shares / shares.sum())
    current = np.concatenate([make.choice(300, 5_000), make.integers(1_000, 1_020, 250)])
    return [f"level {code}" for code in reference], [f"level {code}" for code in current]


def level_counts(reference: list[str], current: list[str]) -> tuple[list[int], list[int]]:
    """Count the 200 most frequent levels, the rest of the reference, and what it never had."""
    names, counts = np.unique(reference, return_counts=True)
    order = sorted(range(len(names)), key=lambda at: (-counts[at], names[at]))
    kept = [str(names[at]) for at in order[:200]]
    rest = set(map(str, names)) - set(kept)
    rows = []
    for values in (reference, current):
        own = [values.count(level) for level in kept]
        other = sum(value in rest for value in values)
        rows.append([*own, other, len(values) - sum(own) - other])
    return rows[0], rows[1]


def test_three_hundred_levels_and_unseen_ones_equal_the_batch_formulas() -> None:
    """Levels past 200 count as other, new ones as unseen; PSI, JS and chi-squared agree to 1e-9."""
    pair = levels_case()
    found = compare({"x": pair[0]}, {"x": pair[1]})
    reference, current = level_counts(*pair)
    q, p = np.array(reference) / sum(reference), np.array(current) / sum(current)
    assert current[-1] == 250
    assert found.figure("x", "psi").value == pytest.approx(plain_psi(reference, current), rel=REL)
    assert found.figure("x", "js").value == pytest.approx(jensenshannon(p, q, base=2), rel=REL)
    expected = chi2_contingency(np.array(plain_pooled(reference, current)).T, correction=False).statistic
    assert found.figure("x", "chi2").value == pytest.approx(expected, rel=REL)
    assert found.figure("x", "unseen").value == pytest.approx(250 / 5_250, rel=REL)


def test_an_empty_window_has_no_figures_and_no_verdict() -> None:
    """Without rows every figure is undefined, None and not 0, and every verdict inconclusive."""
    found = compare({"x": rng().normal(size=900), "c": ["a", "b"] * 450}, {"x": np.zeros(0), "c": []})
    judged = [figure for figure in found.figures if figure.kind != "rows"]
    assert {figure.value for figure in judged} == {None}
    assert {figure.verdict for figure in judged if figure.verdict} == {"inconclusive"}


def test_nulls_and_strange_values_are_counted_apart() -> None:
    """Nulls, NaN with infinities, and values outside the range have shares of their own."""
    reference = rng().normal(size=5_000).astype(object)
    current = rng().normal(size=1_000).astype(object)
    current[:30], current[30:70], current[70:90] = None, math.nan, math.inf
    current[90:190] = 99.0
    found = compare({"x": reference}, {"x": current})
    assert found.figure("x", "nulls").value == pytest.approx(30 / 1_000)
    assert found.figure("x", "nonfinite").value == pytest.approx(60 / 1_000)
    assert found.figure("x", "out_of_range").value == pytest.approx(100 / 910)


def test_the_bound_is_tight_where_bins_hold_one_value() -> None:
    """Of few whole numbers every bin is one value, so nothing is hidden in it: ks, ks_upper and D are one number."""
    draw = np.random.default_rng(5)
    old, new = draw.integers(0, 6, 4_000).astype(float), draw.integers(1, 7, 3_000).clip(max=5).astype(float)

    found = compare({"x": old}, {"x": new})

    lower, upper = found.figure("x", "ks").value, found.figure("x", "ks_upper").value
    assert lower == upper == pytest.approx(ks_2samp(old, new).statistic, abs=1e-12)
