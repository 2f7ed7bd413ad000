"""Alerts that a clock, a ledger or a label horizon makes."""

from __future__ import annotations

from typing import Any

from bad_windows import DAY_MS, OneBook, window

from driftline.schemas import codec
from driftline.schemas.alert import Alert
from driftline.schemas.deployment import AlertRule
from driftline.streams.alerts.case import Case
from driftline.streams.alerts.clock import look_at_clock, look_at_losses
from driftline.streams.alerts.losses import COUNTS_MS, LossBook
from driftline.streams.alerts.windows import take

HOUR_MS = 3_600_000


def heartbeat(
    time_ms: int, *, closed: bool = False, in_flight: int = 0, epoch: int = 1, **dropped: int
) -> tuple[Any, ...]:
    """A heartbeat as a record of `emitter-status`."""
    book = {
        "topic": "predictions",
        "next_seq": 3,
        "announced_rows": 100,
        "enqueued": 100,
        "delivered": 100 - in_flight,
        "spooled": 0,
        "in_flight": in_flight,
        "dropped": dropped,
    }
    status = {
        "instance": "web-1",
        "epoch": epoch,
        "deployment": "shop",
        "model_version": "3",
        "host": "here",
        "pid": 7,
        "time_ms": time_ms,
        "started_ms": 0,
        "closed": closed,
        "books": [book],
    }
    return b"web-1", codec.encode("EmitterStatus", status), time_ms


def test_a_deployment_that_falls_silent_fires_and_is_heard_again() -> None:
    """No window for twice the width of the rule's windows fires once; the next window resolves it."""
    people = OneBook(alerts=AlertRule(resolution="1h")).latest("shop")
    case = Case(deployment="shop", heard_ms=1)
    assert look_at_clock(case, people, 2 * HOUR_MS) == []
    fired = look_at_clock(case, people, 2 * HOUR_MS + 2)
    assert [(one.state, one.about, one.severity) for one in fired] == [("firing", "freshness", "fail")]
    assert look_at_clock(case, people, 9 * HOUR_MS) == []
    case.heard_ms = 9 * HOUR_MS
    assert [one.state for one in look_at_clock(case, people, 9 * HOUR_MS)] == ["resolved"]


def test_a_replay_of_the_past_ends_no_silence() -> None:
    """Windows restated under the watermark that was there say nothing of predictions; one that moves on does.

    That the accuracy worker came to a watermark first does not take it from the drift worker.
    """
    book = OneBook(alerts=AlertRule(resolution="1d"))
    people, case = book.latest("shop"), Case(deployment="shop")
    take(case, window(9, 1, {"x": "ok"}, computed_at_ms=10 * DAY_MS), book, 10 * DAY_MS)
    now_ms = 13 * DAY_MS
    assert [one.state for one in look_at_clock(case, people, now_ms)] == ["firing"]
    restated = window(2, 1, {"x": "ok"}, restated=True, watermark_ms=10 * DAY_MS, computed_at_ms=now_ms)
    take(case, restated, book, now_ms)
    assert look_at_clock(case, people, now_ms) == []
    ahead = {"watermark_ms": 13 * DAY_MS, "computed_at_ms": now_ms}
    take(case, window(12, 1, {}, role="accuracy", labels=0, **ahead), book, now_ms)
    assert look_at_clock(case, people, now_ms) == []
    take(case, window(12, 1, {"x": "ok"}, **ahead), book, now_ms)
    assert [one.state for one in look_at_clock(case, people, now_ms)] == ["resolved"]


def test_nobody_misses_a_deployment_without_settings() -> None:
    """What nobody declared may end without a word; so may what has never been heard."""
    assert look_at_clock(Case(deployment="shop", heard_ms=1), OneBook().latest("shop"), 9 * DAY_MS) == []
    people = OneBook(owner="Ana").latest("shop")
    assert look_at_clock(Case(deployment="shop"), people, 9 * DAY_MS) == []


def losses(book: LossBook, case: Case, now_ms: int) -> list[Alert]:
    """The edges that a ledger makes."""
    return look_at_losses(case, book.look(now_ms).get("shop"), OneBook().latest("shop"), now_ms)


