"""The view `ledger` closes the books of every life as `driftline emitters` does, on a real ClickHouse."""

from __future__ import annotations

import random
import time
from typing import Any

from driftline.schemas.settings import Settings
from driftline.streams.archive.emitter_books import emitter_lives
from driftline.streams.archive.reconcile import reconcile
from driftline.streams.clickhouse.book_rows import BatchRow, batch_rows
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.emitter_rows import emitter_rows, spool_rows

SEED = 7
LIVES = 60
SILENCES_MS = (0, 60_000, 3_600_000, 86_400_000)
"""Alive, silent, ended: far from the limits, so that the time between the two questions does not matter."""


def life(rng: random.Random, number: int, now_ms: int) -> tuple[dict[str, Any], int]:
    """Make the last heartbeat of a life; every third one is of an instance that has several epochs."""
    books = []
    for topic in ("predictions", "labels"):
        parts = [rng.choice([0, rng.randrange(50)]) for _ in range(4)]
        delivered, spooled, in_flight, given_up = parts
        dropped = {"buffer_full": given_up, "expired": 1} if given_up else {}
        enqueued = sum(parts) + (1 if given_up else 0) + rng.choice([0, 0, 0, 5])
        books.append(
            {"topic": topic, "next_seq": rng.randrange(6), "announced_rows": enqueued, "enqueued": enqueued,
             "delivered": delivered, "spooled": spooled, "in_flight": in_flight, "dropped": dropped}
        )  # fmt: skip
    arrived_ms = now_ms - rng.choice(SILENCES_MS)
    instance = f"several-{number % 5}" if number % 3 == 0 else f"single-{number}"
    adopted = [
        {"instance": f"single-{rng.randrange(LIVES)}", "epoch": 1, "topic": rng.choice(["predictions", "labels"]),
         "spooled": rng.randrange(9), "delivered": rng.randrange(9), "dropped": {"expired": rng.randrange(3)}}
    ]  # fmt: skip
    status = {
        "instance": instance, "epoch": number // 3 + 1 if number % 3 == 0 else 1, "deployment": "churn",
        "model_version": "7", "slot": "champion", "host": "box", "pid": 1, "time_ms": arrived_ms - number,
        "started_ms": 0, "heartbeat_ms": 10_000, "closed": rng.random() < 0.2, "books": books,
        "adopted": adopted if rng.random() < 0.5 else [], "buffer_bytes": 0,
        "buffer_cap_rows": rng.choice([0, 3, 1_000]), "spool_bytes": 0, "oldest_spooled_ms": None,
    }  # fmt: skip
    return status, arrived_ms


def test_the_view_and_the_command_say_the_same(lane: Settings) -> None:
    """State, enqueued, delivered, dropped, spooled, lost and not arrived are equal for lives of every kind."""
    rng, now_ms = random.Random(SEED), time.time_ns() // 1_000_000
    beats = [life(rng, number, now_ms) for number in range(LIVES)]
    stored = [
        BatchRow("churn", status["instance"], status["epoch"], seq, rng.randrange(20), 0, now_ms)
        for status, _ in beats
        for seq in rng.choices(range(6), k=rng.randrange(6))
    ]
    with Client(lane.clickhouse) as client:
        client.insert("emitters", emitter_rows(beats), "emitters")
        client.insert("adopted_spools", spool_rows(beats), "spools")
        client.insert("batches", batch_rows("predictions", "life", 0, stored), "batches")
        viewed = client.query("SELECT * FROM ledger ORDER BY deployment, instance, epoch, topic")
    lives = emitter_lives(lane, "churn")
    assert len(viewed) == len(lives) == 2 * LIVES
    accounts = [reconcile(one, time.time_ns() // 1_000_000) for one in lives]
    assert [
        (row["instance"], row["epoch"], row["topic"], row["state"], row["enqueued"], row["delivered"], row["spooled"],
         row["dropped"], row["lost_in_crash"], row["unarrived"], row["doubled_batches"])
        for row in viewed
    ] == [
        (one.instance, one.epoch, one.topic, account.state, account.enqueued, account.delivered,
         account.spooled, sum(account.dropped.values()), account.lost_in_crash, account.unarrived, one.doubled_batches)
        for one, account in zip(lives, accounts, strict=True)
    ]  # fmt: skip
    assert {account.state for account in accounts} == {"alive", "silent", "closed", "ended"}
    assert sum(account.lost_in_crash for account in accounts) > 0
    assert any(account.enqueued > one.enqueued for one, account in zip(lives, accounts, strict=True))
    assert any(
        one.newer_ms is not None and account.state == "ended"
        for one, account in zip(lives, accounts, strict=True)
    )
