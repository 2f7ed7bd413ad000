"""Whatever numbers somebody writes as figures of windows: a comparison gives a verdict, and no controller ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from examples import many
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rollout_windows import drift, good, hour, later, on_canary, show, truth

from driftline.agents.control.controller import judging
from driftline.agents.control.controller.comparing import failed, measured, predicted, waited
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import Figure, WindowResult

STRANGE = (0.0, -0.0, 0.5, 1.0, -0.5, 1e-200, -1e-200, 1e200, 1e308, 5e-324, math.inf, -math.inf, math.nan)
NUMBERS = st.sampled_from(STRANGE) | st.floats()
ROWS = st.sampled_from((-1_000, 0, 1, 1_000, 2**53 + 1, 2**62)) | st.integers(-(2**63), 2**63 - 1)
SETTINGS = DeploymentSettings(deployment="churn")


@st.composite
def windows(draw: Callable[[Any], Any]) -> list[WindowResult]:
    """Give windows whose figures have any numbers."""
    kinds = [("health", name) for name in ("errors", "latency_p50", "latency_p95")]
    kinds += [("performance", "auc"), ("performance", "rmse")]
    made = []
    for _ in range(draw(st.integers(0, 6))):
        figures = [
            Figure(kind, "", name, draw(NUMBERS), low=draw(NUMBERS), high=draw(NUMBERS), rows=draw(ROWS))
            for kind, name in kinds
        ]
        made.append(drift("2", "canary", **hour(1)))
        made[-1].figures = figures
    return made


def errors(*shares: tuple[float, int]) -> list[WindowResult]:
    """Give windows in which shares of so many calls failed."""
    return [drift("2", "canary", errors=share, rows=rows) for share, rows in shares]


@given(windows(), windows())
@example(errors((math.inf, 1_000)), errors((0.0, 1_000)))
@example(errors((-0.5, 1_000)), errors((0.0, 1_000)))
@example(errors((1.0, 2_000), (1.0, -1_500)), errors((0.0, 1_000)))
@example(errors((1.0, 2**62), *[(1.0, 2**53 + 3)] * 5), errors((0.0, 1_000)))
@example([truth("2", "canary", auc=0.0, half=1e-200)], [truth("1", "champion")])
@example([truth("2", "canary", auc=0.0, half=1e200)], [truth("1", "champion")])
@settings(max_examples=many(300))
def test_any_figures_have_a_verdict(new: list[WindowResult], old: list[WindowResult]) -> None:
    """Infinite, negative, huge, tiny or no number at all: no comparison raises, and what it says is short."""
    for apart in (False, True):
        for verdict, said in (
            measured("performance", new, old, SETTINGS, apart=apart),
            predicted(new, old),
            failed(new, old),
            waited(new, old, apart=apart),
        ):
            assert verdict in ("pass", "worse", "wait")
            assert len(said) < 2_000


@pytest.mark.parametrize("errors", [math.inf, -0.5, 1.5, math.nan])
def test_a_share_that_none_can_be_is_no_evidence(errors: float) -> None:
    """The canary stays where it is, over a restart too, and a halt of the same turn holds."""
    room = on_canary()
    room.now_ms += 1_000
    for _ in range(2):
        show(room, drift("2", "canary", errors=errors, **hour(1)), *good("1", "champion", **hour(1)))
        room.send("halt-serving", "oli")
        later(room, 2)
        assert room.state is not None
        assert room.state.rollout is not None
        assert room.state.halt is not None
        room.crash()
        room.clerk.windows.follow({"churn"})


def test_a_comparison_that_fails_is_no_evidence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The step waits as without data, is taken back when its time is over, and the log says so once."""

    def failing(*_: object) -> tuple[str, str]:
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr(judging, "failed", failing)
    judging._tell.cache_clear()
    room = on_canary()
    room.now_ms += 1_000
    show(room, *good("2", "canary", **hour(1)), *good("1", "champion", **hour(1)))
    moved = [one for seconds in (100, 2, 600) for one in later(room, seconds) if one.event == "moved"]
    assert ["nothing was decided in 600 s" in one.reasons[0] for one in moved] == [True]
    assert [one.detail for one in moved[0].checks if one.name == "errors"] == [
        "wait: its figures cannot be reckoned with: nothing to divide by"
    ]
    assert [one.message.count("nothing to divide by") for one in caplog.records] == [1]
