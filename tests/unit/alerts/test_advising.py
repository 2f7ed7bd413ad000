"""When advice on retraining changes: what is told, to whom, what is held for it, and what is let go."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from advised import MONTH_MS, inputs, labels, month
from bad_windows import OneBook

from driftline.schemas.advice import Advice
from driftline.schemas.deployment import AlertRule, Contact
from driftline.schemas.window import WindowResult
from driftline.streams.advice.evidence import evidence_of
from driftline.streams.advice.rules import advise
from driftline.streams.alerts import advising as module
from driftline.streams.alerts.advising import Advising, concerns, resolution_of, take
from driftline.streams.alerts.desk import FORGOTTEN_MS, Desk
from driftline.streams.alerts.stored import ADVICE
from driftline.streams.alerts.webhook import body, headers

NOW_MS = 1_795_000_000_000
BOOK = OneBook(
    owner="Ana",
    contacts=(Contact(route="chat", severity="warn"), Contact(route="pager", severity="fail")),
)


def told(*results: WindowResult, held: Advising | None = None, book: OneBook = BOOK) -> list[Advice]:
    """The events of windows, in their order."""
    held = held or Advising(deployment="shop", ordinal=0)
    events = (take(held, one, book.latest("shop"), NOW_MS)[1] for one in results)
    return [one for one in events if one is not None]


def words(*results: WindowResult, **given: Any) -> list[tuple[str, int]]:
    """The words of the events, and the month that each is about."""
    return [(one.advice, one.window_start_ms // MONTH_MS) for one in told(*results, **given)]


def test_a_fall_is_told_once_and_its_end_too() -> None:
    """Performance holds, falls for two months and holds again: `retrain` with its figures, then `no need`."""
    events = told(*(labels(at, word) for at, word in enumerate(("ok", "fail", "fail", "ok", "ok"))))
    assert [(one.advice, one.window_start_ms // MONTH_MS) for one in events] == [
        ("retrain", 1),
        ("no need", 3),
    ]
    fell = events[0].fell
    assert fell is not None
    assert (fell.metric, fell.figure, events[0].gain) == ("auc", 0.6, None)
    assert [one.code for one in events[0].reasons] == ["performance fell", "gain: unknown"]
    assert (events[0].settings_revision, events[0].made_at_ms) == (1, NOW_MS)


def test_events_reach_whom_the_settings_name() -> None:
    """`watch` goes to those who hear of warnings, `retrain` to all, and its end to whoever had heard."""
    routes = [
        one.routes for one in told(labels(0, "warn"), labels(1, "fail"), labels(2, "ok"), labels(3, "warn"))
    ]
    assert routes == [("chat",), ("chat", "pager"), ("chat", "pager"), ("chat",)]


def test_labels_that_have_not_come_take_nothing_back() -> None:
    """`retrain` holds while the next month waits for its labels; it ends when they say that all is well."""
    first = [inputs(0, "ok"), labels(0, "fail")]
    assert words(*first, inputs(1, "ok"), labels(1, None)) == [("retrain", 0)]
    assert words(*first, inputs(1, "fail"), labels(1, None), labels(1, "ok", 2)) == [
        ("retrain", 0),
        ("no need", 1),
    ]


def test_labels_that_come_after_the_next_month_are_heard() -> None:
    """A label delay longer than a window: `watch` for drift first, `retrain` for the month when its labels come."""
    held = [inputs(0, "fail"), labels(0, None), inputs(1, "ok"), labels(1, None), labels(0, "fail", 2)]
    assert words(*held) == [("watch", 0), ("no need", 1), ("retrain", 0)]


def test_a_correction_is_told_and_a_repetition_is_not() -> None:
    """A month restated to another word is an event, with another name even when it says the same as one before."""
    results = [labels(0, "fail"), labels(0, "fail"), labels(0, "ok", 2), labels(0, "fail", 3)]
    events = told(*results)
    assert [one.advice for one in events] == ["retrain", "no need", "retrain"]
    assert len({one.id for one in events}) == 3
    assert words(*results[::-1]) == [("retrain", 0)]


def test_since_survives_what_is_let_go() -> None:
    """Only the newest month that labels have spoken about is held; `since` is that of the months let go."""
    held = Advising(deployment="shop", ordinal=0)
    told(*(labels(at, "warn") for at in range(4)), held=held)
    assert list(held.books["3"].windows) == [3 * MONTH_MS]
    assert (held.books["3"].word, held.books["3"].since_ms) == ("watch", 0)
    (event,) = told(labels(4, "fail"), labels(5, "fail"), held=held)
    assert (event.advice, event.since_ms) == ("retrain", 4 * MONTH_MS)
    settings = BOOK.latest("shop")
    (one,) = module._advices(held.books["3"], settings)
    assert (one.window_start_ms, one.since_ms) == (5 * MONTH_MS, 4 * MONTH_MS)


def test_what_is_held_gives_the_advice_of_the_whole() -> None:
    """Figures that advice does not rest on are left out; the advice is that of the whole windows."""
    settings = BOOK.latest("shop")
    for label in ("ok", "warn", "fail", None):
        whole = [inputs(0, "fail"), labels(0, label)]
        held = Advising(deployment="shop", ordinal=0)
        told(*whole, held=held)
        (kept,) = module._advices(held.books["3"], settings)
        (wanted,) = advise(evidence_of(whole), settings.settings, settings_revision=1)
        assert kept == wanted
    stored = held.books["3"].windows[0]["drift"].result
    assert [one.metric for one in WindowResult.from_bytes(stored).figures] == ["psi", "w1_sigma"]


@pytest.mark.parametrize(
    "over",
    [{"final": False}, {"run": "replay-1"}, {"slot": "shadow"}, {"resolution": "1d"}],
)
def test_other_windows_say_nothing(over: dict[str, Any]) -> None:
    """Only final months of the champion's live run are looked at."""
    settings = BOOK.latest("shop").settings
    assert concerns(labels(0, "fail"), settings)
    assert not concerns(labels(0, "fail", **over), settings)


