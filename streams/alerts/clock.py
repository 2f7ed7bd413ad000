"""Clock: alerts that no window makes: a deployment whose windows have stopped, and rows that emitters have lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.schemas.alert import Subject
from driftline.streams.alerts.case import Why, edge

if TYPE_CHECKING:
    from driftline.schemas.alert import Alert
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.streams.alerts.case import Case
    from driftline.streams.alerts.losses import Loss

HOUR_MS: Final = 3_600_000
WIDTHS_MS: Final = {
    "5m": 300_000,
    "1h": HOUR_MS,
    "1d": 24 * HOUR_MS,
    "7d": 7 * 24 * HOUR_MS,
    "1M": 31 * 24 * HOUR_MS,
}
SILENT_WIDTHS: Final = 2
"""A deployment is silent when no window of it was published for so many widths of those that its rule looks at."""
ENDED_WIDTHS: Final = 7
"""A slot has ended when another slot of its deployment is more than so many widths ahead of it, and more than m."""
SILENCE: Final = Subject("freshness")
LOSS: Final = Subject("loss")


def ended_after_ms(resolution: str, m: int) -> int:
    """How far, in ms, another slot is ahead at most of one that has not ended."""
    return max(m, ENDED_WIDTHS) * WIDTHS_MS[resolution]


def ended_sentence(slot: str, resolution: str) -> str:
    """Why an alert about a slot that has ended is resolved."""
    return f"Windows of {resolution} have gone on without the slot {slot}: nothing predicts in it any more."


def look_at_clock(case: Case, people: DeploymentState, now_ms: int) -> list[Alert]:
    """Give the edge of a deployment that has fallen silent, or is heard again.

    Only deployments with published settings are missed: somebody said that they are to be there.
    """
    settings = people.settings
    if not people.revision or not case.heard_ms:
        return []
    silent_ms = now_ms - case.heard_ms
    is_silent = silent_ms > SILENT_WIDTHS * WIDTHS_MS[settings.alert_resolution]
    fires = any(held.rule == "silence" for held in case.firing.values())
    if is_silent == fires or (is_silent and settings.muted("freshness", now_ms) is not None):
        return []
    if is_silent:
        silence = f"No window was published for {_duration(silent_ms)}"
        reason = f"{silence}: no predictions come, or the drift worker is down."
    else:
        reason = "Windows are published again."
    why = Why(reason, case.heard_ms)
    turn = "fail" if is_silent else "resolved"
    made = edge(case, "silence", SILENCE, turn, why, state=people, now_ms=now_ms)  # type: ignore[arg-type]
    return [] if made is None else [made]


def look_at_losses(case: Case, loss: Loss | None, people: DeploymentState, now_ms: int) -> list[Alert]:
    """Give the edge of a deployment whose emitters have lost rows, or have lost none for as long as losses count.

    Args:
        case: the deployment.
        loss: what they have lost lately; None for nothing.
        people: the newest settings.
        now_ms: the clock, ms since 1970.
    """
    held = next((one for one in case.firing.values() if one.rule == "ledger"), None)
    if loss is None:
        why = Why("No emitter has lost rows for an hour.", now_ms)
        made = (
            None if held is None else edge(case, "ledger", LOSS, "resolved", why, state=people, now_ms=now_ms)
        )
    elif (held is not None and (held.severity == "fail" or loss.severity == "warn")) or (
        people.settings.muted("loss", now_ms) is not None
    ):
        made = None
    else:
        why = Why(loss.sentence, loss.since_ms, loss.rows)
        made = edge(case, "ledger", LOSS, loss.severity, why, state=people, now_ms=now_ms)
    return [] if made is None else [made]


def _duration(span_ms: int) -> str:
    minutes = span_ms // 60_000
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"  # noqa: PLR2004 - two hours
