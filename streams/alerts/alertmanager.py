"""Alertmanager: the alerts that fire, as its v2 interface takes them, said again until they are resolved."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from driftline.streams.alerts.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.schemas.alert import Alert

RESENDS: Final = 4
"""An alert that was not said again for so many intervals is taken for resolved: what Prometheus uses."""
RESOLVED_MS: Final = 15 * 60_000
"""How long a resolved alert is still said to be resolved: what Prometheus uses."""
MOST: Final = 20_000
"""Alerts held; past it the one that ended longest ago is let go, else the one that changed longest ago."""
A_POST: Final = 200
"""Alerts in one request."""
SEVERITIES: Final = {"warn": "warning", "fail": "critical"}


@dataclass(slots=True)
class _Entry:
    edge: Alert
    ended_ms: int | None


class Board:
    """What fires, and what has ended lately, of one route. Pure: time is an argument.

    Alertmanager knows an alert by its labels. So an edge that changes a label (a warning that becomes a failure, a new
    owner) ends the alert with the old labels and begins one with the new.
    """

    def __init__(self) -> None:
        self._firing: dict[str, _Entry] = {}
        self._ended: dict[tuple[str, ...], _Entry] = {}
        self._recent = Recent()
        self.shed = 0

    @property
    def firing(self) -> int:
        """How many fire."""
        return len(self._firing)

    def take(self, edge: Alert, now_ms: int) -> bool:
        """Take in the next edge of its deployment; False when it says nothing new.

        Args:
            edge: the edge.
            now_ms: the clock, ms since 1970; what ended too long before it is not kept at all.
        """
        if edge.state == "acknowledged" or edge.id in self._recent:
            return False
        self._recent.add(edge.id)
        before = self._firing.pop(edge.alert_id, None)
        is_firing = edge.state == "firing"
        if before is not None and is_firing and labels(before.edge) == labels(edge):
            self._firing[edge.alert_id] = before
            return False
        if before is not None and now_ms - edge.made_at_ms <= RESOLVED_MS:
            before.ended_ms = edge.made_at_ms
            self._ended[_name(before.edge)] = before
        if is_firing:
            self._ended.pop(_name(edge), None)
            self._firing[edge.alert_id] = _Entry(edge, None)
            if len(self._firing) + len(self._ended) > MOST:
                self._let_go()
        return is_firing or before is not None

    def due(self, now_ms: int, resend_ms: int) -> Iterator[list[dict[str, Any]]]:
        """Give the bodies of requests that say all that fires, and all that ended within the last quarter of an hour.

        Args:
            now_ms: the clock, ms since 1970.
            resend_ms: when they will be said again, ms from now.
        """
        for name, entry in tuple(self._ended.items()):
            if entry.ended_ms is not None and now_ms - entry.ended_ms > RESOLVED_MS:
                del self._ended[name]
        told = (*self._firing.values(), *self._ended.values())
        said = [_said(one, now_ms + RESENDS * resend_ms) for one in told]
        for start in range(0, len(said), A_POST):
            yield said[start : start + A_POST]

    def _let_go(self) -> None:
        """Let one go: what ended before what fires, for Alertmanager ends by itself what is said no more."""
        held: dict[Any, _Entry] = self._ended or self._firing
        del held[next(iter(held))]
        self.shed += 1


def labels(edge: Alert) -> dict[str, str]:
    """What Alertmanager groups and routes by."""
    return {
        "alertname": f"driftline_{edge.about}",
        "alert_id": edge.alert_id,
        "deployment": edge.deployment,
        "about": edge.about,
        "name": edge.name,
        "segment": edge.segment,
        "slot": edge.slot,
        "rule": edge.rule,
        "severity": SEVERITIES[edge.severity],
        "importance": edge.importance,
        "priority": str(edge.priority),
        "owner": edge.owner or "",
        "team": edge.team or "",
    }


def _name(edge: Alert) -> tuple[str, ...]:
    return tuple(labels(edge).values())


def summary(edge: Alert) -> str:
    """One line: what it is about."""
    what = " ".join(part for part in (edge.about, edge.name, edge.segment) if part)
    return f"{edge.deployment}: {what} ({edge.severity})"


def look(edge: Alert) -> str:
    """The command that shows the windows, or emitters, behind an edge."""
    name = shlex.quote(edge.deployment)
    if edge.rule == "ledger":
        return f"driftline emitters {name}"
    if edge.window_start_ms is None:
        return f"driftline windows {name}"
    since = datetime.fromtimestamp(edge.since_ms / 1000, UTC)
    return f"driftline windows {name} --resolution {edge.resolution} --since {since:%Y-%m-%dT%H:%M:%SZ}"


def _said(entry: _Entry, until_ms: int) -> dict[str, Any]:
    edge = entry.edge
    notes = {"summary": summary(edge), "description": edge.reason, "edge": edge.id, "look": look(edge)}
    if edge.runbook is not None:
        notes["runbook_url"] = edge.runbook
    if edge.window_start_ms is not None and edge.window_end_ms is not None:
        notes["window"] = f"{_text(edge.window_start_ms)}/{_text(edge.window_end_ms)}"
    notes |= {
        f"figure_{number}": f"{one.metric}{f' {one.feature}' if one.feature else ''} = {one.value}"
        for number, one in enumerate(edge.figures, 1)
    }
    return {
        # A label that is empty is, to Alertmanager, one that is not there.
        "labels": {name: value for name, value in labels(edge).items() if value},
        "annotations": notes,
        "startsAt": _text(edge.made_at_ms),
        "endsAt": _text(until_ms if entry.ended_ms is None else max(entry.ended_ms, edge.made_at_ms)),
    }


def _text(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
