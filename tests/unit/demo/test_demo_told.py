"""Edges as ClickHouse has them become alerts with a beginning and an end, held against what the receivers heard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from driftline.deploy.demo.people import People
from driftline.deploy.demo.receiver import Heard
from driftline.deploy.demo.told import alerts_told, unheard
from driftline.schemas.settings import Alerts


def row(alert: str, ordinal: int, state: str, month: int, severity: str = "fail") -> dict[str, Any]:
    """Return one edge of an alert on a month of 2013."""
    return {
        "id": f"{alert}-{ordinal}", "alert_id": alert, "about": "drift", "name": alert, "segment": "",
        "state": state, "severity": severity, "reason": "psi", "resolution": "1M",
        "window_start": datetime(2013, month, 1, tzinfo=UTC), "since": datetime(2013, month, 1, tzinfo=UTC),
    }  # fmt: skip


ROWS = [
    row("temp", 1, "firing", 4, "warn"),
    row("temp", 2, "firing", 5),
    row("dest", 1, "firing", 6),
    row("temp", 3, "resolved", 11),
    row("temp", 4, "firing", 12),
]


def heard(*ids: str) -> People:
    """Return a receiver that has heard of some edges, and an Alertmanager that passed two on."""
    of = Heard(edges=dict.fromkeys(ids), passed_on={("temp", "firing"), ("temp", "resolved")})  # type: ignore[arg-type]
    return People(of, Alerts(), has_alertmanager=True)


def test_an_alert_is_one_line_from_firing_to_resolved() -> None:
    """One that fires harder stays one alert with the greater severity; one that fires again is another."""
    found = alerts_told(ROWS, heard(*(one["id"] for one in ROWS)))
    told = [(one["name"], one["severity"], one["fired_at"], one["resolved"]) for one in found["list"]]
    assert told == [
        ("temp", "fail", "2013-04", "2013-11"),
        ("dest", "fail", "2013-06", None),
        ("temp", "fail", "2013-12", None),
    ]
    assert (found["fired"], found["resolved"], found["open"]) == (4, 1, 2)
    assert found["alertmanager"] == {"firing": 1, "resolved": 1}
    assert unheard(found) == []


def test_an_edge_that_nobody_heard_is_missed() -> None:
    """What ClickHouse has and the receiver has not is counted, and is a fault."""
    found = alerts_told(ROWS, heard("temp-1", "temp-2", "dest-1", "temp-3"))
    assert found["received"]["missing"] == 1
    assert unheard(found) == ["1 edges of alerts did not reach the receiver"]
