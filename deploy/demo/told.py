"""What was told: the edges of every alert, as ClickHouse has them, and whether the receivers heard each of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka.admin import AdminClient

from driftline.deploy.advice.view import span
from driftline.deploy.demo.people import ROUTE
from driftline.deploy.local.lag import lags
from driftline.schemas.settings import kafka_config
from driftline.streams.clickhouse.errors import ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.deploy.demo.people import People
    from driftline.schemas.settings import Settings

READERS: Final = (("alerts", "windows"), (f"alerts-to-{ROUTE}", "alerts"), ("archive", "alerts"))
"""Groups and the topic that each must have read to its end."""
STILL_S: Final = 1.0
"""How long all must have been read: the position of the windows is written a moment before the edges."""
POLL_S: Final = 0.3


def wait_until_told(settings: Settings, people: People, seconds: float, told: Callable[[str], None]) -> None:
    """Wait until every window has been looked at for alerts, and every edge is stored and told.

    Args:
        settings: where Kafka is.
        people: who hears.
        seconds: how long to wait.
        told: called with what is missing.

    Raises:
        ClickHouseError: it was not so in time.
        StackError: Kafka does not answer.
    """
    admin = AdminClient({**kafka_config(settings.kafka), "log_level": 0})
    deadline = time.monotonic() + seconds
    still_since = None
    while True:
        missing = _missing(settings, admin, people)
        now = time.monotonic()
        still_since = None if missing else still_since or now
        if still_since is not None and now - still_since >= STILL_S:
            return
        if now > deadline:
            raise ClickHouseError(f"after {seconds:.0f} s {missing}: the log of the alerts worker says why")
        told(missing or "all alerts are told")
        time.sleep(POLL_S)


def _missing(settings: Settings, admin: AdminClient, people: People) -> str:
    prefix = settings.kafka.topic_prefix
    found = lags(settings, admin, sorted({role for role, _ in READERS}))
    for role, topic in READERS:
        behind = sum(one.lag for one in found if (one.role, one.topic) == (role, prefix + topic))
        if behind:
            return f"{behind:,} records of {topic} wait for {role}"
    heard = people.heard
    resolved = {edge.alert_id for edge in heard.edges.values() if edge.state == "resolved"}
    if people.has_alertmanager and resolved and ("resolved" not in {state for _, state in heard.passed_on}):
        return "Alertmanager has not passed on yet that an alert is resolved"
    return ""


def alerts_told(rows: Sequence[Mapping[str, Any]], people: People) -> dict[str, Any]:
    """Give every alert from its first edge to its last, and what the receivers heard.

    Args:
        rows: the edges of the deployment, as `alert_reads.edges` returns them.
        people: who heard.

    Returns:
        `fired` and `resolved` (edges), `open`, `list` of {about, name, segment, severity, fired_at, resolved, reason}
        in the order of firing (`fired_at` and `resolved` name windows; `resolved` is None while it fires), `received`
        {edges, twice, forged, missing} and `alertmanager` {firing, resolved}, None where there is none.
    """
    heard = people.heard
    stored = {row["id"] for row in rows}
    found: list[dict[str, Any]] = []
    fires: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["state"] == "resolved":
            one = fires.pop(row["alert_id"], None)
            if one is not None:
                one["resolved"] = _window(row)
            continue
        one = fires.get(row["alert_id"])
        if one is None:
            one = fires[row["alert_id"]] = {
                **{name: row[name] for name in ("about", "name", "segment", "severity")},
                "fired_at": _window(row),
                "resolved": None,
                "reason": row["reason"],
            }
            found.append(one)
        one["severity"] = row["severity"]
    states = [row["state"] for row in rows]
    through = [state for _, state in heard.passed_on]
    return {
        "fired": states.count("firing"),
        "resolved": states.count("resolved"),
        "open": len(fires),
        "list": found,
        "received": {
            "edges": len(heard.edges),
            "twice": heard.repeats,
            "forged": heard.forged,
            "missing": len(stored - heard.edges.keys()),
        },
        "alertmanager": {state: through.count(state) for state in ("firing", "resolved")}
        if people.has_alertmanager
        else None,
    }


def _window(row: Mapping[str, Any]) -> str:
    """Name the window that made an edge; of one that no window made, the day."""
    start = row["window_start"] or row["since"]
    return span(round(start.timestamp() * 1000), row["resolution"])


def unheard(alerts: Mapping[str, Any]) -> list[str]:
    """Say in sentences what did not reach the receivers."""
    received, through = alerts["received"], alerts["alertmanager"]
    found = []
    if not alerts["fired"]:
        found.append("no alert fired")
    if received["missing"]:
        found.append(f"{received['missing']:,} edges of alerts did not reach the receiver")
    if received["edges"] != alerts["fired"] + alerts["resolved"] and not received["missing"]:
        found.append(f"the receiver heard {received['edges']:,} edges, ClickHouse has another number")
    if received["twice"]:
        found.append(f"the receiver was told {received['twice']:,} edges twice")
    if received["forged"]:
        found.append(f"{received['forged']:,} requests had no valid signature")
    if through is not None and not through["firing"]:
        found.append("Alertmanager passed on no alert that fires")
    return found
