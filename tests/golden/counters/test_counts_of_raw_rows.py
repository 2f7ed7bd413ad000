"""P2: what is counted in a stream equals what numpy and Python count of the raw rows, to the last row."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from counting import batch, expected_counts, expected_sums, profile_of

from driftline.streams.windows.counters import Counters
from driftline.streams.windows.layout import Layout

RNG = np.random.default_rng(20130101)
NUMBERS = {
    "normal": (RNG.normal(size=4000), RNG.normal(0.5, 2.0, 3000)),
    "ties": (RNG.integers(0, 7, 4000) / 4, RNG.integers(-1, 9, 3000) / 4),
    "constant": (np.full(500, 3.25), np.array([3.25, 3.25, 3.0, 4.0, np.nextafter(3.25, 4)])),
    "constant zero": (np.zeros(500), np.array([0.0, -0.0, 1e-300, -1e-300])),
    "nonfinite": (
        np.where(RNG.random(2000) < 0.1, np.nan, RNG.normal(size=2000)),
        np.array([np.nan, np.inf, -np.inf, 0.0, 1.0, np.nan, -np.inf, 5.0]),
    ),
    "nothing finite": (np.array([np.nan, np.inf, -np.inf]), np.array([1.0, np.nan, np.inf])),
    "integers past 2**24": (
        RNG.integers(2**24, 2**24 + 64, 4000).astype(float),
        RNG.integers(2**24 - 8, 2**24 + 80, 3000).astype(float),
    ),
    "integers past 2**53": (
        RNG.integers(2**53, 2**62, 999).astype(float),
        RNG.integers(0, 2**63, 999).astype(float),
    ),
    "heavy tail": (RNG.lognormal(size=4000) ** 4, RNG.lognormal(0.5, size=3000) ** 4),
    "one outlier": (np.append(RNG.normal(size=999), 1e12), np.append(RNG.normal(size=999), -1e12)),
    "denormal": (RNG.integers(0, 9, 500) * 5e-324, RNG.integers(0, 12, 500) * 5e-324),
    "greatest": (np.array([-1.7e308, 0.0, 1.7e308] * 50), np.array([1.7976931348623157e308, -1.7e308, 1.0])),
    "one reference row": (np.array([2.0]), RNG.normal(size=50)),
    "one row": (RNG.normal(size=500), np.array([0.25])),
    "float32 ties": (
        RNG.integers(0, 10, 4000).astype(float) / 10,
        RNG.integers(0, 10, 3000).astype(float) / 10,
    ),
}


@pytest.mark.parametrize("case", NUMBERS)
@pytest.mark.parametrize("width", ["float32", "float64"])
@pytest.mark.parametrize("role", ["feature", "score"])
def test_counts_and_exact_sums_are_those_of_the_raw_rows(case: str, width: str, role: str) -> None:
    """Counts and sums per bin, and every kind of nonfinite value, equal those counted value by value."""
    reference, current = NUMBERS[case]
    where = "numbers" if role == "feature" else "scores"
    profile = profile_of(batch(**{where: {"x": reference}}, dtype=width))
    counters = Counters(Layout(profile))
    cols = batch(**{where: {"x": current}}, dtype=width)
    counters.fold(cols)
    found = counters.column("x", role)
    sent = (cols.features or cols.scores)[0].values[0]
    assert found.counts.tolist() == expected_counts(found.profile, sent)
    assert found.exact_sums == expected_sums(found.profile, sent)
    travelled = sent.astype(found.profile.dtype)
    assert found.nan == np.isnan(travelled).sum()
    assert found.posinf == np.isposinf(travelled).sum()
    assert found.neginf == np.isneginf(travelled).sum()
    assert counters.rows == len(current)


@pytest.mark.parametrize("case", NUMBERS)
def test_deciles_are_numpys_on_the_values_as_they_travel(case: str) -> None:
    """PSI bins equal (e[i-1], e[i]] over numpy's default deciles, equal edges merged, for any current rows."""
    reference, current = NUMBERS[case]
    profile = profile_of(batch({"x": reference}))
    column = profile.column("x")
    with np.errstate(over="ignore"):
        then, now = reference.astype(column.dtype), current.astype(column.dtype)
    then, now = then[np.isfinite(then)], now[np.isfinite(now)]
    deciles = np.unique(np.quantile(then, np.arange(1, 10) / 10)) if len(then) else np.zeros(0)
    counters = Counters(Layout(profile))
    counters.fold(batch({"x": current}))
    for rows, found in ((then, column.psi_counts), (now, counters.column("x").psi_counts)):
        wanted = np.bincount(np.searchsorted(deciles, rows, side="left"), minlength=len(found))
        assert found.tolist() == wanted.tolist()


