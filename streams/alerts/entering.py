"""Entering: a window comes into the track of its kind, and whatever is followed there may turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.streams.alerts.case import Why, edge
from driftline.streams.alerts.clock import ended_after_ms, ended_sentence
from driftline.streams.alerts.rule import decide
from driftline.streams.alerts.track import Track, key_of, subject_of_key
from driftline.streams.alerts.verdicts import FINE, UNSURE, WARN, Found, evidence

if TYPE_CHECKING:
    from driftline.schemas.alert import Alert
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.window import Figure
    from driftline.streams.alerts.case import Case, Window

TRACKS: Final = 12
"""Groups of windows of a deployment, three a slot; windows of more slots are left out."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What edges are made by: settings whose rule holds, the newest ones (whom it concerns), and the clock in ms."""

    state: DeploymentState
    people: DeploymentState
    now_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One window for one track: its name, what counted the window, the window, and what it says of each subject."""

    track: str
    source: str
    window: Window
    rows: int
    found: Found
    is_early: bool = False
    """Whether labels that are still to come may change what it says: it then says nothing."""


def enter(case: Case, entry: Entry, terms: Terms) -> list[Alert]:
    """Enter a window into its track, and give the edges of every subject that is followed there."""
    rule, start_ms = terms.state.settings.alerts, entry.window.start_ms or 0
    track = case.tracks.get(entry.track)
    if track is None:
        if len(case.tracks) >= TRACKS:
            case.shed += 1
            return []
        track = case.tracks[entry.track] = Track()
    if entry.is_early and start_ms not in track.windows:
        return []
    if not track.accept(start_ms, entry.source, entry.window.version, rule.m):
        return []
    codes = {
        key_of(subject): UNSURE if entry.is_early or _is_mute(subject.about, code, start_ms, terms) else code
        for subject, (code, _) in entry.found.items()
    }
    track.mark(start_ms, entry.source, codes)
    ended = _ended(case, entry, rule.m)
    edges = _turned(case, track, entry, terms, may_fire=entry.track not in ended)
    return edges + [one for name in ended for one in _closed(case, name, entry.window.resolution, terms)]


def _ended(case: Case, entry: Entry, m: int) -> list[str]:
    """The tracks of slots that have ended, of the group of a window."""
    group = entry.track.partition("/")[0]
    last = {name: max(one.windows) for name, one in case.tracks.items() if name.partition("/")[0] == group}
    since_ms = max(last.values()) - ended_after_ms(entry.window.resolution, m)
    return [name for name, start_ms in last.items() if start_ms < since_ms]


def _closed(case: Case, name: str, resolution: str, terms: Terms) -> list[Alert]:
    """Resolve what fires of a slot that has ended, and follow nothing there until its windows come again."""
    track = case.tracks[name]
    why = Why(ended_sentence(name.partition("/")[2], resolution), terms.now_ms)
    firing = [subject_of_key(key) for key in track.followed() if key in case.firing]
    track.marks.clear()
    edges = [
        edge(case, "windows", one, "resolved", why, state=terms.people, now_ms=terms.now_ms) for one in firing
    ]
    return [one for one in edges if one is not None]


def _is_mute(about: str, code: int, start_ms: int, terms: Terms) -> bool:
    """Whether people want to hear nothing of a bad window: it then says nothing."""
    return code >= WARN and terms.people.settings.muted(about, start_ms) is not None  # type: ignore[arg-type]


def _turned(case: Case, track: Track, entry: Entry, terms: Terms, *, may_fire: bool) -> list[Alert]:
    edges = []
    for key in track.followed():
        held = case.firing.get(key)
        codes = track.codes(key)
        turn = decide(codes, terms.state.settings.alerts.k, None if held is None else held.severity)
        subject = subject_of_key(key)
        figures = entry.found.get(subject, (UNSURE, []))[1]
        if turn is not None and (may_fire or turn == "resolved"):
            reason = _sentence(codes, turn, entry.window.resolution, figures)
        elif held is not None and held.model_version and track.is_past(key, held.model_version):
            turn, reason = "resolved", _past(len(codes), held.model_version, entry.window.resolution)
        else:
            continue
        why = Why(reason, track.first_bad(key), entry.rows, evidence(figures), entry.window)
        made = edge(case, "windows", subject, turn, why, state=terms.people, now_ms=terms.now_ms)
        if made is not None:
            edges.append(made)
    track.let_go(case.firing)
    return edges


def _past(windows: int, version: str, resolution: str) -> str:
    return f"The last {windows} windows of {resolution} are not of version {version}, and none has this any more."


def _sentence(codes: list[int], turn: str, resolution: str, figures: list[Figure]) -> str:
    if len(codes) == 1:
        last = f"The last window of {resolution} is {'well' if turn == 'resolved' else 'bad'}."
        return last if turn == "resolved" or not figures else f"{last} {figures[0].reason}".rstrip()
    windows = f"the last {len(codes)} windows of {resolution}"
    if turn == "resolved":
        return f"None of {windows} is bad, and {sum(code == FINE for code in codes)} are well."
    bad = f"{sum(code >= WARN for code in codes)} of {windows} are bad."
    return f"{bad} {figures[0].reason}".rstrip() if figures else bad
