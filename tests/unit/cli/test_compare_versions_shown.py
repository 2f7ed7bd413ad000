"""Two versions side by side, as they are printed."""

from __future__ import annotations

import pytest

from driftline.deploy.advice.versions import Compared, SideBySide, facts
from driftline.deploy.cli.compare_versions import _show
from driftline.schemas.advice import Gain
from driftline.streams.clickhouse.version_reads import Answered, Drifted

FIRST = Answered("1", "champion", 1_000, 0, 10, 10, 1_000, (1.0, 2.0, 3.0))
SECOND = Answered("2", "challenger", 900, 0, 10, 0, 0, None)


def found(why: str = "") -> SideBySide:
    """A challenger that is better, of which nobody knows how long it takes."""
    gain = Gain(
        candidate="2", metric="log_loss", value=0.1, low=0.05, high=0.15, interval="days", rows=500, days=25
    )
    return SideBySide(
        deployment="churn",
        answered=(FIRST, SECOND),
        pairs=500,
        share=1,
        performance=() if why else (Compared("log_loss", (0.6, 0.5), gain),),
        why=why,
        drift=((Drifted("1", "champion", "age", "psi", 3, 0.2, 0.4, 1),), ()),
    )


def test_what_is_not_known_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    """A version without latencies, or without windows, has a dash there; the difference has its interval."""
    _show(found())
    shown = capsys.readouterr().out
    assert "latency p95" in shown
    assert "2 ms" in shown
    assert "+0.1 [+0.05, +0.15]" in shown
    assert "0.2, 1 of 3  -" in shown
    assert facts(found())["versions"][1]["latency_ms"] is None


def test_why_there_is_no_performance_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty table would look like no difference."""
    _show(found("neither version has a profile, which says what answers mean"))
    assert "performance: none, for neither version has a profile" in capsys.readouterr().out