def test_rows_that_an_emitter_drops_are_a_loss_for_an_hour() -> None:
    """Dropped for want of room: it fails, says how many and why, and is resolved an hour after the last of it."""
    book, case = LossBook(), Case(deployment="shop")
    book.on_record(*heartbeat(1_000))
    assert losses(book, case, 2_000) == []
    book.on_record(*heartbeat(11_000, buffer_full=40))
    book.on_record(*heartbeat(21_000, buffer_full=70, closed=True))
    (fired,) = losses(book, case, 22_000)
    assert (fired.severity, fired.rows, fired.since_ms) == ("fail", 70, 11_000)
    assert fired.reason == "Within an hour 70 rows were dropped (buffer_full)."
    assert losses(book, case, 21_000 + COUNTS_MS) == []
    assert [one.state for one in losses(book, case, 21_001 + COUNTS_MS)] == ["resolved"]


def test_rows_that_the_application_sent_wrong_only_warn() -> None:
    """They are given up by no fault of the road; a real loss after them fails."""
    book, case = LossBook(), Case(deployment="shop")
    book.on_record(*heartbeat(1_000, invalid=3))
    assert [one.severity for one in losses(book, case, 2_000)] == ["warn"]
    book.on_record(*heartbeat(11_000, invalid=3, spool_full=1))
    assert [one.severity for one in losses(book, case, 12_000)] == ["fail"]


def test_an_emitter_that_died_may_have_lost_what_it_held() -> None:
    """Silent for six heartbeats and not closed: up to the rows of its memory; closed or empty: nothing."""
    book, case = LossBook(), Case(deployment="shop")
    book.on_record(*heartbeat(1_000, in_flight=30))
    book.on_record(*heartbeat(1_000, epoch=2))
    assert losses(book, case, 61_000) == []
    (fired,) = losses(book, case, 61_001)
    assert (fired.severity, fired.rows) == ("warn", 30)
    assert "up to 30 rows were in the memory of emitters that died" in fired.reason
    ended = LossBook()
    ended.on_record(*heartbeat(1_000, in_flight=30, closed=True))
    assert ended.look(90_000) == {}


def test_bytes_that_are_no_heartbeat_are_left_to_the_archive() -> None:
    """They change nothing."""
    book = LossBook()
    book.on_record(b"x", b"rubbish", 1)
    book.on_record(b"x", None, 1)
    assert book.look(2) == {}


def test_windows_without_their_labels_fire_once_the_horizon_has_passed() -> None:
    """Coverage below the floor fires for mature windows only; without a declared horizon nobody can say."""

    def results(labels: int) -> list[Any]:
        return [
            window(
                day,
                day,
                {},
                role="accuracy",
                labels=labels,
                provisional=True,
                watermark_ms=(day + 1) * DAY_MS,
            )
            for day in range(6)
        ]

    def edges(book: OneBook, labels: int) -> list[Alert]:
        case = Case(deployment="shop")
        return [one for result in results(labels) for one in take(case, result, book, 5)]

    declared = OneBook(label_horizon_hours=48.0)
    (fired,) = edges(declared, 100)
    assert (fired.about, fired.severity, fired.window_end_ms) == ("coverage", "fail", 2 * DAY_MS)
    assert "100 of 500 predictions had a label 48 hours after their window ended." in fired.reason
    assert [one.severity for one in edges(declared, 350)] == ["warn"]
    assert edges(declared, 480) == []
    assert edges(OneBook(), 0) == []


def test_labels_that_come_late_still_resolve_a_mature_window() -> None:
    """A restated window counts with the labels that it has by now."""
    book, case = OneBook(label_horizon_hours=24.0), Case(deployment="shop")
    for day in range(4):
        take(case, window(day, day, {}, role="accuracy", labels=0, provisional=True), book, 5)
    assert [held.severity for held in case.firing.values()] == ["fail"]
    states = []
    for day in range(3):
        late = window(day, 50 + day, {}, role="accuracy", labels=500, watermark_ms=4 * DAY_MS)
        states += [one.state for one in take(case, late, book, 5)]
    assert states == ["resolved"]
