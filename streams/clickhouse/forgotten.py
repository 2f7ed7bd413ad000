"""Rows of `forgotten`, what is to be forgotten, and of `audit_followed`, how far the audit was believed."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftline.schemas.forgets import Mark
from driftline.schemas.ids import ids_named
from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.forgets import Forget
    from driftline.streams.clickhouse.client import Client


def forgotten_rows(forgets: Sequence[Forget], now_ms: int) -> pa.Table:
    """Give the rows of `forgotten`: a text that is a UUID names two ids.

    Args:
        forgets: what is to be forgotten.
        now_ms: when they are written, ms since 1970.
    """
    asked = [(one, named) for one in forgets for named in ids_named(one.target)]
    return pa.table(
        {
            "deployment": pa.array([one.deployment for one, _ in asked], pa.string()),
            "prediction_id": pa.array([named for _, named in asked], pa.binary(16)),
            "target": pa.array([one.target for one, _ in asked], pa.string()),
            "seq": pa.array([one.seq for one, _ in asked], pa.uint64()),
            "decided_at": arrow.times(np.array([one.decided_at_ms for one, _ in asked], np.int64)),
            "arrived": arrow.times(np.full(len(asked), now_ms, np.int64)),
        }
    )


def write(client: Client, forgets: Sequence[Forget]) -> None:
    """Write down what is to be forgotten; what is there already stays one row. Raises ClickHouseError."""
    rows = forgotten_rows(forgets, round(time.time() * 1000))
    if rows.num_rows:
        # The table keeps one row of each: no token has to, and one that was used may be needed again.
        client.insert("forgotten", rows, uuid.uuid4().hex)


def known(client: Client) -> set[tuple[int, str, str]]:
    """Give what is written: seq, deployment and target of each. Raises ClickHouseError."""
    rows = client.query("SELECT DISTINCT seq, deployment, target FROM forgotten")
    return {(int(row["seq"]), str(row["deployment"]), str(row["target"])) for row in rows}


def is_asked(client: Client) -> bool:
    """Whether the copy of the audit, which nobody judged, asks to forget anything. Raises ClickHouseError."""
    return bool(
        client.query("SELECT 1 AS one FROM audit WHERE op = 'forget' AND event = 'effective' LIMIT 1")
    )


def mark(client: Client, genesis: str) -> Mark | None:
    """Give how far the audit of a genesis was followed; None when it never was. Raises ClickHouseError."""
    rows = client.query(
        "SELECT size, head FROM audit_followed WHERE genesis = {genesis:String} ORDER BY size DESC LIMIT 1",
        {"genesis": genesis},
    )
    return Mark(size=int(rows[0]["size"]), head=str(rows[0]["head"])) if rows else None


def keep_mark(client: Client, genesis: str, mark: Mark) -> None:
    """Keep how far it was followed; the furthest counts. Raises ClickHouseError."""
    rows = pa.table(
        {
            "genesis": [genesis],
            "size": pa.array([mark.size], pa.uint64()),
            "head": [mark.head],
            "followed_at": arrow.times(np.array([round(time.time() * 1000)], np.int64)),
        }
    )
    client.insert("audit_followed", rows, uuid.uuid4().hex)
