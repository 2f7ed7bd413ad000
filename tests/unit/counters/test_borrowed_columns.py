"""Columns that may only be counted: a window that is counted again without them keeps what it had of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from counting import batch, profile_of
from segmented import reference, rows

from driftline.schemas.deployment_state import defaults
from driftline.streams.windows.counters import Counters, CountersError
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.splits import splits_of


def test_a_window_counted_again_keeps_the_columns_that_are_stored_nowhere() -> None:
    """Only columns that no row had are taken, as they stood; the others and the rows are those of the new count."""
    whole = batch({"x": [1.0, 2.0, 3.0], "secret": [5.0, 6.0, 7.0]})
    layout = Layout(profile_of(whole, has_times=False))
    before, again = Counters(layout), Counters(layout)
    before.fold(whole)
    again.fold(batch({"x": [1.0, 2.0, 3.0, 4.0]}))
    assert [one.profile.name for one in again.absent] == ["secret"]
    again.borrow(again.absent, before)
    assert again.rows == 4
    assert again.column("x").valid == 4
    secret = again.column("secret")
    assert (secret.valid, secret.missing) == (3, 0)
    assert secret.exact_sums == before.column("secret").exact_sums
    assert Counters.from_bytes(layout, again.to_bytes()) == again
    assert not again.absent


def test_a_column_that_no_row_ever_had_is_missing_in_late_rows_too() -> None:
    """A column that was missing before is none that may only be counted: it is missing in late rows too."""
    layout = Layout(profile_of(batch({"x": [1.0, 2.0], "gone": [1.0, 2.0]})))
    before, again = Counters(layout), Counters(layout)
    before.fold(batch({"x": [1.0, 2.0, 3.0]}))
    again.fold(batch({"x": [1.0, 2.0, 3.0, 4.0]}))
    again.borrow(again.absent, before)
    assert again.column("gone").missing == 4
    again.borrow(again.absent, Counters(layout))
    assert again.column("gone").missing == 4


def test_the_segments_of_a_borrowed_column_are_borrowed_too() -> None:
    """Counts by the values of segments come with the columns they are of; those of other columns stay."""
    layout = Layout(reference(500))
    before, again = Counters(layout), Counters(layout)
    whole = rows(2, 100)
    splits = splits_of(layout, defaults("churn"))
    before.fold(whole)
    before.fold_splits(splits, whole)
    bare = replace(rows(3, 200), categories=[])
    again.fold(bare)
    again.fold_splits(splits, bare)
    again.borrow(again.absent, before)
    plane = layout.column("plane").index
    assert {pair[1] for pair in before.splits} == {pair[1] for pair in again.splits}
    assert all(
        again.splits[pair].sum() == (before.splits[pair].sum() if pair[1] == plane else 2 * table.sum())
        for pair, table in before.splits.items()
        if pair[1] in (plane, layout.column("distance").index)
    )


def test_columns_of_another_profile_are_refused() -> None:
    """Counts of different profiles do not go together."""
    one, other = (Counters(Layout(profile_of(batch({"x": values})))) for values in ([1.0, 2.0], [3.0, 4.0]))
    with pytest.raises(CountersError, match="do not belong to"):
        one.borrow([], other)
