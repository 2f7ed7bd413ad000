"""Rows that came before the tier of their deployment rose."""

from __future__ import annotations

from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import reads, retention
from driftline.streams.clickhouse.client import Client

UNDONE = "SELECT 1 FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"


def test_rows_that_came_together_stay_as_long_as_a_tier_says_that_rose_later(lane: Settings) -> None:
    """By the rule of then the whole part would go; the one that holds now keeps the deployment's rows alone."""
    with Client(lane.clickhouse) as client:
        client.command("SYSTEM STOP TTL MERGES labels")
        for number in (1, 2):
            client.command(
                "INSERT INTO labels (deployment, prediction_id, known_at, arrived) "
                f"SELECT name, sipHash128({number}), now64(3), now64(3) - toIntervalDay(100) "
                "FROM values('name String', 'churn', 'other')"
            )
        client.command("OPTIMIZE TABLE labels FINAL")
        client.command(
            "INSERT INTO audit (seq, deployment, tier, arrived) VALUES (1, 'churn', 'high', now64(3))"
        )
        assert "labels" in retention.apply(client, lane.archive)
        reads.wait_until(lambda: not client.query(UNDONE), seconds=60, what="that the parts know of the rule")
        client.command("SYSTEM START TTL MERGES labels")
        client.command("OPTIMIZE TABLE labels FINAL")
        kept = client.query("SELECT deployment, count() AS n FROM labels GROUP BY deployment")
    assert [(row["deployment"], row["n"]) for row in kept] == [("churn", 2)]
