"""Windows as a rollout of `churn` is judged by: of both roles, an hour each, in which all is well unless told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clerked import Room
from controlled import PROFILE, package

from driftline.agents.audit.record import AuditRecord
from driftline.schemas.advice import Advice, Word
from driftline.schemas.control.command import Plan, Step
from driftline.schemas.window import Figure, WindowResult

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
PLAN = Plan(steps=(Step(weight=500, bake_s=60, min_rows=300), Step(weight=5_000, bake_s=60)), max_wait_s=600)
BOUND = 0.0009
"""How far the order inside bins may have an AUC from what it is."""
ONE, TWO = package("1").model, package("2").model


def window(
    role: str, version: str, slot: str, *figures: Figure, rows: int = 1_000, **fields: Any
) -> WindowResult:
    """Return the closed window of an hour."""
    whole: dict[str, Any] = {
        "deployment": "churn", "model_version": version, "slot": slot, "resolution": "1h",
        "window_start_ms": START_MS, "window_end_ms": START_MS + HOUR_MS, "profile_digest": PROFILE,
        "partition": 0, "absorbed": 9, "final": True, "restated": False, "rows": rows,
        "watermark_ms": START_MS, "counts": b"", "computed_at_ms": 0, "figures": list(figures), "role": role,
    }  # fmt: skip
    return WindowResult(**{**whole, **fields})


def drift(
    version: str,
    slot: str,
    *,
    errors: float = 0.0,
    p50: float = 10.0,
    p95: float = 20.0,
    verdict: str = "ok",
    **fields: Any,
) -> WindowResult:
    """Return what drift tells of a window."""
    rows = fields.get("rows", 1_000)
    return window(
        "drift", version, slot,
        Figure("prediction", "p", "psi", 0.01, verdict=verdict),
        Figure("health", "", "errors", errors, rows=rows),
        Figure("health", "", "latency_p50", p50, rows=rows),
        Figure("health", "", "latency_p95", p95, rows=rows),
        **fields,
    )  # fmt: skip


def truth(
    version: str,
    slot: str,
    *,
    auc: float = 0.8,
    half: float = 0.01,
    guess: float | None = None,
    **fields: Any,
) -> WindowResult:
    """Return what accuracy tells of a window of some rows; the estimate is as good as the truth unless it is given.

    A measured AUC has bounds of what its bins do not tell, and beside them its standard error; `half` is of its 95 %
    interval by both.
    """
    guessed = auc if guess is None else guess
    made = [
        Figure(
            "performance", "", "auc", auc, low=auc - BOUND, high=auc + BOUND, interval="bounds", rows=1_000
        ),
        Figure("performance", "", "auc_error", (half - BOUND) / 1.96, rows=1_000),
        Figure(
            "estimate",
            "",
            "auc",
            guessed,
            low=guessed - half,
            high=guessed + half,
            interval="iid",
            rows=1_000,
        ),
    ]
    return window("accuracy", version, slot, *made, **fields)


def good(version: str, slot: str, **fields: Any) -> list[WindowResult]:
    """Return windows in which all is well."""
    return [drift(version, slot, **fields), truth(version, slot, **fields)]


def hour(number: int) -> dict[str, int]:
    """Return the bounds of an hour."""
    return {
        "window_start_ms": START_MS + number * HOUR_MS,
        "window_end_ms": START_MS + (number + 1) * HOUR_MS,
    }


def advised_to(word: Word, name: str) -> Advice:
    """Return an edge of advice."""
    return Advice(
        deployment="churn", model_version="1", slot="champion", resolution="1d", window_start_ms=0,
        window_end_ms=86_400_000, advice=word, reasons=(), fell=None, gains=(), features=(), since_ms=0,
        labels=0, coverage=None, expected_per_year=None, id=name, made_at_ms=1,
    )  # fmt: skip


def show(room: Room, *results: WindowResult) -> None:
    """Let windows be told now."""
    for one in results:
        room.clerk.windows.take(b"churn", replace(one, computed_at_ms=room.now_ms).to_bytes())


def later(room: Room, seconds: float) -> list[AuditRecord]:
    """Let time go by, and the clerk look."""
    room.now_ms += round(seconds * 1000)
    return room.turn()


def on_canary() -> Room:
    """Return a room in which a canary is on its first step; its windows are followed."""
    room = Room()
    room.registered("1", "2")
    room.ask("create", "ann", model=ONE)
    room.ask("canary", "ann", model=TWO, plan=PLAN)
    room.turn()
    assert room.state is not None
    assert room.state.rollout is not None
    return room
