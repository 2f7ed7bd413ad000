"""Reads of `alerts`: what the command line asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.schemas.alert import Alert
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from datetime import datetime

    from driftline.schemas.settings import Settings

_SAME = ("id", "alert_id", "ordinal", "deployment", "rule", "about", "name", "segment", "slot", "state", "severity",
         "importance", "priority", "reason", "model_version", "resolution", "window_version", "rows",
         "settings_revision", "owner", "team", "runbook")  # fmt: skip
_FIGURE = (
    "feature",
    "metric",
    "value",
    "low",
    "high",
    "threshold_null",
    "floor",
    "block",
    "verdict",
    "reason",
    "rows",
)
_SHOWN = (
    f"{', '.join(_SAME)}, routes, window_start, window_end, since, made_at, acknowledged_by, acknowledged_at, comment, "
    + ", ".join(f"figures.{name} AS figure_{name}" for name in _FIGURE)
)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; None leaves a part open. `name` is an alert's, or the beginning of it."""

    deployment: str | None = None
    is_open: bool = False
    name: str | None = None


def alerts(settings: Settings, chosen: AlertFilter, limit: int) -> list[dict[str, Any]]:
    """Give the last edge of each alert: those that fire first, the most urgent first, then the newest.

    Keys: those of the record `Alert` with times as datetime (UTC) and figures as dictionaries, acknowledged_by
    (empty for nobody), acknowledged_at and comment.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    parts, parameters = ["1"], {}
    if chosen.deployment is not None:
        parts.append("deployment = {deployment:String}")
        parameters["deployment"] = chosen.deployment
    if chosen.is_open:
        parts.append("state = 'firing'")
    if chosen.name is not None:
        parts.append("startsWith(alert_id, {name:String})")
        parameters["name"] = chosen.name
    with Client(settings.clickhouse) as client:
        rows = client.query(
            f"SELECT {_SHOWN} FROM alerts_now WHERE {' AND '.join(parts)} "
            "ORDER BY state, priority, made_at DESC, alert_id LIMIT {limit:UInt64}",
            {**parameters, "limit": limit},
        )
    return [_with_figures(row) for row in rows]


def edges(settings: Settings, deployment: str) -> list[dict[str, Any]]:
    """Give every edge of a deployment's alerts, in the order in which they were made.

    Keys: id, alert_id, ordinal, about, name, segment, slot, state, severity, reason, resolution, window_start,
    window_end, since, made_at (datetime, UTC). Raises as `alerts`.
    """
    with Client(settings.clickhouse) as client:
        return client.query(
            "SELECT id, alert_id, ordinal, about, name, segment, slot, state, severity, reason, resolution, "
            "window_start, window_end, since, made_at FROM alerts FINAL "
            "WHERE deployment = {deployment:String} AND state != 'acknowledged' ORDER BY src_offset, id",
            {"deployment": deployment},
        )


def alerted_deployments(settings: Settings) -> list[str]:
    """Give the deployments that have had an alert, sorted. Raises as `alerts`."""
    with Client(settings.clickhouse) as client:
        rows = client.query("SELECT DISTINCT deployment FROM alerts ORDER BY deployment")
    return [str(row["deployment"]) for row in rows]


def edge_of(row: dict[str, Any]) -> Alert:
    """The edge of a row of `alerts`, without its figures: what an acknowledgement is made of."""
    whole: dict[str, Any] = {name: row[name] for name in _SAME}
    whole |= {
        f"{name}_ms": _epoch_ms(row[name]) for name in ("window_start", "window_end", "since", "made_at")
    }
    return Alert(**whole, routes=tuple(row["routes"]))


def _with_figures(row: dict[str, Any]) -> dict[str, Any]:
    columns = {name.removeprefix("threshold_"): row.pop(f"figure_{name}") for name in _FIGURE}
    row["figures"] = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    row["routes"] = list(row["routes"])
    return row


def _epoch_ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
