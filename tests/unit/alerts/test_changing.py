"""Alerts of change points: when they fire and end, and that each window is fed once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from bad_windows import DAY_MS, OneBook
from changed import errors, means

from driftline.schemas.alert import Alert
from driftline.schemas.deployment import AlertRule, Mute
from driftline.schemas.window import WindowResult
from driftline.streams.alerts import changing as module
from driftline.streams.alerts.case import Case
from driftline.streams.alerts.changing import Changing, concerns, take
from driftline.streams.alerts.desk import FORGOTTEN_MS, Desk
from driftline.streams.alerts.stored import CHANGES
from driftline.streams.changes.tracker import Tracker

NOW_MS = 1_795_000_000_000
BOOK = OneBook(owner="Ana", alerts=AlertRule(k=2, m=3))


def fresh() -> Changing:
    """Nothing held yet."""
    return Changing(case=Case(deployment="shop", resolution="1d"))


def told(*results: WindowResult, held: Changing | None = None, book: OneBook = BOOK) -> list[Alert]:
    """The edges of windows, in their order."""
    held = held or fresh()
    return [edge for one in results for edge in take(held, one, book.latest("shop"), NOW_MS)[1]]


def states(*results: WindowResult, **given: Any) -> list[tuple[str, str, str]]:
    """What the edges say."""
    return [(one.about, one.name, one.state) for one in told(*results, **given)]


def test_a_mean_that_moves_fires_and_ends_when_it_stays() -> None:
    """One edge with the moment of the change, the means and the windows; another when m more windows were calm."""
    fired, resolved = told(*(means(day) for day in range(60)))
    assert (fired.rule, fired.about, fired.name, fired.state, fired.severity) == (
        "change", "drift", "x change", "firing", "warn",
    )  # fmt: skip
    assert fired.since_ms == 40 * DAY_MS
    assert fired.reason.startswith("The mean of x went from 0.")
    assert (fired.figures[0].metric, fired.owner, fired.model_version) == ("mean_sigma", "Ana", "3")
    assert (resolved.state, resolved.alert_id) == ("resolved", fired.alert_id)
    assert resolved.reason == "The last 3 windows of 1d have shown no other change."
    assert resolved.ordinal == fired.ordinal + 1


def test_an_error_that_grows_fires_and_one_that_falls_does_not() -> None:
    """Nobody needs to hear of a model that makes fewer errors; provisional windows tell no error."""
    names = [("performance", "error change", state) for state in ("firing", "resolved")]
    assert states(*(errors(day) for day in range(60))) == names
    assert states(*(errors(day, better=True) for day in range(60))) == []
    assert not concerns(errors(0, provisional=True), BOOK.latest("shop").settings)


def test_the_changes_are_those_of_a_tracker() -> None:
    """What fires is what a tracker finds that is fed the same windows; restatements are not fed again."""
    days = [means(day) for day in range(80)]
    tracker = Tracker()
    wanted = [one.since_ms for day in days for one in tracker.feed(day)]
    again = [one for day in days for one in (day, means(day.window_start_ms // DAY_MS, 99, shift=0))]
    fired = [one.since_ms for one in told(*again) if one.state == "firing"]
    assert fired == wanted == [40 * DAY_MS]


def test_a_mute_says_nothing() -> None:
    """A change found in a window of a mute is not told."""
    mute = Mute(since_ms=0, until_ms=90 * DAY_MS, about=("drift",), reason="moving")
    assert states(*(means(day) for day in range(60)), book=OneBook(mutes=(mute,))) == []


def test_another_width_ends_what_fires() -> None:
    """The rule looks at other windows: alerts of the old ones end with that reason, and all begins anew."""
    held = fresh()
    book = OneBook(alerts=AlertRule(k=1, m=50))
    fired = told(*(means(day) for day in range(60)), held=held, book=book)
    (gone,) = told(means(0, resolution="1h"), held=held, book=book)
    assert [fired[0].state, gone.state] == ["firing", "resolved"]
    assert gone.reason == "The alert rule looks at windows of 1h now, no longer of 1d."
    assert (held.calm, held.case.firing, len(held.followed)) == ({}, {}, 1)


def test_a_change_of_a_slot_that_ended_is_resolved() -> None:
    """No window of it comes any more to show calm; it ends once another slot is more than seven widths ahead."""
    held = fresh()
    days, fired = iter(range(60)), None
    while fired is None:
        fired = next(iter(told(means(next(days), slot="challenger"), held=held, book=OneBook())), None)
    assert (fired.slot, fired.state) == ("challenger", "firing")
    last = held.calm[next(iter(held.calm))].last_ms // DAY_MS
    assert told(*(means(day, shift=0) for day in range(last + 8)), held=held, book=OneBook()) == []
    (gone,) = told(means(last + 8, shift=0), held=held, book=OneBook())
    assert (gone.alert_id, gone.state, held.calm) == (fired.alert_id, "resolved", {})
    assert gone.reason.startswith("Windows of 1d have gone on without the slot challenger")


def test_other_windows_are_not_fed() -> None:
    """Only final windows of the live run, of the width of the alert rule."""
    settings = BOOK.latest("shop").settings
    assert concerns(means(0), settings)
    for over in ({"final": False}, {"run": "replay-1"}, {"resolution": "1h"}):
        assert not concerns(means(0, **over), settings)


def test_versions_and_features_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound the version with the oldest windows is let go and not fed again; features past it are left out."""
    monkeypatch.setattr(module, "TRACKERS", 2)
    monkeypatch.setattr(module, "FEATURES", 1)
    held = fresh()
    results = [means(day, model_version=name) for day, name in enumerate("abc")]
    told(*results, held=held)
    assert sorted(held.followed) == ["b\tchampion", "c\tchampion"]
    before = msgspec.msgpack.encode(held)
    assert told(*results, held=held) == []
    assert msgspec.msgpack.encode(held) == before
    book = OneBook(feature_importance={"x": 0.1, "y": 0.9, "z": 0.0})
    figures = [figure for name in "xyz" for figure in means(3, feature=name).figures]
    told(means(3, figures=figures, model_version="c"), held=held, book=book)
    assert [name.split("\t")[1] for name in held.followed["c\tchampion"].tracker.series] == ["x", "y"]


def test_a_desk_stores_change_points_beside_its_cases() -> None:
    """The state comes back whole; it is let go with the case, when none of its alerts fires."""
    book = OneBook()
    desk, store = Desk("t", book), {}
    for day in range(60):
        desk.take(day, means(day).to_bytes(), NOW_MS)
        if day % 7 == 0 or day == 59:
            cases, edges, row = desk.commit()
            store |= dict([*cases, row])
            desk = Desk("t", book)
            assert desk.restore(store) == []
            assert all(Alert.from_bytes(data).rule == "change" for _, data in edges)
    desk.look({}, NOW_MS + FORGOTTEN_MS + 2_000)
    assert (CHANGES + b"shop", None) in desk.commit().cases