def test_a_sum_is_near_the_sum_of_rational_terms() -> None:
    """The exact integer differs from the sum of (v - mean) / sd in rational numbers by less than a step a row."""
    values = RNG.normal(40, 9, 2000)
    profile = profile_of(batch({"x": values}))
    column = profile.column("x")
    counters = Counters(Layout(profile))
    counters.fold(batch({"x": values}))
    mean, unit = Fraction(column.mean), Fraction(column.unit)
    exact = sum((Fraction(float(np.float32(v))) - mean) / unit for v in values) * 2**40
    assert abs(sum(counters.column("x").exact_sums) - exact) < len(values)


def test_levels_are_counted_by_name_with_other_unseen_and_null() -> None:
    """A level counts under its name whatever its code; unknown ones are unseen, None is null."""
    profile = profile_of(batch(categories={"c": ["a"] * 5 + ["b"] * 3 + [None]}))
    counters = Counters(Layout(profile))
    counters.fold(batch(categories={"c": ["new", "b", None, "b", "a", "newer"]}))
    found = counters.column("c")
    assert dict(zip([*found.profile.levels, "other", "unseen"], found.counts.tolist(), strict=True)) == {
        "a": 1,
        "b": 2,
        "other": 0,
        "unseen": 2,
    }
    assert (found.nulls, found.unseen, found.other, found.valid) == (1, 2, 0, 5)


def test_of_300_levels_200_have_a_bin_and_100_are_other() -> None:
    """The most frequent 200 levels have bins, the reference's other 100 are `other`, a new one is `unseen`."""
    names = [f"level {n:03d}" for n in range(300)]
    reference = [name for n, name in enumerate(names) for _ in range(600 - n)]
    profile = profile_of(batch(categories={"c": reference}))
    counters = Counters(Layout(profile))
    counters.fold(batch(categories={"c": [*names, "level 300"]}))
    found = counters.column("c")
    assert found.profile.levels == tuple(names[:200])
    assert found.counts.tolist() == [1] * 200 + [100, 1]
    assert found.profile.psi_counts.sum() == len(reference)


def test_an_empty_window_has_zeros_and_no_times() -> None:
    """A window without rows counts nothing and knows no time."""
    counters = Counters(Layout(profile_of(batch({"x": [1.0, 2.0]}, {"c": ["a", "b"]}))))
    counters.fold(batch({"x": [1.0]}, {"c": ["a"]}), slice(0, 0))
    assert (counters.rows, counters.first_ms, counters.last_ms) == (0, None, None)
    assert all(view.valid == 0 and sum(view.exact_sums) == 0 for view in counters.columns())


def test_the_reference_counts_as_its_profile_says() -> None:
    """Folding the reference against its own profile gives the profile's counts, sums and nulls."""
    rows = 3000
    cols = batch(
        {"x": RNG.normal(size=rows), "n": RNG.integers(0, 5, rows).astype(float)},
        {"c": RNG.choice(["a", "b", "c"], rows).tolist()},
        scores={"p": RNG.beta(1, 9, rows)},
        predicted=RNG.choice(["no", "yes"], rows).tolist(),
        segments={"region": RNG.choice(["eu", "us"], rows).tolist()},
    )
    profile = profile_of(cols)
    counters = Counters(Layout(profile))
    counters.fold(cols)
    for column in profile.columns:
        found = counters.column(column.name, column.role)
        assert found.counts.tolist() == column.counts.tolist()
        assert found.nulls == column.nulls
        if column.kind == "numeric":
            assert found.sums_hi.tolist() == column.sums_hi.tolist()
            assert found.sums_lo.tolist() == column.sums_lo.tolist()
