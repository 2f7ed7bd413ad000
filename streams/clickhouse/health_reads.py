"""Health reads: how often a deployment was asked, how its answers went, and how far its windows are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

HOUR_MS: Final = 3_600_000
WEEK_MS: Final = 7 * 24 * HOUR_MS
WEEKS: Final = 8
"""Past weeks that an hour is held against; older traffic says little of today's."""
AGENTS_MAX: Final = 1_000
"""Rows of services that are told; those with the most events."""
UNSEALED: Final = "(not sealed)"
"""What stands for the agent of events that came without an emitter's seal."""
QUANTILES: Final = ("latency_p50", "latency_p95", "latency_p99")
_TIME: Final = "DateTime64(3, 'UTC')"


class Hours(NamedTuple):
    """Events of the hour before a time, and of the same hour of past weeks in which there were events before it."""

    events: int
    past: list[int]


class Reached(NamedTuple):
    """How far a deployment has come: its newest event, and the watermark of each role, ms since 1970."""

    event_ms: int | None
    arrived_ms: int | None
    watermarks_ms: dict[str, int]


def hours(settings: Settings, deployment: str, at_ms: int, weeks: int = WEEKS) -> Hours:
    """Count the events of the hour before a time, and of that hour in past weeks; newest week first.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    starts = [at_ms - HOUR_MS - week * WEEK_MS for week in range(weeks + 1)]
    spans = " OR ".join(
        f"(ts >= {{s{week}:{_TIME}}} AND ts < {{s{week}:{_TIME}}} + INTERVAL 1 HOUR)"
        for week in range(len(starts))
    )
    parameters: dict[str, Any] = {f"s{week}": _utc(start) for week, start in enumerate(starts)}
    parameters |= {"deployment": deployment, "at": at_ms}
    with Client(settings.clickhouse) as client:
        counted = client.query(
            f"SELECT intDiv({{at:Int64}} - toUnixTimestamp64Milli(ts), {WEEK_MS}) AS week, count() AS n "
            f"FROM predictions WHERE deployment = {{deployment:String}} AND ({spans}) "
            "GROUP BY week",
            parameters,
        )
        oldest = client.query(
            "SELECT ts FROM predictions WHERE deployment = {deployment:String} ORDER BY deployment, ts LIMIT 1",
            parameters,
        )
    found = {int(row["week"]): int(row["n"]) for row in counted}
    since_ms = _ms(oldest[0]["ts"]) if oldest else at_ms
    past = [found.get(week, 0) for week in range(1, len(starts)) if starts[week] >= since_ms]
    return Hours(found.get(0, 0), past)


def reached(settings: Settings, deployment: str) -> Reached:
    """Tell how far a deployment has come. Raises as `hours`."""
    with Client(settings.clickhouse) as client:
        newest = client.query(
            "SELECT ts, arrived FROM predictions WHERE deployment = {deployment:String} "
            "ORDER BY deployment DESC, ts DESC LIMIT 1",
            {"deployment": deployment},
        )
        marks = client.query(
            "SELECT if(role = '', 'drift', role) AS name, max(watermark) AS at FROM windows "
            "WHERE deployment = {deployment:String} AND run = 'live' GROUP BY name ORDER BY name",
            {"deployment": deployment},
        )
    event, arrived = (_ms(newest[0]["ts"]), _ms(newest[0]["arrived"])) if newest else (None, None)
    return Reached(event, arrived, {str(row["name"]): _ms(row["at"]) for row in marks})


def services(settings: Settings, deployment: str, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
    """Give what was answered in a stretch of event time, for each version and slot, and for each agent of it.

    Keys: model_version, slot, agent (the emitter's instance; empty for all of them together), events, statuses (status
    → events), latency_known, latency_p50, latency_p95, latency_p99 (ms, within 1 % of the latency of that rank; None
    without one).

    Raises as `hours`.
    """
    mine = f"deployment = {{deployment:String}} AND ts >= {{start:{_TIME}}} AND ts < {{end:{_TIME}}}"
    sql = f"""
        SELECT
            model_version, slot, agent, grouping(agent) = 1 AS is_all, count() AS events,
            sumMap(map(ifNull(status, ''), toUInt64(1))) AS statuses,
            count(latency_ms) AS latency_known,
            quantilesDD(0.01, 0.5, 0.95, 0.99)(latency_ms) AS waits
        FROM
        (
            SELECT model_version, slot, status, latency_ms, instance AS agent
            FROM (SELECT * FROM predictions WHERE {mine}) AS said
            LEFT JOIN
            (
                SELECT partition, toUInt64(offset) AS place, any(instance) AS instance FROM batches
                WHERE topic = 'predictions' AND deployment = {{deployment:String}}
                    AND (partition, toUInt64(offset)) IN
                        (SELECT src_partition, src_offset FROM predictions WHERE {mine})
                GROUP BY partition, place
            ) AS batch ON said.src_partition = batch.partition AND said.src_offset = batch.place
        )
        GROUP BY GROUPING SETS ((model_version, slot), (model_version, slot, agent))
        ORDER BY is_all DESC, events DESC, model_version, slot, agent
        LIMIT {AGENTS_MAX}
    """
    with Client(settings.clickhouse) as client:
        rows = client.query(sql, {"deployment": deployment, "start": _utc(start_ms), "end": _utc(end_ms)})
    for row in rows:
        waits = row.pop("waits")
        known = waits if row["latency_known"] else (None, None, None)
        row |= dict(zip(QUANTILES, known, strict=True))
        if not row.pop("is_all") and not row["agent"]:
            row["agent"] = UNSEALED
    return sorted(rows, key=lambda row: (row["model_version"], row["slot"], row["agent"]))


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _ms(time: datetime) -> int:
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
