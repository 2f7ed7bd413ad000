"""News: advice, which is told in the audit, and the alerts that fire when something is changed; bounded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.schemas.advice import Advice
from driftline.schemas.announced import announced
from driftline.schemas.names import name_fault
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Container

    from driftline.agents.audit.record import AuditRecord
    from driftline.schemas.alert import Alert

ADVISED: Final = "advised"
ALERTED: Final = "alerted"
"""The event beside a change of what serves: the alerts that fired when it was made."""
MOST_ALERTS: Final = 20
"""Told beside one change."""
MAX_FIRING: Final = 500
"""Kept of one deployment; beyond them the one that fired first goes."""
MAX_ALL_FIRING: Final = 50_000
"""Kept of all; beyond them the first one of the deployment that was heard of first goes."""
MAX_IDS: Final = 10_000
MOST_AN_HOUR: Final = 100
"""Edges of advice of one deployment that are told; more are somebody's flood."""
_HOUR_MS: Final = 3_600_000
_REASON_CHARS: Final = 300


class Firing(NamedTuple):
    """An alert that fires: how grave it is, since when, ms since 1970, and as the audit tells of it."""

    priority: int
    since_ms: int
    told: dict[str, Any]


class News:
    """What was told on topic `alerts`; which advice the audit knows already is taken from the audit alone."""

    def __init__(self) -> None:
        self._firing: dict[str, dict[str, Firing]] = {}
        self._firing_count = 0
        self._known: dict[str, None] = {}
        self._fresh: list[Advice] = []
        self._hour = 0
        self._told: Counter[str] = Counter()

    def hear(self, value: bytes) -> None:
        """Take in a record of the topic; what is neither, or has names that nothing has, is for others to report."""
        try:
            found = announced(value)
        except Refused:
            return
        if isinstance(found, Advice):
            is_named = _are_names(
                found.id, found.deployment, found.model_version, found.slot, found.resolution
            )
            if is_named and found.id not in self._known and len(self._fresh) < MAX_IDS:
                self._fresh.append(found)
        elif _are_names(found.deployment):
            if found.state == "resolved":
                self._drop(found.deployment, found.alert_id)
            elif found.state == "firing":
                self._keep(found)

    def fresh(self, deployments: Container[str], now_ms: int) -> list[Advice]:
        """Give advice on some deployments that the audit does not know yet, once; `now_ms` in ms since 1970."""
        if now_ms // _HOUR_MS != self._hour:
            self._hour, self._told = now_ms // _HOUR_MS, Counter()
        found: dict[str, Advice] = {}
        for one in self._fresh:
            if one.deployment not in deployments:
                continue
            is_new = one.id not in self._known and one.id not in found
            if is_new and self._told[one.deployment] < MOST_AN_HOUR:
                found[one.id] = one
                self._told[one.deployment] += 1
        self._fresh = []
        return list(found.values())

    def firing(self, deployment: str) -> list[dict[str, Any]]:
        """The alerts of a deployment that fire now, the gravest first, as the audit tells of them."""
        found = sorted(
            self._firing.get(deployment, {}).values(), key=lambda one: (one.priority, one.since_ms)
        )
        return [one.told for one in found[:MOST_ALERTS]]

    def take(self, record: AuditRecord) -> None:
        """Take in what the audit tells."""
        if record.event == ADVISED:
            self._known[(record.detail or {})["id"]] = None
            if len(self._known) > MAX_IDS:
                del self._known[next(iter(self._known))]

    def _keep(self, alert: Alert) -> None:
        """Keep of an alert that fires what is told, in the place that it has, and let others go that are too many."""
        told = {
            "alert": alert.alert_id,
            "edge": alert.id,
            "severity": alert.severity,
            "reason": alert.reason[:_REASON_CHARS],
        }
        firing = self._firing.setdefault(alert.deployment, {})
        self._firing_count += alert.alert_id not in firing
        firing[alert.alert_id] = Firing(alert.priority, alert.since_ms, told)
        if len(firing) > MAX_FIRING:
            self._drop(alert.deployment, next(iter(firing)))
        if self._firing_count > MAX_ALL_FIRING:
            name = next(iter(self._firing))
            self._drop(name, next(iter(self._firing[name])))

    def _drop(self, deployment: str, alert_id: str) -> None:
        firing = self._firing.get(deployment, {})
        self._firing_count -= firing.pop(alert_id, None) is not None
        if not firing:
            self._firing.pop(deployment, None)


def _are_names(*texts: str) -> bool:
    """Whether texts are names, which are short: all that is kept and told is as large as they are."""
    return all(name_fault(one) is None for one in texts)


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
