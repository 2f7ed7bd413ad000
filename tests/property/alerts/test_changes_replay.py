"""Alerts of change points over crashes: the same edges, under the same names, and no window fed twice."""

from __future__ import annotations

from bad_windows import OneBook
from changed import errors, means
from crashes import told_over_crashes, told_without
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.schemas.alert import Alert
from driftline.schemas.deployment import AlertRule
from driftline.schemas.window import WindowResult

BOOK = OneBook(alerts=AlertRule(k=1, m=2))
DAYS = 48
AGAIN = st.lists(st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)), max_size=10)


def row_of_days(shift: int, again: list[tuple[int, int]]) -> list[bytes]:
    """Days of drift and labels in the order of events, with restatements that tell something else in between."""
    found: list[WindowResult] = []
    for day in range(DAYS):
        found += [means(day, shift=shift), errors(day, shift=shift + 5)]
        found += [means(min(old, day), 9, shift=0) for at, old in again if at == day]
    return [one.to_bytes() for one in found]


@settings(max_examples=many(40), deadline=None)
@given(st.integers(22, 40), AGAIN, st.data())
def test_crashes_and_restatements_anywhere_give_the_same_edges(
    shift: int, again: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Killed after any write, with days restated: the edges of a worker that is not, and of the days without that."""
    records = row_of_days(shift, again)
    named: dict[str, bytes] = {}
    for content in told_over_crashes(BOOK, records, data):
        assert named.setdefault(Alert.from_bytes(content).id, content) == content
    whole = told_without(BOOK, records)
    assert named == {Alert.from_bytes(content).id: content for content in whole}
    assert whole
    assert whole == told_without(BOOK, row_of_days(shift, []))
