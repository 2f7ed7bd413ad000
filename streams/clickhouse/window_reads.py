"""Window reads: drift and performance windows as the live run told them last."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.windows.window import Window


class Published(NamedTuple):
    """A window as it was published: the digest of its profile, its counts, empty when they took too much, its rows."""

    digest: str
    counts: bytes
    rows: int


def published_days(client: Client, deployment: str, window: Window, role: str) -> dict[int, Published]:
    """Give the days of a week or month as the live run published them, by their start in ms."""
    return published(client, deployment, window._replace(resolution="1d"), window.end_ms, role)


def published(
    client: Client, deployment: str, first: Window, until_ms: int, role: str
) -> dict[int, Published]:
    """Give windows as the live run published them, from one to the last that begins before a time, ms."""
    found = client.query(
        "SELECT toUnixTimestamp64Milli(window_start) AS at, profile_digest, counts, rows FROM windows_now "
        "WHERE deployment = {deployment:String} AND resolution = {width:String} AND run = 'live' "
        "AND role = {role:String} AND model_version = {version:String} AND slot = {slot:String} "
        "AND window_start >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') "
        "AND window_start < fromUnixTimestamp64Milli({until:Int64}, 'UTC') ORDER BY window_start",
        {
            "deployment": deployment,
            "width": first.resolution,
            "role": "" if role == "drift" else role,
            "version": first.version,
            "slot": first.slot,
            "since": first.start_ms,
            "until": until_ms,
        },
        formats={"counts": "bytes"},
    )
    return {
        int(row["at"]): Published(str(row["profile_digest"]), bytes(row["counts"]), int(row["rows"]))
        for row in found
    }
