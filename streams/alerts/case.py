"""Case: all that is held of one deployment, and the edges that come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from driftline.schemas.alert import Alert, Rule, Severity, Subject, alert_name, edge_name
from driftline.streams.alerts.rule import priority, routes
from driftline.streams.alerts.track import Track, key_of

if TYPE_CHECKING:
    from driftline.schemas.alert import Evidence
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.streams.alerts.rule import Turn

REASON_CHARS: Final = 1_000
OPEN: Final = 200
"""Alerts of one deployment that fire at once; more wait until one of them is resolved."""


class Held(msgspec.Struct, kw_only=True):
    """An alert that fires: how hard, by which rule, since when, who has heard of it, and which version it was of."""

    rule: Rule
    severity: Severity
    since_ms: int
    routes: tuple[str, ...]
    model_version: str = ""


class Coverage(msgspec.Struct, kw_only=True):
    """How many labels a window has so far."""

    slot: str
    model_version: str
    end_ms: int
    version: int
    rows: int
    labels: int


class Case(msgspec.Struct, kw_only=True):
    """One deployment.

    Attributes:
        deployment: its name.
        ordinal: that of the last edge; each is one more. It begins at the second in which the deployment was first
            seen, so that no name comes twice even when the state was lost or let go.
        resolution: width of the windows in `tracks`.
        newest_end_ms: greatest end of a final window seen; the rule in force at it holds.
        watermark_ms: greatest watermark seen.
        heard_ms: when its windows were last published with a watermark that had moved on, by the clock of the worker
            that counts them; 0 before.
        heard_watermark_ms: that watermark; the accuracy worker's may be ahead of it.
        tracks: last windows, by group and slot.
        maturing: start → source → labels, of windows whose label horizon has not passed.
        firing: alerts that fire, by the text of their subject.
        shed: alerts, or windows, that were left out at a bound.
    """

    deployment: str
    ordinal: int = 0
    resolution: str = ""
    newest_end_ms: int = -1
    watermark_ms: int = -1
    heard_ms: int = 0
    heard_watermark_ms: int = -1
    tracks: dict[str, Track] = {}
    maturing: dict[int, dict[str, Coverage]] = {}
    firing: dict[str, Held] = {}
    shed: int = 0

    @property
    def left_out(self) -> int:
        """What was left out at any bound."""
        return self.shed + sum(track.shed for track in self.tracks.values())

    @property
    def pending(self) -> int:
        """Subjects with a bad window whose alert does not fire."""
        return sum(key not in self.firing for track in self.tracks.values() for key in track.marks)

    def lighten(self) -> None:
        """Give up what only might become an alert, so that the rest has room."""
        for track in self.tracks.values():
            gone = [key for key in track.marks if key not in self.firing]
            track.shed += len(gone)
            for key in gone:
                del track.marks[key]


class Window(NamedTuple):
    """The window that decided."""

    model_version: str = ""
    resolution: str = ""
    start_ms: int | None = None
    end_ms: int | None = None
    version: int = -1


NO_WINDOW: Final = Window()


@dataclass(frozen=True, slots=True)
class Why:
    """What made an edge; `window` is empty when a clock or a ledger did."""

    reason: str
    since_ms: int
    rows: int = 0
    figures: tuple[Evidence, ...] = ()
    window: Window = NO_WINDOW


def edge(
    case: Case, rule: Rule, subject: Subject, turn: Turn, why: Why, *, state: DeploymentState, now_ms: int
) -> Alert | None:
    """Turn an alert, and give the edge; None when too many of the deployment fire already.

    Args:
        case: the deployment.
        rule: what decided.
        subject: what it is about.
        turn: where it turns.
        why: what was seen.
        state: the newest settings: whom it concerns.
        now_ms: the clock, ms since 1970.
    """
    key = key_of(subject)
    held = case.firing.get(key)
    if held is None and (turn == "resolved" or len(case.firing) >= OPEN):
        case.shed += turn != "resolved"
        return None
    settings = state.settings
    if turn == "resolved" and held is not None:
        severity, since_ms, hear = held.severity, held.since_ms, held.routes
        del case.firing[key]
    else:
        severity, since_ms = (
            "fail" if turn == "fail" else "warn",
            why.since_ms if held is None else held.since_ms,
        )
        # Who heard that it fires hears that it fires no more, whatever the settings say by then.
        hear = tuple(dict.fromkeys((*(held.routes if held else ()), *routes(settings, severity))))
        version = why.window.model_version
        case.firing[key] = Held(
            rule=rule, severity=severity, since_ms=since_ms, routes=hear, model_version=version
        )
    case.ordinal += 1
    alert_id = alert_name(case.deployment, rule, subject)
    return Alert(
        id=edge_name(alert_id, case.ordinal),
        alert_id=alert_id,
        ordinal=case.ordinal,
        deployment=case.deployment,
        rule=rule,
        about=subject.about,
        name=subject.name,
        segment=subject.segment,
        slot=subject.slot,
        state="resolved" if turn == "resolved" else "firing",
        severity=severity,
        importance=settings.importance,
        priority=priority(settings.importance, severity),
        reason=why.reason[:REASON_CHARS],
        model_version=why.window.model_version,
        resolution=why.window.resolution,
        window_start_ms=why.window.start_ms,
        window_end_ms=why.window.end_ms,
        window_version=why.window.version,
        rows=why.rows,
        since_ms=since_ms,
        made_at_ms=now_ms,
        settings_revision=state.revision,
        owner=settings.owner,
        team=settings.team,
        runbook=settings.runbook,
        routes=hear,
        figures=why.figures,
    )
