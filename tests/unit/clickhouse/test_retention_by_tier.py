"""How long rows stay by the risk of their deployment."""

from __future__ import annotations

from typing import Any

import pytest

from driftline.schemas.settings import Archive, ClickHouse
from driftline.streams.clickhouse.errors import ClickHouseAwayError, ClickHouseError
from driftline.streams.clickhouse.retention import (
    AUDIT,
    DECISIONS,
    EVENTS,
    KEPT,
    LINEAGE,
    apply,
    clause,
    longer,
)


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


class Server:
    """A server that refuses, or does not answer, what some texts begin with; `kept_lookup` is there or is not."""

    settings = ClickHouse()

    def __init__(self, view: str, *bad: tuple[str, ClickHouseError]) -> None:
        self.view, self.bad, self.asked = view, bad, list[str]()

    def query(self, text: str, values: dict[str, Any] | None = None) -> list[dict[str, str]]:
        """Tell of every table, and of no deployment."""
        if "system.tables" in text:
            names = [name for name in (values or {})["names"] if name != KEPT or self.view]
            return [{"name": name, "create_table_query": self.view} for name in names]
        return [{"text": "SELECT 1"}] if "formatQuery" in text else []

    def command(self, text: str) -> None:
        """Keep what is asked."""
        self.asked.append(text)
        for begin, error in self.bad:
            if text.startswith(begin):
                raise error


def test_the_view_is_made_though_nobody_said_that_it_was_dropped() -> None:
    """While a server of a cluster is away its answer is; the others would have no view until it is back."""
    client: Any = Server("a view", ("DROP VIEW", ClickHouseAwayError("no answer")))
    with pytest.raises(ClickHouseAwayError):
        apply(client, Archive())
    assert [one.split(" kept_lookup")[0] for one in client.asked[-2:]] == [
        "DROP VIEW IF EXISTS",
        "CREATE VIEW IF NOT EXISTS",
    ]
    client = Server("")
    assert apply(client, Archive())[-1] == KEPT
    assert [one for one in client.asked if one.startswith("DROP")] == []


def test_a_server_that_goes_away_is_asked_no_more() -> None:
    """Each statement would wait for it, and what else is to be kept in order with them; it is told that it was away."""
    away = ("ALTER TABLE labels MODIFY SETTING", ClickHouseAwayError("no answer"))
    client: Any = Server("", ("ALTER TABLE predictions MODIFY SETTING", ClickHouseError("no right")), away)
    with pytest.raises(ClickHouseAwayError):
        apply(client, Archive())
    assert [one.split(" MODIFY")[0] for one in client.asked] == [
        "ALTER TABLE predictions",
        "ALTER TABLE labels",
    ]


def test_a_table_that_is_refused_keeps_no_other_from_its_rule() -> None:
    """A right that is missing for one is told, once the others have what they are to have."""
    client: Any = Server(
        "", ("ALTER TABLE predictions", ClickHouseError("predictions: not enough privileges"))
    )
    with pytest.raises(ClickHouseError, match="predictions"):
        apply(client, Archive())
    tables = {*EVENTS, *DECISIONS, *LINEAGE, *AUDIT} - {"predictions"}
    assert {
        table for table in tables if any(f"ALTER TABLE {table} MODIFY TTL" in one for one in client.asked)
    } == tables
    assert client.asked[-1].startswith(f"CREATE VIEW IF NOT EXISTS {KEPT} ")
