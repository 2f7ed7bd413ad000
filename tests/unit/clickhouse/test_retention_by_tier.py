"""How long rows stay by the risk of their deployment."""

from __future__ import annotations

from driftline.schemas.settings import Archive
from driftline.streams.clickhouse.retention import clause, longer


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