def test_months_are_looked_at_where_days_are_counted() -> None:
    """Months are made of days; a deployment without them has the width of its alert rule."""
    for given, width in (
        ({}, "1M"),
        ({"resolutions": ("5m", "1d")}, "1M"),
        ({"resolutions": ("5m", "1h")}, "1h"),
    ):
        assert resolution_of(OneBook(owner="Ana", **given).latest("shop").settings) == width
    rule = OneBook(alerts=AlertRule(k=1, m=1, resolution="5m"), resolutions=("5m", "1h"))
    assert resolution_of(rule.latest("shop").settings) == "5m"


def test_another_width_begins_anew() -> None:
    """The settings name other widths: what is held of the old ones is let go."""
    held = Advising(deployment="shop", ordinal=0)
    told(labels(5, "fail"), held=held)
    assert words(labels(1, "fail", resolution="1h"), held=held) == [("retrain", 1)]
    assert (held.resolution, list(held.books["3"].windows)) == ("1h", [MONTH_MS])


def test_windows_without_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are let go at a number and at a size, and do not come back; the newest always stays."""
    monkeypatch.setattr(module, "WINDOWS", 3)
    held = Advising(deployment="shop", ordinal=0)
    told(*(labels(at, None) for at in range(6)), held=held)
    book = held.books["3"]
    assert list(book.windows) == [at * MONTH_MS for at in (3, 4, 5)]
    assert words(labels(2, "fail", 2), held=held) == []
    assert words(labels(3, "fail", 2), held=held) == [("retrain", 3)]
    monkeypatch.setattr(module, "WINDOWS_BYTES", 1)
    told(labels(6, None), held=held)
    assert list(book.windows) == [6 * MONTH_MS]


def test_versions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound the version with the oldest windows is let go, and its windows are not taken again."""
    monkeypatch.setattr(module, "VERSIONS", 2)
    held = Advising(deployment="shop", ordinal=0)
    results = [labels(at, "fail", model_version=name) for at, name in enumerate("abc")]
    assert len(told(*results, held=held)) == 3
    assert sorted(held.books) == ["b", "c"]
    before = msgspec.msgpack.encode(held)
    assert told(*results, held=held) == []
    assert msgspec.msgpack.encode(held) == before


def test_an_event_names_no_more_features_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of a deployment with thousands of features stays small."""
    monkeypatch.setattr(module, "FEATURES", 1)
    one = inputs(0, "fail")
    figures = [*one.figures]
    figures += [
        type(figure)("drift", "y", figure.metric, 0.9, verdict="fail", level=0.01) for figure in figures[:1]
    ]
    (event,) = told(month(0, 1, figures=figures))
    assert [feature.feature for feature in event.features] == ["x"]


def test_a_desk_stores_advice_beside_its_cases() -> None:
    """The event lies in the outbox of its own record; what nobody hears of for 90 days is let go with its case."""
    desk = Desk("t", BOOK)
    (event,) = desk.take(0, labels(0, "fail").to_bytes(), NOW_MS)
    assert isinstance(event, Advice)
    assert desk.has_edges
    commit = desk.commit()
    assert [key for key, _ in commit.cases] == [b"case/shop", ADVICE + b"shop"]
    assert commit.edges == [(b"shop", event.to_bytes())]
    assert not desk.has_changed
    again = Desk("t", BOOK)
    assert again.restore({key: value for key, value in commit.cases if value}) == commit.edges
    again.look({}, NOW_MS + FORGOTTEN_MS + 2_000)
    assert (ADVICE + b"shop", None) in again.commit().cases


def test_a_webhook_is_told_that_it_is_advice() -> None:
    """The body says so, and has every figure; the key is the name of the event."""
    (event,) = told(labels(0, "fail"))
    content = body(event)
    said = msgspec.json.decode(content)
    assert (said["kind"], said["advice"], said["fell"]["metric"], said["gains"]) == (
        "advice",
        "retrain",
        "auc",
        [],
    )
    assert headers(event.id, content, b"", 1)["Idempotency-Key"] == said["id"]
