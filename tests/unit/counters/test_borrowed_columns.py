"""Columns that may only be counted: a window that is counted again without them keeps what it had of them."""

from __future__ import annotations

import pytest
from counting import batch, profile_of

from driftline.streams.windows.counters import Counters, CountersError
from driftline.streams.windows.layout import Layout


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


def test_columns_of_another_profile_are_refused() -> None:
    """Counts of different profiles do not go together."""
    one, other = (Counters(Layout(profile_of(batch({"x": values})))) for values in ([1.0, 2.0], [3.0, 4.0]))
    with pytest.raises(CountersError, match="do not belong to"):
        one.borrow([], other)
