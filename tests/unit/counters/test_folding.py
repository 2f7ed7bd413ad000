"""Folding: what is no plain value of a known column is counted as what it is."""

from __future__ import annotations

import numpy as np
import pytest
from counting import batch, profile_of

from driftline.schemas.columns import pack_predictions, read_predictions
from driftline.schemas.profile import Profile
from driftline.schemas.shapes import Gap, PredictionColumns
from driftline.streams.windows import counters_bytes
from driftline.streams.windows.counters import Counters, CountersError
from driftline.streams.windows.kernel import QUALITIES
from driftline.streams.windows.latency import latency_rows
from driftline.streams.windows.layout import STATUS_LEVELS, Layout
from driftline.streams.windows.plan import plan_of

REFERENCE = batch(
    {"x": np.linspace(-1, 1, 101), "y": np.linspace(0, 9, 101)}, {"c": ["a", "b", "a"] * 33 + ["a", "b"]}
)


def profile() -> Profile:
    """Build the profile of numbers x and y and category c."""
    return profile_of(REFERENCE)


def fold(cols: PredictionColumns) -> Counters:
    """Fold a batch into new counters of that profile."""
    counters = Counters(Layout(profile()))
    counters.fold(cols)
    return counters


def test_missing_columns_are_counted_by_row_and_extra_ones_by_value() -> None:
    """A batch without y and c, with a column z that the profile does not know."""
    counters = fold(batch({"x": [0.0, 0.5], "z": [1.0, 2.0]}))
    assert counters.column("y").missing == counters.column("c").missing == 2
    assert counters.column("x").missing == 0
    assert counters.extra == 2


def test_a_column_of_the_other_kind_is_of_a_wrong_type_where_it_is_not_null() -> None:
    """Numbers where levels belong, and levels where numbers belong."""
    nulls = np.array([True, False, False])
    counters = fold(
        batch(
            {"c": [np.nan, 1.0, np.nan], "y": [0, 0, 0]},
            {"x": ["1", None, "2"]},
            gaps=[Gap("c", nulls, None)],
        )
    )
    c, x = counters.column("c"), counters.column("x")
    assert (c.nulls, c.wrong, c.valid) == (1, 2, 0)
    assert (x.nulls, x.wrong, x.valid) == (1, 2, 0)
    assert counters.extra == 0


def test_gaps_are_nulls_and_wrong_types_and_not_nan() -> None:
    """Under a gap lies NaN, or the code of null; neither is counted twice."""
    marks = np.eye(4, dtype=bool)
    counters = fold(
        batch(
            {"x": [np.nan, np.nan, np.nan, 0.0], "y": [0, 1, 2, 3]},
            {"c": [None, None, "a", "b"]},
            gaps=[Gap("x", marks[0], marks[1]), Gap("c", None, marks[0])],
        )
    )
    x, c = counters.column("x"), counters.column("c")
    assert (x.nulls, x.wrong, x.nan, x.valid) == (1, 1, 1, 1)
    assert (c.nulls, c.wrong, c.valid) == (1, 1, 2)


def test_only_the_chosen_rows_of_a_gap_count() -> None:
    """A batch that is spread over windows leaves each its own nulls."""
    nulls = np.array([True, True, False])
    cols = batch({"x": [np.nan, np.nan, 0.0], "y": [0, 0, 0]}, {"c": ["a"] * 3}, gaps=[Gap("x", nulls, None)])
    counters = Counters(Layout(profile()))
    counters.fold(cols, np.array([1, 2]))
    x = counters.column("x")
    assert (counters.rows, x.nulls, x.nan, x.valid) == (2, 1, 0, 1)


def test_values_outside_the_reference_are_counted_at_either_end() -> None:
    """Out of range is below the reference's minimum or above its maximum; the ends themselves are inside."""
    x = fold(batch({"x": [-1.5, -1.0, 1.0, 2.0, 3.0], "y": [0] * 5}, {"c": ["a"] * 5})).column("x")
    assert (x.below, x.above, x.valid) == (1, 2, 5)


def test_a_float64_batch_counts_as_the_profile_travels() -> None:
    """Values are cut to the profile's float32 before they are counted, and too large ones are infinite."""
    wide = fold(batch({"x": [0.1, 1e300, -0.3], "y": [1, 2, 3]}, {"c": ["a"] * 3}))
    narrow = fold(batch({"x": [0.1, np.inf, -0.3], "y": [1, 2, 3]}, {"c": ["a"] * 3}, dtype="float32"))
    assert wide == narrow
    assert wide.column("x").posinf == 1


def test_a_term_past_the_range_is_cut_and_counted() -> None:
    """A value 2**20 standard deviations away adds 2**60 and is counted as saturated."""
    counters = fold(batch({"x": [3e38, -3e38, 0.0], "y": [0, 0, 0]}, {"c": ["a"] * 3}))
    x = counters.column("x")
    assert x.saturated == 2
    assert x.exact_sums[-1] == 2**60
    assert x.exact_sums[0] == -(2**60)


