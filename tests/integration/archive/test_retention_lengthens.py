"""Rows that came before the rule of how long they stay was another."""

from __future__ import annotations

from msgspec.structs import replace

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


def test_windows_stay_as_long_as_a_setting_says_that_is_raised_later(lane: Settings) -> None:
    """A part whose rows came when two years were the rule does not go by it when seven are."""
    archive = replace(lane.archive, windows_retention_days=2_557)
    with Client(lane.clickhouse) as client:
        client.command("SYSTEM STOP TTL MERGES windows")
        client.command(
            "INSERT INTO windows (deployment, arrived) VALUES ('churn', now64(3) - toIntervalDay(800))"
        )
        assert "windows" in retention.apply(client, archive)
        reads.wait_until(lambda: not client.query(UNDONE), seconds=60, what="that the parts know of the rule")
        client.command("SYSTEM START TTL MERGES windows")
        client.command("OPTIMIZE TABLE windows FINAL")
        kept = client.query("SELECT count() AS n FROM windows WHERE deployment = 'churn'")
        assert retention.apply(client, archive) == []
    assert kept[0]["n"] == 1
