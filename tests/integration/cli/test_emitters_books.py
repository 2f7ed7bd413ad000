"""`driftline emitters` on a real ClickHouse: four questions to the books, one account a life."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from driftline.deploy.cli import main
from driftline.deploy.local.environment import variables
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.book_rows import BatchRow, BlockRow, batch_rows, block_row
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.emitter_rows import emitter_rows, spool_rows

LONG_AGO_MS = 3_600_000


def status(instance: str, now_ms: int, **changes: Any) -> dict[str, Any]:
    """Return a heartbeat: ten rows accepted, six delivered in two batches, four in memory."""
    book = {"topic": "predictions", "next_seq": 2, "announced_rows": 10, "enqueued": 10, "delivered": 6,
            "spooled": 0, "in_flight": 4, "dropped": {}}  # fmt: skip
    return {
        "instance": instance, "epoch": 1, "deployment": "churn", "model_version": "7", "slot": "champion",
        "host": "box", "pid": 1, "time_ms": now_ms, "started_ms": now_ms, "heartbeat_ms": 10_000, "closed": False,
        "books": [book],
        "adopted": [], "buffer_bytes": 0, "buffer_cap_rows": 100, "spool_bytes": 0, "oldest_spooled_ms": None,
    } | changes  # fmt: skip


def test_each_life_is_held_to_what_lies_here(
    lane: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A live emitter is ok; one that ended lost its memory; what an adopter says of a dead one's spool counts."""
    now_ms = time.time_ns() // 1_000_000
    old_ms = now_ms - LONG_AGO_MS
    spooled = {"topic": "predictions", "next_seq": 2, "announced_rows": 10, "enqueued": 10, "delivered": 3,
               "spooled": 7, "in_flight": 0, "dropped": {}}  # fmt: skip
    taken = {
        "instance": "gone",
        "epoch": 1,
        "topic": "predictions",
        "spooled": 4,
        "delivered": 3,
        "dropped": {},
    }
    beats = [
        (status("live", now_ms, adopted=[taken]), now_ms),
        (status("killed", old_ms), old_ms),
        (status("gone", old_ms, books=[spooled]), old_ms),
    ]
    batches = [
        BatchRow("churn", instance, 1, seq, 3, at, old_ms)
        for at, (instance, seq) in enumerate((one, seq) for one in ("live", "killed", "gone") for seq in (0, 1))
    ]  # fmt: skip
    with Client(lane.clickhouse) as client:
        client.insert("emitters", emitter_rows(beats), "emitters")
        client.insert("adopted_spools", spool_rows(beats), "spools")
        client.insert("batches", batch_rows("predictions", "life", 0, batches), "batches")
        block = BlockRow(0, 8, 9, 18, 3, 0, now_ms)
        client.insert("blocks", block_row("predictions", "life", 0, block), "blocks")
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)
    assert main(["emitters", "churn", "--json"]) == 0
    rows = {row["instance"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name: (row["state"], row["verdict"], row["lost_in_crash"]) for name, row in rows.items()} == {
        "live": ("alive", "ok", 0),
        "killed": ("ended", "fail", 4),
        "gone": ("ended", "warn", 0),
    }
    gone = rows["gone"]
    assert (gone["delivered"], gone["stored"], gone["spooled"], gone["missing_batches"]) == (6, 6, 4, 0)
    assert (gone["duplicates"], gone["topic_duplicates"]) == (0, 3)