def test_status_is_counted_without_a_profile_of_it() -> None:
    """Known outcomes have a count each, others share one; no status is no fault."""
    counters = fold(
        batch({"x": [0.0] * 4, "y": [0] * 4}, {"c": ["a"] * 4}, status=["ok", "ok", "timeout", "odd"])
    )
    status = counters.column("status", "status")
    assert dict(zip(STATUS_LEVELS, status.counts.tolist(), strict=False)) == {
        "ok": 2,
        "error": 0,
        "timeout": 1,
        "rejected": 0,
        "invalid": 0,
    }
    assert status.unseen == 1
    assert fold(batch({"x": [0.0], "y": [0]}, {"c": ["a"]})).column("status", "status").missing == 0


def test_without_a_profile_rows_times_latency_and_status_are_counted() -> None:
    """The layout without a profile counts rows and how they were served, merges, and survives bytes."""
    layout = Layout.without_profile("churn", "1")
    counters = Counters(layout)
    served = {"latency_ms": [1, 2, 3], "status": ["ok", "timeout", "odd"]}
    counters.fold(batch({"x": [1.0, 2.0, 3.0]}, {"c": ["a"] * 3}, times_ms=[30, 10, 20], **served))
    again = Counters.from_bytes(layout, counters.to_bytes())
    again.merge(counters)
    assert (again.rows, again.first_ms, again.last_ms, again.extra) == (6, 10, 30, 0)
    assert again.latency is not None
    assert latency_rows(again.latency) == 6
    assert [column.profile.name for column in again.columns()] == ["status"]
    assert again.column("status", "status").counts.tolist() == [2, 0, 2, 0, 0, 0, 2]


def test_bytes_from_before_status_was_counted_without_a_profile_are_read() -> None:
    """A window without a profile that an earlier release wrote has its rows and times, and goes on counting."""
    nothing = np.zeros((3, 0), np.int64)
    old = counters_bytes.pack(
        counters_bytes.Content("", (7, 0, 10, 30), nothing, np.zeros((0, QUALITIES), np.int64), None)
    )
    counters = Counters.from_bytes(Layout.without_profile("churn", "1"), old)
    assert (counters.rows, counters.first_ms, counters.last_ms, counters.latency) == (7, 10, 30, None)
    counters.fold(batch({"x": [1.0]}, status=["error"], latency_ms=[5]))
    assert counters.column("status", "status").counts.tolist() == [0, 1, 0, 0, 0, 0, 0]
    with pytest.raises(CountersError, match="profile"):
        Counters.from_bytes(Layout(profile()), old)


def test_a_batch_over_the_wire_counts_as_one_in_memory() -> None:
    """Read-only and unaligned columns that share memory with the message count the same."""
    cols = batch(
        {"x": [0.25, np.nan], "y": [1, 2]},
        {"c": ["b", None]},
        predicted=["no", "yes"],
        latency_ms=[1.5, 2.5],
        status=["ok", "ok"],
    )
    assert fold(read_predictions(pack_predictions(cols))) == fold(cols)


def test_a_code_without_a_level_is_of_a_wrong_type() -> None:
    """Readers refuse such a batch; made by hand, it writes nothing outside the tables."""
    cols = batch({"x": [0.0, 0.0], "y": [0, 0]}, {"c": ["a", "a"]})
    cols.categories[0].codes[:] = [0, 1_000_000]
    c = fold(cols).column("c")
    assert (c.valid, c.wrong) == (1, 1)


def test_past_the_kept_hashes_an_unknown_level_is_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """When not all of the reference's levels are known, one cannot be told to be new."""
    monkeypatch.setattr("driftline.streams.windows.profiling.REST_MAX", 5)
    many = profile_of(batch(categories={"c": [f"{n:03d}" for n in range(210)]}))
    counters = Counters(Layout(many))
    counters.fold(batch(categories={"c": ["000", "204", "209", "new"]}))
    c = counters.column("c")
    assert not c.profile.rest_complete
    assert (c.other, c.unseen) == (3, 0)


def test_plans_and_sets_of_levels_are_bounded() -> None:
    """A producer that sends ever new columns and levels does not fill the memory."""
    layout = Layout(profile())
    counters = Counters(layout)
    for n in range(400):
        cols = batch({"x": [0.0], f"z{n}": [0.0]}, {"c": [f"level {n}"]})
        plan_of(layout, cols)
        counters.fold(cols)
    assert len(layout.plans) <= 64
    assert len(layout.column("c")._cells_of_levels) <= 256
    assert counters.column("c").unseen == 400


def test_memory_and_bytes_are_near_what_they_say() -> None:
    """The memory estimate covers the tables; bytes of few rows are few."""
    counters = fold(batch({"x": [0.0], "y": [0]}, {"c": ["a"]}))
    assert counters.size_bytes >= counters.table.nbytes + counters.quality.nbytes
    assert len(counters.to_bytes()) < 300
