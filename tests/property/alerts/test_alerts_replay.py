"""Alerts over crashes and in any order: the same edges, under the same names."""

from __future__ import annotations

from typing import Any

import msgspec
from bad_windows import OneBook, window
from crashes import NOW_MS, told_over_crashes, told_without
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.schemas.alert import Alert
from driftline.schemas.deployment import AlertRule
from driftline.schemas.window import WindowResult
from driftline.streams.alerts.case import Case
from driftline.streams.alerts.verdicts import WARN
from driftline.streams.alerts.windows import take

VERDICT = st.sampled_from(["ok", "ok", "warn", "fail", "inconclusive"])
Row = tuple[str, int, int, str, dict[str, str], str, int]
ROW: st.SearchStrategy[Row] = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.integers(0, 8),
    st.integers(0, 40),
    st.sampled_from(["1", "2"]),
    st.fixed_dictionaries({}, optional={"x": VERDICT, "y": VERDICT}),
    st.sampled_from(["drift", "drift", "accuracy"]),
    st.integers(0, 500),
)
RULE = st.tuples(st.integers(1, 3), st.integers(0, 2)).map(lambda pair: AlertRule(k=pair[0], m=sum(pair)))


def result(row: Row) -> WindowResult:
    """The window of a row."""
    name, day, version, model, verdicts, role, labels = row
    over: dict[str, Any] = {"deployment": name, "model_version": model, "role": role, "labels": labels}
    return window(day, version, verdicts, **over, provisional=labels < 250)


def all_edges(book: OneBook, records: list[bytes]) -> dict[str, bytes]:
    """The edges of a worker that is never killed, by name."""
    return {Alert.from_bytes(data).id: data for data in told_without(book, records)}


@settings(max_examples=many(200), deadline=None)
@given(st.lists(ROW, max_size=40), RULE, st.data())
def test_crashes_anywhere_give_the_same_edges(rows: list[Row], rule: AlertRule, data: st.DataObject) -> None:
    """Killed after any of the writes of any commit, and read again from what was stored: the same names and bytes."""
    book = OneBook(alerts=rule, label_horizon_hours=24.0)
    records = [result(row).to_bytes() for row in rows]
    named: dict[str, bytes] = {}
    for content in told_over_crashes(book, records, data):
        assert named.setdefault(Alert.from_bytes(content).id, content) == content
    assert named == all_edges(book, records)


@settings(max_examples=many(200), deadline=None)
@given(
    st.lists(ROW, max_size=30, unique_by=lambda row: (row[0], row[1], row[2], row[3], row[5])),
    RULE,
    st.data(),
)
def test_restatements_in_any_order_end_in_the_same_alerts(
    rows: list[Row], rule: AlertRule, data: st.DataObject
) -> None:
    """The same windows are bad; what has enough of them fires, and m more windows bring all to one state."""
    book = OneBook(alerts=rule)
    mine = [row for row in rows if row[0] == "a"]
    cases = []
    for order in (mine, data.draw(st.permutations(mine))):
        case = Case(deployment="a")
        for row in order:
            take(case, result(row), book, NOW_MS)
        cases.append(case)
    bad = [
        {
            (name, key, start)
            for name, track in case.tracks.items()
            for key in track.marks
            for start, code in zip(sorted(track.windows), track.codes(key), strict=True)
            if code >= WARN
        }
        for case in cases
    ]
    assert bad[0] == bad[1]
    for case in cases:
        for track in case.tracks.values():
            for key in track.marks:
                assert key in case.firing or sum(code >= WARN for code in track.codes(key)) < rule.k
    verdict = data.draw(st.sampled_from(["ok", "fail"]))
    for case in cases:
        for day in range(20, 20 + rule.m):
            take(case, window(day, day, {"x": verdict, "y": verdict}, deployment="a"), book, NOW_MS)
        assert bool(case.firing) == (verdict == "fail")


@settings(max_examples=many(50), deadline=None)
@given(st.lists(ROW, max_size=30), RULE)
def test_a_window_that_comes_again_changes_nothing(rows: list[Row], rule: AlertRule) -> None:
    """Read twice in a row, a window makes no second edge, and leaves the state as it is."""
    book, case = OneBook(alerts=rule), Case(deployment="a")
    for row in (one for one in rows if one[0] == "a"):
        take(case, result(row), book, NOW_MS)
        before = msgspec.msgpack.encode(case)
        assert take(case, result(row), book, NOW_MS) == []
        assert msgspec.msgpack.encode(case) == before
