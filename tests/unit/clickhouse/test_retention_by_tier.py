"""How long rows stay by the risk of their deployment."""

from __future__ import annotations

from typing import Any

import pytest

from driftline.schemas.settings import Archive, ClickHouse
from driftline.streams.clickhouse.errors import ClickHouseError
from driftline.streams.clickhouse.retention import AUDIT, DECISIONS, EVENTS, LINEAGE, apply, clause, longer


def test_greater_risk_keeps_events_longer() -> None:
    """Deployments of medium and high risk have days of their own; the rest has the shortest."""
    tiers = {"a": "low", "b": "medium", "c": "high", "d": "high", "e": "unheard of"}
    assert longer(Archive(), tiers) == {180: ["b"], 365: ["c", "d"]}


def test_a_tier_never_shortens() -> None:
    """What every deployment keeps is the least."""
    assert longer(Archive(retention_days=400), {"b": "medium", "c": "high"}) == {}


def test_names_are_quoted() -> None:
    """A name in the archive's copy of the audit is anybody's text."""
    assert clause("arrived", 90, {365: ["it's"]}) == (
        "toDateTime(arrived) + toIntervalDay(multiIf(deployment IN ('it\\'s'), 365, 90))"
    )


def test_a_table_that_is_refused_keeps_no_other_from_its_rule() -> None:
    """A right that is missing for one is told, once the others have what they are to have."""
    asked: list[str] = []

    class Server:
        settings = ClickHouse()

        def query(self, text: str, values: dict[str, Any] | None = None) -> list[dict[str, str]]:
            if "system.tables" in text:
                return [{"name": name, "create_table_query": ""} for name in (values or {})["names"]]
            return [{"text": "SELECT 1"}] if "formatQuery" in text else []

        def command(self, text: str) -> None:
            asked.append(text)
            if "ALTER TABLE predictions" in text:
                raise ClickHouseError("predictions: not enough privileges")

    client: Any = Server()
    with pytest.raises(ClickHouseError, match="predictions"):
        apply(client, Archive())
    tables = {*EVENTS, *DECISIONS, *LINEAGE, *AUDIT} - {"predictions"}
    assert {
        table for table in tables if any(f"ALTER TABLE {table} MODIFY TTL" in one for one in asked)
    } == tables
