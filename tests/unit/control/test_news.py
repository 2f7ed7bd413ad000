"""What somebody who may write topic `alerts` can do to a controller: have a bounded number of short things told."""

from __future__ import annotations

from typing import Any

import pytest
from clerked import Room, created
from msgspec.structs import replace
from rollout_windows import advised_to

from driftline.agents.control.controller import news as what
from driftline.agents.control.controller.news import ADVISED, News
from driftline.schemas.advice import Reason
from driftline.schemas.alert import Alert

WIDEST = "\U0001f600" * 200
"""As long a name as there may be, of characters that take the most bytes."""


def advised(room: Room) -> list[Any]:
    """Return the ids of the advice that a turn tells."""
    return [one.detail["id"] for one in room.turn() if one.event == ADVISED and one.detail]


@pytest.mark.parametrize("field", ["id", "model_version", "slot", "resolution"])
def test_advice_that_fits_no_record_stops_nothing(field: str) -> None:
    """It is not told, now or after a restart; an honest one and a halt of the same turn are."""
    room = created()
    bad = replace(advised_to("retrain", "edge-1"), **{field: "\x01" * 170_000}).to_bytes()
    for turn, expected in enumerate((["edge-2"], [])):
        room.clerk.ledger.news.hear(bad)
        room.clerk.ledger.news.hear(advised_to("retrain", "edge-2").to_bytes())
        if not turn:
            room.send("halt-serving", "oli")
        assert advised(room) == expected
        assert room.state is not None
        assert room.state.halt is not None
        room.crash()


def test_the_largest_advice_that_is_heard_is_told() -> None:
    """Names as long as they may be, and reasons of whatever length, fit into a record."""
    room = created()
    reasons = (Reason(code="\x01" * 9_000, sentence="\x01" * 9_000),) * 30
    made = replace(
        advised_to("retrain", WIDEST), model_version=WIDEST, slot=WIDEST, resolution=WIDEST, reasons=reasons,
        window_start_ms=-(2**63), window_end_ms=2**63 - 1,
    )  # fmt: skip
    room.clerk.ledger.news.hear(made.to_bytes())
    assert advised(room) == [WIDEST]


def test_advice_on_what_is_no_deployment_is_forgotten() -> None:
    """Names of strangers are neither told nor counted."""
    room, news = created(), News()
    for number in range(50):
        made = replace(advised_to("retrain", f"edge-{number}"), deployment=f"stranger-{number}").to_bytes()
        news.hear(made)
        room.clerk.ledger.news.hear(made)
    assert news.fresh({"churn"}, 1) == []
    assert len(news._told) == 0
    assert advised(room) == []


def alert(deployment: str, number: int, state: str = "firing", reason: str = "psi is 0.4") -> bytes:
    """Return an edge of an alert."""
    whole: dict[str, Any] = {
        "id": f"a{number}-1", "alert_id": f"a{number}", "ordinal": 1, "deployment": deployment, "rule": "windows",
        "about": "drift", "state": state, "severity": "fail", "importance": "normal", "priority": 2,
        "reason": reason, "since_ms": number, "made_at_ms": 1,
    }  # fmt: skip
    return Alert(**whole).to_bytes()


def test_the_same_advice_many_times_is_one() -> None:
    """A copy uses up nothing of what a deployment may be told an hour."""
    news = News()
    for _ in range(what.MOST_AN_HOUR + 1):
        news.hear(advised_to("retrain", "edge").to_bytes())
    news.hear(advised_to("retrain", "other").to_bytes())
    assert [one.id for one in news.fresh({"churn"}, 1)] == ["edge", "other"]


def test_alerts_of_however_many_deployments_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most of all, one of the deployment that was heard of first goes; names that are none are not kept."""
    monkeypatch.setattr(what, "MAX_ALL_FIRING", 10)
    news = News()
    news.hear(alert("x" * 100_000, 1))
    for number in range(12):
        for _ in range(2):
            news.hear(alert(f"d{number}", number, reason="\x01" * 100_000))
    assert [len(news.firing(f"d{number}")) for number in range(12)] == [0, 0, *[1] * 10]
    assert len(news._firing) == 10
    assert len(news.firing("d11")[0]["reason"]) == 300
    for number in range(12):
        news.hear(alert(f"d{number}", number, "resolved"))
    assert (news._firing, news._firing_count) == ({}, 0)


def test_alerts_of_one_deployment_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the most of one, the one that fired first goes, and another's stay."""
    monkeypatch.setattr(what, "MAX_FIRING", 3)
    news = News()
    news.hear(alert("other", 0))
    for number in range(5):
        news.hear(alert("churn", number))
    assert [one["alert"] for one in news.firing("churn")] == ["a2", "a3", "a4"]
    assert len(news.firing("other")) == 1
    assert news._firing_count == 4
