"""Events of advice over crashes: the same events, under the same names, whatever the order of windows."""

from __future__ import annotations

from typing import Any

import msgspec
from advised import inputs, labels
from bad_windows import OneBook
from crashes import NOW_MS, told_over_crashes, told_without
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.schemas.advice import Advice
from driftline.schemas.announced import announced
from driftline.schemas.deployment import Contact
from driftline.schemas.window import WindowResult
from driftline.streams.alerts.advising import Advising, take

BOOK = OneBook(contacts=(Contact(route="chat"),))
Row = tuple[str, int, int, str, str | None, bool]
ROW: st.SearchStrategy[Row] = st.tuples(
    st.sampled_from(["a", "b"]),
    st.integers(0, 6),
    st.integers(0, 20),
    st.sampled_from(["1", "2", "3", "4", "5"]),
    st.sampled_from(["ok", "warn", "fail", None]),
    st.booleans(),
)


def result(row: Row) -> WindowResult:
    """The month of a row."""
    name, number, version, model, verdict, has_labels = row
    over: dict[str, Any] = {"deployment": name, "model_version": model}
    return (
        labels(number, verdict, version, **over)
        if has_labels
        else inputs(number, verdict or "ok", version, **over)
    )


@settings(max_examples=many(200), deadline=None)
@given(st.lists(ROW, max_size=40), st.data())
def test_crashes_anywhere_give_the_same_events(rows: list[Row], data: st.DataObject) -> None:
    """Killed after any of the writes of any commit, and read again from what was stored: the same names and bytes."""
    records = [result(row).to_bytes() for row in rows]
    named: dict[str, bytes] = {}
    for content in told_over_crashes(BOOK, records, data):
        assert named.setdefault(announced(content).id, content) == content
    assert named == {announced(content).id: content for content in told_without(BOOK, records)}


@settings(max_examples=many(100), deadline=None)
@given(st.lists(ROW, max_size=15))
def test_a_month_that_comes_again_changes_nothing(rows: list[Row]) -> None:
    """Read twice in a row, or with all that came before it, a month makes no second event, and leaves the state."""
    held = Advising(deployment="a", ordinal=0)
    people = BOOK.latest("a")
    results = [result(row) for row in rows]
    for at, one in enumerate(results):
        take(held, one, people, NOW_MS)
        before = msgspec.msgpack.encode(held)
        for again in results[: at + 1]:
            assert take(held, again, people, NOW_MS) == (False, None)
        assert msgspec.msgpack.encode(held) == before
        assert msgspec.msgpack.decode(before, type=Advising) == held


@settings(max_examples=many(100), deadline=None)
@given(st.lists(ROW, max_size=30))
def test_neighbouring_events_have_other_words(rows: list[Row]) -> None:
    """Nobody hears the same word of a version twice in a row, and nobody hears `no need` first."""
    held = Advising(deployment="a", ordinal=0)
    last: dict[str, str] = {}
    for row in rows:
        _, event = take(held, result(row), BOOK.latest("a"), NOW_MS)
        if event is not None:
            assert isinstance(event, Advice)
            assert event.advice != last.get(event.model_version, "no need")
            last[event.model_version] = event.advice
