"""What receivers are sent: bodies, signatures, pauses, and what an Alertmanager hears of."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import Any

import msgspec
import pytest
from bad_windows import OneBook, window

from driftline.schemas.alert import Alert, acknowledgement
from driftline.schemas.deployment import AlertRule
from driftline.streams.alerts.alertmanager import MOST, RESENDS, RESOLVED_MS, Board, labels
from driftline.streams.alerts.case import Case
from driftline.streams.alerts.webhook import LONGEST_PAUSE_S, body, headers, is_refusal, pause_s
from driftline.streams.alerts.windows import take

SECRET = b"sixteen letters or more"


def edges(*verdicts: str, made_at_ms: int = 1_000, **given: Any) -> list[Alert]:
    """The edges of a row of days with a rule of one window."""
    book, case = OneBook(alerts=AlertRule(k=1, m=1), **given), Case(deployment="shop")
    results = [window(day, day, {"x": verdict}) for day, verdict in enumerate(verdicts)]
    return [one for at, result in enumerate(results) for one in take(case, result, book, made_at_ms + at)]


def test_a_webhook_is_signed_with_its_time() -> None:
    """A receiver that knows the secret finds the signature over time and body; without a secret there is none."""
    (edge,) = edges("fail")
    content = body(edge)
    given = headers(edge.id, content, SECRET, 99)
    wanted = hmac.new(SECRET, b"99." + content, hashlib.sha256).hexdigest()
    assert given["Driftline-Signature"] == f"t=99,v1={wanted}"
    assert given["Idempotency-Key"] == edge.id == json.loads(content)["id"]
    assert "Driftline-Signature" not in headers(edge.id, content, b"", 99)


def test_pauses_double_up_to_a_bound_and_differ_by_chance() -> None:
    """Each lies between half of the doubled pause and all of it; no number of failures makes it longer."""
    rng = random.Random(1)
    for failures, most in ((1, 0.5), (2, 1.0), (5, 8.0), (20, LONGEST_PAUSE_S), (10**6, LONGEST_PAUSE_S)):
        drawn = [pause_s(failures, rng) for _ in range(50)]
        assert most / 2 <= min(drawn) < max(drawn) <= most


@pytest.mark.parametrize("status", [301, 401, 404, 408, 429, 500, 503])
def test_what_may_be_mended_is_no_refusal(status: int) -> None:
    """A receiver that is not there yet, asks to wait or fails is tried again."""
    assert not is_refusal(status)


def said(board: Board, now_ms: int = 2_000, resend_ms: int = 60_000) -> list[dict[str, Any]]:
    """All that an Alertmanager hears."""
    return [one for part in board.due(now_ms, resend_ms) for one in part]


def test_what_fires_is_said_again_and_ends_four_intervals_later() -> None:
    """As Prometheus does: startsAt stays, endsAt moves on with each time it is said."""
    (edge,) = edges("fail", owner="Ana", runbook="https://wiki.example.org/x", importance="high")
    board = Board()
    assert board.take(edge, 2_000)
    assert not board.take(edge, 2_000)
    (first,) = said(board)
    assert first["labels"]["alertname"] == "driftline_drift"
    assert (first["labels"]["severity"], first["labels"]["owner"]) == ("critical", "Ana")
    assert "segment" not in first["labels"]
    assert first["annotations"]["runbook_url"] == "https://wiki.example.org/x"
    assert (
        first["annotations"]["look"] == "driftline windows shop --resolution 1d --since 1970-01-01T00:00:00Z"
    )
    assert first["startsAt"] == "1970-01-01T00:00:01.000+00:00"
    assert first["endsAt"] == f"1970-01-01T00:0{RESENDS}:02.000+00:00"
    (again,) = said(board, now_ms=62_000)
    assert (again["startsAt"], again["endsAt"]) == (first["startsAt"], "1970-01-01T00:05:02.000+00:00")


def test_what_is_resolved_is_said_for_a_quarter_of_an_hour() -> None:
    """With the end that it had; then it is forgotten."""
    board = Board()
    assert sum(board.take(one, 2_000) for one in edges("fail", "ok")) == 2
    assert board.firing == 0
    assert [one["endsAt"] for one in said(board)] == ["1970-01-01T00:00:01.001+00:00"]
    assert said(board, now_ms=1_002 + RESOLVED_MS) == []


def test_a_warning_that_becomes_a_failure_ends_under_its_old_labels() -> None:
    """Alertmanager would otherwise keep the warning until its time is up, beside the failure."""
    board = Board()
    warned, failed = edges("warn", "fail")
    board.take(warned, 2_000)
    board.take(failed, 2_000)
    by_severity = {one["labels"]["severity"]: one["endsAt"] for one in said(board)}
    assert by_severity["warning"] == "1970-01-01T00:00:01.001+00:00"
    assert by_severity["critical"] > by_severity["warning"]
    assert board.firing == 1


def test_an_acknowledgement_changes_nothing_for_receivers() -> None:
    """Who knows of an alert does not end it."""
    (edge,) = edges("fail")
    board = Board()
    board.take(edge, 2_000)
    assert not board.take(acknowledgement(edge, "Ana", "looking", 9), 2_000)
    assert len(said(board)) == 1


def test_what_ended_makes_room_for_what_fires() -> None:
    """However many alerts come and go after it, one that fires is still said to fire."""
    fired, resolved = edges("fail", "ok")
    board = Board()
    board.take(fired, 2_000)
    for number in range(MOST):
        for edge in (fired, resolved):
            name = str(number)
            board.take(msgspec.structs.replace(edge, id=f"{name}-{edge.state}", alert_id=name), 2_000)
    assert board.firing == 1
    assert said(board)[0]["labels"]["alert_id"] == fired.alert_id
    assert len(said(board)) == MOST


def test_a_warning_let_go_leaves_the_failure_it_became(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry under the old labels makes room; the one under the new labels fires, and its end is said."""
    monkeypatch.setattr("driftline.streams.alerts.alertmanager.MOST", 2)
    warned, failed, resolved = edges("warn", "fail", "ok")
    board = Board()
    other = msgspec.structs.replace(failed, id="other-1", alert_id="other")
    for edge in (warned, failed, other):
        board.take(edge, 2_000)
    assert (board.shed, board.firing, len(said(board))) == (1, 2, 2)
    assert board.take(resolved, 2_000)
    by_alert = {one["labels"]["alert_id"]: one for one in said(board)}
    assert by_alert[resolved.alert_id]["labels"]["severity"] == "critical"
    assert by_alert[resolved.alert_id]["endsAt"] < by_alert["other"]["endsAt"]


def test_the_past_of_the_topic_is_not_kept() -> None:
    """What ended more than a quarter of an hour before it is read takes no place."""
    board = Board()
    for number in range(3):
        for edge in edges("fail", "ok"):
            name = str(number)
            board.take(
                msgspec.structs.replace(edge, id=f"{name}-{edge.state}", alert_id=name), 2_000 + RESOLVED_MS
            )
    assert (board.firing, said(board)) == (0, [])


def test_the_board_is_bounded() -> None:
    """Past the bound the alert that changed longest ago is let go, and counted."""
    (edge,) = edges("fail")
    board = Board()
    for number in range(MOST + 3):
        board.take(msgspec.structs.replace(edge, id=f"{number}-1", alert_id=str(number)), 2_000)
    assert (board.shed, board.firing, len(said(board))) == (3, MOST, MOST)
    assert labels(edge)["alert_id"] == edge.alert_id
