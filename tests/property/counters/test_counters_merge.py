"""Counters are a commutative group: parts merge into the whole, and what is taken out was never there."""

from __future__ import annotations

import contextlib
import functools

import numpy as np
import pytest
from counting import batch, profile_of
from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.shapes import Gap, PredictionColumns
from driftline.streams.windows.counters import Counters, CountersError
from driftline.streams.windows.layout import Layout

ROWS = 40
FULL = slice(None)


@functools.cache
def layout() -> Layout:
    """Return the layout of a profile with every role."""
    return Layout(profile_of(make_batch(np.random.default_rng(1), 300)))


def make_batch(rng: np.random.Generator, rows: int) -> PredictionColumns:
    """Make a batch with every kind of column and of trouble: gaps, NaN, infinities, far values, new levels."""
    x = rng.normal(size=rows) * rng.choice([1, 1e4, 1e9], rows)
    x[rng.random(rows) < 0.1] = np.nan
    x[rng.random(rows) < 0.05] = -np.inf
    nulls = rng.random(rows) < 0.1
    x[nulls] = np.nan
    levels = np.array(["a", "b", "c", "d", None], object)
    return batch(
        {"x": x, "n": rng.integers(0, 4, rows).astype(float)},
        {"c": rng.choice(levels, rows).tolist()},
        dtype=str(rng.choice(["float32", "float64"])),
        gaps=[Gap("x", nulls, None)],
        scores={"p": rng.beta(1, 8, rows)},
        predicted=rng.choice(["no", "yes"], rows).tolist(),
        segments={"region": rng.choice(["eu", "us"], rows).tolist()},
        latency_ms=rng.lognormal(3, 1, rows).tolist() if rng.random() < 0.5 else None,
        status=rng.choice(["ok", "error", "odd"], rows).tolist() if rng.random() < 0.5 else None,
        times_ms=rng.integers(0, 10**12, rows),
    )


def batches() -> st.SearchStrategy[PredictionColumns]:
    """Batches by seed and size."""
    return st.builds(
        lambda seed, rows: make_batch(np.random.default_rng(seed), rows),
        st.integers(0, 2**32),
        st.integers(1, ROWS),
    )


def counted(*parts: PredictionColumns) -> Counters:
    """Fold batches into new counters."""
    counters = Counters(layout())
    for cols in parts:
        counters.fold(cols)
    return counters


def merged(*parts: Counters) -> Counters:
    """Merge counters into new ones."""
    total = Counters(layout())
    for part in parts:
        total.merge(part)
    return total


@given(batches(), batches(), batches())
def test_merge_is_associative_and_commutative(
    a: PredictionColumns, b: PredictionColumns, c: PredictionColumns
) -> None:
    """(a + b) + c == a + (b + c) == c + b + a == the three folded into one."""
    one, two, three = counted(a), counted(b), counted(c)
    left = merged(merged(one, two), three)
    right = merged(one, merged(two, three))
    assert left == right == merged(three, two, one) == counted(a, b, c)
    times = np.concatenate([a.times_ms, b.times_ms, c.times_ms])
    for total in (left, right):
        assert (total.first_ms, total.last_ms) == (times.min(), times.max())


@given(batches())
def test_empty_counters_are_the_identity(cols: PredictionColumns) -> None:
    """Merging empty counters, from either side, changes nothing."""
    one = counted(cols)
    assert merged(one, Counters(layout())) == merged(Counters(layout()), one) == one


@given(batches(), batches())
def test_retract_undoes_merge(a: PredictionColumns, b: PredictionColumns) -> None:
    """What is merged and retracted was never there, and retracting all leaves nothing."""
    total = counted(a, b)
    total.retract(counted(b))
    assert total == counted(a)
    total.retract(counted(a))
    assert total == Counters(layout())
    assert total.first_ms is None


@given(batches(), st.randoms(use_true_random=False))
def test_order_and_cut_of_rows_do_not_matter(cols: PredictionColumns, random: object) -> None:
    """Rows folded in any order, in any two parts, give the counters of the whole batch."""
    order = np.arange(cols.rows)
    random.shuffle(order)  # type: ignore[attr-defined]
    cut = random.randint(0, cols.rows)  # type: ignore[attr-defined]
    parts = Counters(layout())
    parts.fold(cols, order[:cut])
    parts.fold(cols, order[cut:])
    slices = Counters(layout())
    slices.fold(cols, slice(cut, None))
    slices.fold(cols, slice(0, cut))
    assert parts == slices == counted(cols)


@given(batches())
def test_bytes_round_trip(cols: PredictionColumns) -> None:
    """Bytes read back are equal, times included, and pack to the same bytes."""
    one = counted(cols)
    again = Counters.from_bytes(layout(), one.to_bytes())
    assert again == one
    assert (again.first_ms, again.last_ms) == (one.first_ms, one.last_ms)
    assert again.to_bytes() == one.to_bytes()


@given(batches(), st.integers(0, 10**6), st.integers(1, 255))
def test_damaged_bytes_are_refused_or_read(cols: PredictionColumns, at: int, change: int) -> None:
    """One changed byte never breaks the reader: it gives counters, or says that the bytes are damaged."""
    data = bytearray(counted(cols).to_bytes())
    data[at % len(data)] ^= change
    with contextlib.suppress(CountersError):
        assert isinstance(Counters.from_bytes(layout(), bytes(data)), Counters)


def test_counters_of_another_profile_are_not_added() -> None:
    """Merging, retracting and reading counters of another profile raise."""
    other = Counters(Layout(profile_of(batch({"x": [1.0]}))))
    mine = Counters(layout())
    for attempt in (mine.merge, mine.retract):
        with pytest.raises(CountersError, match="do not add up"):
            attempt(other)
    with pytest.raises(CountersError, match="counted against profile"):
        Counters.from_bytes(layout(), other.to_bytes())
    assert mine != other


@given(batches())
def test_a_copy_changes_apart(cols: PredictionColumns) -> None:
    """Folding into a copy leaves the original as it was."""
    one = counted(cols)
    twin = one.copy()
    assert twin == one
    twin.fold(cols)
    assert one == counted(cols)
    assert twin == counted(cols, cols)


def test_sums_do_not_overflow_where_every_term_is_the_largest_fast_one() -> None:
    """300,000 terms just under 64 units, in batches across the normalisation, add up as Python's integers do."""
    profile = profile_of(batch({"x": [-1.0, 1.0]}))
    counters = Counters(Layout(profile))
    cols = batch({"x": np.full(50_000, 63.9)})
    for _ in range(6):
        counters.fold(cols)
    whole = Counters(Layout(profile))
    whole.fold(batch({"x": np.full(300_000, 63.9)}))
    assert counters == whole
    term = round(float(np.float32(63.9)) * 2**40)
    assert sum(counters.column("x").exact_sums) == 300_000 * term
