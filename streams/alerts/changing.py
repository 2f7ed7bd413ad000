"""Changing: the change points of a deployment's windows, each window fed once, and the alerts that they make.

A change point needs no k of m: it stands on all the windows before and after it. Its alert fires at once, as a warning,
and is resolved when m more windows have shown no other. Whatever is held is stored as one record, with the edges.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.schemas.alert import Subject
from driftline.streams.alerts.case import Case, Why, Window, edge
from driftline.streams.alerts.clock import ended_after_ms, ended_sentence
from driftline.streams.alerts.track import key_of, subject_of_key
from driftline.streams.alerts.verdicts import evidence
from driftline.streams.changes.tracker import MEAN, Tracker

if TYPE_CHECKING:
    from driftline.schemas.alert import Alert
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.window import WindowResult
    from driftline.streams.changes.tracker import Found

TRACKERS: Final = 4
"""Model versions and slots followed; past it the one whose newest window is the oldest is let go."""
FEATURES: Final = 100
"""Features followed: the most important ones, or the first ones of the windows."""


class Followed(msgspec.Struct, kw_only=True):
    """One model version in one slot: its sequences, and the start of the newest window of each role fed to them."""

    tracker: Tracker = msgspec.field(default_factory=Tracker)
    past_ms: int = -1
    last: dict[str, int] = {}


class Calm(msgspec.Struct, array_like=True):
    """How many windows have shown no change since the one that did, and the start of the newest of them."""

    last_ms: int
    windows: int = 0


class Changing(msgspec.Struct, kw_only=True):
    """One deployment.

    Attributes:
        case: the alerts of its change points that fire, and the width of the windows.
        followed: by version and slot, with a tab between.
        calm: of each alert that fires, by the text of its subject.
        past_ms: start of the newest window of what was let go; what is not followed yet begins after it.
    """

    case: Case
    followed: dict[str, Followed] = {}
    calm: dict[str, Calm] = {}
    past_ms: int = -1

    @property
    def deployment(self) -> str:
        """Its name."""
        return self.case.deployment


def concerns(result: WindowResult, settings: DeploymentSettings) -> bool:
    """Whether a window is fed: one that the alert rule looks at, and whose labels have come where it tells errors."""
    is_final = result.final and result.run == "live" and not result.provisional
    return is_final and result.resolution == settings.alert_resolution


def take(
    held: Changing, result: WindowResult, people: DeploymentState, now_ms: int
) -> tuple[bool, list[Alert]]:
    """Feed a window; one that is not after the last of its role, as a restatement, changes nothing.

    Args:
        held: its deployment.
        result: the window.
        people: the newest settings.
        now_ms: the clock, ms since 1970, which edges carry.

    Returns:
        Whether anything changed, and the edges.
    """
    edges = _anew(held, result.resolution, people, now_ms)
    start_ms = result.window_start_ms
    one = _followed(held, result)
    if one is None or start_ms <= one.last.get(result.role, one.past_ms):
        return bool(edges), edges
    one.last[result.role] = start_ms
    found = one.tracker.feed(_narrowed(result, people.settings))
    about = "performance" if result.role == "accuracy" else "drift"
    changes = {key_of(_subject(about, change, result.slot)): change for change in found if _is_bad(change)}
    for key, change in changes.items():
        if key not in held.case.firing and people.settings.muted(about, start_ms) is None:  # type: ignore[arg-type]
            edges += _fired(held, key, change, result, people, now_ms)
        if key in held.case.firing:
            held.calm[key] = Calm(start_ms)
    return True, edges + _calmed(held, result, about, people, now_ms)


def _anew(held: Changing, resolution: str, people: DeploymentState, now_ms: int) -> list[Alert]:
    """Begin anew with windows of another width; alerts about the old ones end, for nobody follows them."""
    if held.case.resolution == resolution:
        return []
    reason = f"The alert rule looks at windows of {resolution} now, no longer of {held.case.resolution}."
    edges = [
        made
        for key in list(held.case.firing)
        if (made := _resolved(held, key, Why(reason, now_ms), people, now_ms))
    ]
    held.case.resolution, held.past_ms = resolution, -1
    held.followed.clear()
    return edges


def _followed(held: Changing, result: WindowResult) -> Followed | None:
    """Give what is followed of a window's version and slot; None when it was let go."""
    name = f"{result.model_version}\t{result.slot}"
    one = held.followed.get(name)
    if one is not None or result.window_start_ms <= held.past_ms:
        return one
    if len(held.followed) >= TRACKERS:
        newest = {other: max(each.last.values()) for other, each in held.followed.items()}
        oldest = min(newest, key=lambda other: (newest[other], other))
        if result.window_start_ms <= newest[oldest]:
            return None
        held.past_ms = newest[oldest]
        del held.followed[oldest]
    one = held.followed[name] = Followed(past_ms=held.past_ms)
    return one


def _narrowed(result: WindowResult, settings: DeploymentSettings) -> WindowResult:
    """Leave out the features that are not followed."""
    weights = settings.feature_importance
    names = sorted((name for name in weights if weights[name] > 0), key=lambda name: (-weights[name], name))
    if not names:
        names = list(
            dict.fromkeys(one.feature for one in result.figures if one.kind == "drift" and one.metric == MEAN)
        )
    chosen = frozenset(names[:FEATURES])
    figures = [one for one in result.figures if one.kind != "drift" or one.feature in chosen]
    return replace(result, figures=figures)


def _subject(about: str, change: Found, slot: str) -> Subject:
    return Subject(about, f"{change.figure.feature or change.figure.metric} change", "", slot)


def _is_bad(change: Found) -> bool:
    """Whether a change is one to hear of: an error that falls is none."""
    return change.figure.metric == MEAN or change.after > change.before


def _fired(
    held: Changing, key: str, change: Found, result: WindowResult, people: DeploymentState, now_ms: int
) -> list[Alert]:
    window = Window(
        result.model_version, result.resolution, result.window_start_ms, result.window_end_ms, result.version
    )
    why = Why(change.figure.reason, change.since_ms, result.rows, evidence([change.figure]), window)
    made = edge(held.case, "change", subject_of_key(key), "warn", why, state=people, now_ms=now_ms)
    return [] if made is None else [made]


def _calmed(
    held: Changing, result: WindowResult, about: str, people: DeploymentState, now_ms: int
) -> list[Alert]:
    """Count a window for the alerts of its role and slot; end those calm for long enough, or of slots that ended."""
    edges, m = [], people.settings.alerts.m
    for key, calm in list(held.calm.items()):
        subject, ahead_ms = subject_of_key(key), result.window_start_ms - calm.last_ms
        if subject.about != about or ahead_ms <= 0:
            continue
        if subject.slot != result.slot:
            if ahead_ms > ended_after_ms(result.resolution, m):
                why = Why(ended_sentence(subject.slot, result.resolution), now_ms)
                made = _resolved(held, key, why, people, now_ms)
                edges += [] if made is None else [made]
            continue
        calm.last_ms, calm.windows = result.window_start_ms, calm.windows + 1
        if calm.windows >= m:
            reason = f"The last {calm.windows} windows of {result.resolution} have shown no other change."
            made = _resolved(held, key, Why(reason, now_ms, result.rows), people, now_ms)
            edges += [] if made is None else [made]
    return edges


def _resolved(held: Changing, key: str, why: Why, people: DeploymentState, now_ms: int) -> Alert | None:
    held.calm.pop(key, None)
    return edge(held.case, "change", subject_of_key(key), "resolved", why, state=people, now_ms=now_ms)
