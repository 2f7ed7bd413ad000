"""The emitters' books: the last heartbeat of each life beside what is stored of it, read from ClickHouse."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from driftline.streams.archive.reconcile import Life, Spool
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.schemas.settings import Settings

Rows = list[dict[str, Any]]
Key = tuple[str, str, int, str]

_SAME = ("deployment", "instance", "epoch", "topic", "model_version", "slot", "host", "pid", "enqueued", "delivered",
         "spooled", "in_flight", "dropped", "closed")  # fmt: skip


def emitter_lives(settings: Settings, deployment: str | None = None) -> list[Life]:
    """Give each topic of each emitter life, of one deployment or of all, in order of deployment, instance, epoch.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    where = "" if deployment is None else "WHERE deployment = {deployment:String} "
    parameters = {} if deployment is None else {"deployment": deployment}
    with Client(settings.clickhouse) as client:
        said = client.query(
            "SELECT deployment, instance, epoch, topic, model_version, slot, host, pid, heartbeat_at, heartbeat_ms, "
            "closed, enqueued, delivered, spooled, in_flight, dropped, buffer_cap_rows, arrived "
            f"FROM emitters_now {where}ORDER BY deployment, instance, epoch, topic",
            parameters,
        )
        stored = client.query(
            "SELECT deployment, instance, epoch, topic, stored_rows, missing_batches "
            f"FROM ledger {where}ORDER BY deployment, instance, epoch, topic",
            parameters,
        )
        doubled = client.query(
            "SELECT deployment, instance, epoch, topic, count() - uniqExact(seq) AS doubled "
            f"FROM batches {where}GROUP BY deployment, instance, epoch, topic HAVING doubled > 0",
            parameters,
        )
        spools = client.query(
            "SELECT deployment, instance, epoch, topic, heartbeat_at, spooled, delivered, dropped "
            f"FROM adopted_spools_now {where}ORDER BY heartbeat_at",
            parameters,
        )
    return lives_of(said, stored, doubled, spools)


def skipped_duplicates(settings: Settings) -> dict[str, int]:
    """Give the messages of each topic that the archive had already, and left out. Raises as `emitter_lives`."""
    with Client(settings.clickhouse) as client:
        rows = client.query("SELECT topic, sum(duplicates) AS n FROM blocks GROUP BY topic ORDER BY topic")
    return {str(row["topic"]): int(row["n"]) for row in rows}


def lives_of(said: Rows, stored: Rows, doubled: Rows, spools: Rows) -> list[Life]:
    """Join the rows of the four questions of `emitter_lives`; `spools` in order of their heartbeats."""
    stored_of = {_key(row): row for row in stored}
    doubled_of = {_key(row): int(row["doubled"]) for row in doubled}
    taken, newer = _spools(spools), _newer(said)
    return [
        _life(row, stored_of.get(_key(row), {}), doubled_of.get(_key(row), 0), newer, taken) for row in said
    ]


def _newer(said: Rows) -> dict[tuple[str, str, int], int]:
    """When each life was overtaken: the newest arrival of a later epoch of its instance; lives without one lack."""
    heard: dict[tuple[str, str], dict[int, int]] = {}
    for row in said:
        epochs = heard.setdefault((str(row["deployment"]), str(row["instance"])), {})
        epochs[int(row["epoch"])] = max(epochs.get(int(row["epoch"]), 0), _ms(row["arrived"]))
    found: dict[tuple[str, str, int], int] = {}
    for (deployment, instance), epochs in heard.items():
        newest = None
        for epoch in sorted(epochs, reverse=True):
            if newest is not None:
                found[deployment, instance, epoch] = newest
            newest = epochs[epoch] if newest is None else max(newest, epochs[epoch])
    return found


def _life(
    row: Mapping[str, Any],
    stored: Mapping[str, Any],
    doubled: int,
    newer: Mapping[tuple[str, str, int], int],
    spools: Mapping[Key, Spool],
) -> Life:
    key = _key(row)
    return Life(
        **{name: row[name] for name in _SAME},
        cap_rows=row["buffer_cap_rows"],
        heartbeat_at_ms=_ms(row["heartbeat_at"]),
        arrived_ms=_ms(row["arrived"]),
        beat_ms=row["heartbeat_ms"],
        stored_rows=int(stored.get("stored_rows", 0)),
        missing_batches=max(0, int(stored.get("missing_batches", 0))),
        doubled_batches=doubled,
        newer_ms=newer.get(key[:3]),
        spool=spools.get(key),
    )


def _spools(rows: Iterable[Mapping[str, Any]]) -> dict[Key, Spool]:
    """One spool may pass through several hands: what each delivered adds up, the last one has what waits."""
    found: dict[Key, Spool] = {}
    for row in rows:
        before = found.get(_key(row), Spool())
        found[_key(row)] = Spool(
            waiting=int(row["spooled"]),
            delivered=before.delivered + int(row["delivered"]),
            dropped=dict(Counter(before.dropped) + Counter(row["dropped"])),
        )
    return found


def _key(row: Mapping[str, Any]) -> Key:
    return str(row["deployment"]), str(row["instance"]), int(row["epoch"]), str(row["topic"])


def _ms(time: datetime) -> int:
    """Milliseconds since 1970; a time without a zone is UTC."""
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
