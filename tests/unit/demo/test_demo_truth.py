"""What the demo reads of its months: those of all flights, not of the last airline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from driftline.deploy.demo import truth
from driftline.schemas.settings import Settings


def row(segment: str, **over: Any) -> dict[str, Any]:
    """Return a figure of July."""
    return {
        "window_start": datetime(2013, 7, 1, tzinfo=UTC), "kind": "performance", "metric": "auc", "value": 0.7,
        "low": 0.6, "high": 0.8, "interval": "days", "segment": segment, "labels": 90, "coverage": 0.9,
        "provisional": False, **over,
    }  # fmt: skip


def test_a_month_has_the_labels_of_all_flights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of an airline, which come last, carry that airline's labels."""
    rows = [row(""), row("carrier=UA", value=0.5, labels=10, coverage=0.25)]
    monkeypatch.setattr(truth.reads, "windows", lambda *_: rows)
    (month,) = truth.performance_by_month(Settings(), "flights").values()
    assert (month["auc"], month["labels"], month["coverage"]) == (0.7, 90, 0.9)
