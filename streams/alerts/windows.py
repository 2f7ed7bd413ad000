"""Windows into edges: one published result after the other, in any order, each as often as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from driftline.streams.alerts.case import Why, Window, edge
from driftline.streams.alerts.coverage import take_labels
from driftline.streams.alerts.entering import Entry, Terms, enter
from driftline.streams.alerts.track import subject_of_key
from driftline.streams.alerts.verdicts import group_of, judged

if TYPE_CHECKING:
    from driftline.schemas.alert import Alert
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.window import WindowResult
    from driftline.streams.alerts.case import Case


class Settings(Protocol):
    """Where settings are looked up."""

    def state(self, deployment: str, at_ms: int) -> DeploymentState:
        """The revision in force at an event time, ms since 1970."""

    def latest(self, deployment: str) -> DeploymentState:
        """The newest revision."""


def take(case: Case, result: WindowResult, settings: Settings, now_ms: int) -> list[Alert]:
    """Take in a window result, and give the edges that it makes.

    Only final windows of the live run and of the resolution that the rule names decide; among them only the last m,
    and of one window only the greatest version.

    Args:
        case: its deployment.
        result: the window.
        settings: those of all deployments.
        now_ms: the clock, ms since 1970, which edges carry.
    """
    if result.run != "live":
        return []
    case.watermark_ms = max(case.watermark_ms, result.watermark_ms)
    # A replay of the past publishes too; only a watermark that moves on says that predictions come.
    if result.role == "drift" and result.watermark_ms > case.heard_watermark_ms:
        case.heard_watermark_ms = result.watermark_ms
        case.heard_ms = max(case.heard_ms, result.computed_at_ms)
    if not result.final:
        return []
    case.newest_end_ms = max(case.newest_end_ms, result.window_end_ms)
    state = settings.state(case.deployment, case.newest_end_ms)
    terms = Terms(state, settings.latest(case.deployment), now_ms)
    edges = _look_at(case, state.settings.alert_resolution, terms)
    if result.resolution != case.resolution:
        return edges
    found = judged(result)
    window = Window(
        result.model_version, result.resolution, result.window_start_ms, result.window_end_ms, result.version
    )
    source = f"{result.role}/{result.model_version}"
    for group, of_role in (("counts", "drift"), ("truth", "accuracy")):
        mine = {subject: one for subject, one in found.items() if group_of(subject.about) == group}
        if mine or result.role == of_role:
            track, is_early = f"{group}/{result.slot}", group == "truth" and result.provisional
            edges += enter(case, Entry(track, source, window, result.rows, mine, is_early), terms)
    return edges + take_labels(case, result, window, terms)


def _look_at(case: Case, resolution: str, terms: Terms) -> list[Alert]:
    """Look at windows of another width from now on; alerts about the old ones end, for nobody follows them."""
    if case.resolution == resolution:
        return []
    reason = f"The alert rule looks at windows of {resolution} now, no longer of {case.resolution}."
    why = Why(reason, terms.now_ms)
    gone = [subject_of_key(key) for key, held in case.firing.items() if held.rule == "windows"]
    edges = [
        edge(case, "windows", one, "resolved", why, state=terms.people, now_ms=terms.now_ms) for one in gone
    ]
    case.resolution = resolution
    case.tracks.clear()
    case.maturing.clear()
    return [one for one in edges if one is not None]
