"""Coverage: windows that should have their labels by now, and have not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.schemas.alert import Subject
from driftline.schemas.window import Figure
from driftline.streams.alerts.case import Coverage, Window
from driftline.streams.alerts.entering import Entry, enter
from driftline.streams.alerts.verdicts import FAIL, FINE, UNSURE, WARN

if TYPE_CHECKING:
    from driftline.schemas.alert import Alert
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.window import WindowResult
    from driftline.streams.alerts.case import Case
    from driftline.streams.alerts.entering import Terms

WARN_BELOW: Final = 0.8
FAIL_BELOW: Final = 0.5
"""Shares of a window's predictions with a label, once its horizon has passed."""
MATURING: Final = 2_500
"""Windows whose horizon is waited for: a week of five minutes has 2,016. The oldest are let go."""


def take_labels(case: Case, result: WindowResult, window: Window, terms: Terms) -> list[Alert]:
    """Note how many labels a window has, and decide about the windows whose label horizon has passed.

    Nothing is decided where nobody declared a horizon: then nobody knows when labels should be there.
    """
    settings = terms.state.settings
    if settings.label_horizon_ms is None:
        case.maturing.clear()
        return []
    if result.role == "accuracy":
        _note(case, result)
    ripe_ms = case.watermark_ms - settings.label_horizon_ms
    ripe = [
        start
        for start, sources in case.maturing.items()
        if min(one.end_ms for one in sources.values()) <= ripe_ms
    ]
    edges = []
    for start_ms in sorted(ripe):
        for held in case.maturing.pop(start_ms).values():
            its = Window(held.model_version, window.resolution, start_ms, held.end_ms, held.version)
            found = {Subject("coverage", slot=held.slot): _judge(held, settings)}
            entry = Entry(f"coverage/{held.slot}", held.model_version, its, held.rows, found)
            edges += enter(case, entry, terms)
    return edges


def _note(case: Case, result: WindowResult) -> None:
    sources = case.maturing.setdefault(result.window_start_ms, {})
    name = f"{result.slot}/{result.model_version}"
    held = sources.get(name)
    if held is None or held.version < result.version:
        sources[name] = Coverage(
            slot=result.slot,
            model_version=result.model_version,
            end_ms=result.window_end_ms,
            version=result.version,
            rows=result.rows,
            labels=result.labels,
        )
    while len(case.maturing) > MATURING:
        del case.maturing[min(case.maturing)]
        case.shed += 1


def _judge(held: Coverage, settings: DeploymentSettings) -> tuple[int, list[Figure]]:
    share = held.labels / held.rows if held.rows else None
    figure = Figure("performance", "", "coverage", share, floor=WARN_BELOW, rows=held.rows)
    if share is None or held.rows < settings.minimum_rows:
        figure.verdict = "inconclusive"
        figure.reason = f"{held.rows} predictions are too few to miss labels of."
        return UNSURE, [figure]
    code = FAIL if share < FAIL_BELOW else WARN if share < WARN_BELOW else FINE
    figure.verdict = ("inconclusive", "ok", "warn", "fail")[code]
    had = f"{held.labels} of {held.rows} predictions had a label"
    figure.reason = f"{had} {settings.label_horizon_hours:g} hours after their window ended."
    return code, [figure]
