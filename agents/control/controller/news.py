"""News: advice, which is told in the audit, and the alerts that fire when something is changed; bounded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from driftline.schemas.advice import Advice
from driftline.schemas.announced import announced
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from driftline.agents.audit.record import AuditRecord
    from driftline.schemas.alert import Alert

ADVISED: Final = "advised"
ALERTED: Final = "alerted"
"""The event beside a change of what serves: the alerts that fired when it was made."""
MOST_ALERTS: Final = 20
"""Told beside one change."""
MAX_FIRING: Final = 500
"""Kept of one deployment; beyond them the one that fired first goes."""
MAX_IDS: Final = 10_000
MOST_AN_HOUR: Final = 100
"""Edges of advice of one deployment that are told; more are somebody's flood."""
_HOUR_MS: Final = 3_600_000
_REASON_CHARS: Final = 300


class News:
    """What was told on topic `alerts`; which advice the audit knows already is taken from the audit alone."""

    def __init__(self) -> None:
        self._firing: dict[str, dict[str, Alert]] = {}
        self._known: dict[str, None] = {}
        self._fresh: list[Advice] = []
        self._hour = 0
        self._told: Counter[str] = Counter()

    def hear(self, value: bytes) -> None:
        """Take in a record of the topic; what is neither is for others to report."""
        try:
            found = announced(value)
        except Refused:
            return
        if isinstance(found, Advice):
            if found.id and found.id not in self._known and len(self._fresh) < MAX_IDS:
                self._fresh.append(found)
            return
        firing = self._firing.setdefault(found.deployment, {})
        if found.state == "resolved":
            firing.pop(found.alert_id, None)
        elif found.state == "firing":
            firing[found.alert_id] = found
            if len(firing) > MAX_FIRING:
                del firing[next(iter(firing))]

    def fresh(self, now_ms: int) -> list[Advice]:
        """Give advice that the audit does not know yet, once; `now_ms` is the time, ms since 1970."""
        if now_ms // _HOUR_MS != self._hour:
            self._hour, self._told = now_ms // _HOUR_MS, Counter()
        found: dict[str, Advice] = {}
        for one in self._fresh:
            if one.id not in self._known and self._told[one.deployment] < MOST_AN_HOUR:
                found[one.id] = one
                self._told[one.deployment] += 1
        self._fresh = []
        return list(found.values())

    def firing(self, deployment: str) -> list[dict[str, Any]]:
        """The alerts of a deployment that fire now, the gravest first, as the audit tells of them."""
        found = sorted(
            self._firing.get(deployment, {}).values(), key=lambda one: (one.priority, one.since_ms)
        )
        return [
            {
                "alert": one.alert_id,
                "edge": one.id,
                "severity": one.severity,
                "reason": one.reason[:_REASON_CHARS],
            }
            for one in found[:MOST_ALERTS]
        ]

    def take(self, record: AuditRecord) -> None:
        """Take in what the audit tells."""
        if record.event == ADVISED:
            self._known[(record.detail or {})["id"]] = None
            if len(self._known) > MAX_IDS:
                del self._known[next(iter(self._known))]


def advised(advice: Advice) -> dict[str, Any]:
    """An advice as the fields of its record."""
    return {
        "deployment": advice.deployment,
        "reasons": tuple(
            f"{one.code}: {one.sentence}"[:_REASON_CHARS] for one in advice.reasons[:MOST_ALERTS]
        ),
        "detail": {
            "id": advice.id,
            "advice": advice.advice,
            "version": advice.model_version,
            "slot": advice.slot,
            "resolution": advice.resolution,
            "window_start_ms": advice.window_start_ms,
            "window_end_ms": advice.window_end_ms,
        },
    }
