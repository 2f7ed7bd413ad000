"""`driftline acknowledge` beside rows in memory where ClickHouse would be."""

from __future__ import annotations

from typing import Any

import pytest
from memory_wire import MemoryWire, Say

from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import alert_reads
from driftline.streams.clickhouse.alert_reads import AlertFilter


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one alert of churn fire, and one be resolved."""
    there = {"3f2a9c": "firing", "77aa": "resolved"}

    def read(_settings: Settings, chosen: AlertFilter, _limit: int) -> list[dict[str, Any]]:
        assert chosen.deployment == "churn"
        found = there if chosen.is_open is False else {"3f2a9c": "firing"}
        return [
            {"alert_id": name, "state": state}
            for name, state in found.items()
            if name.startswith(chosen.name or "")
        ]

    monkeypatch.setattr(alert_reads, "alerts", read)


def test_the_alert_that_is_acknowledged_is_one_that_fires(wire: MemoryWire, say: Say) -> None:
    """The audit gets its whole id, where its first letters were given."""
    code, _, err = say("acknowledge", "churn", "3f2", by="oli")
    assert (code, err) == (0, "")
    _, value = wire.published[-1]
    assert Command.from_bytes(Envelope.from_bytes(value).body).target == "3f2a9c"


@pytest.mark.parametrize(
    ("alert_id", "sentence"),
    [
        ("does-not-exist", "'does-not-exist' is no alert of 'churn'; 'driftline alerts --open' shows "),
        ("3f2b9c", "'3f2b9c' is no alert of 'churn'; did you mean 3f2a9c? 'driftline alerts --open' shows "),
        ("77aa", "alert 77aa is resolved: there is nothing to acknowledge"),
    ],
)
def test_what_is_no_alert_that_fires_is_not_acknowledged(
    wire: MemoryWire, say: Say, alert_id: str, sentence: str
) -> None:
    """Nothing is published, and the nearest one is named."""
    code, out, err = say("acknowledge", "churn", alert_id, by="oli")
    assert (code, out, wire.published) == (1, "", [])
    assert sentence in err
