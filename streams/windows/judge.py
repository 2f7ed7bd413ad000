"""Judge: every figure of one window, each verdict with its reason. Pure: counts in, figures out."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.profile import Profile
from driftline.schemas.window import Figure
from driftline.streams.stats.nulls import WINDOW_DAYS
from driftline.streams.stats.verdict import Rule, shared_level
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.drift_figures import drift_figures
from driftline.streams.windows.health_figures import health_figures
from driftline.streams.windows.quality_figures import quality_figures
from driftline.streams.windows.reference import block_nulls, reference_of
from driftline.streams.windows.resolution import DAY_MS, Resolution

OPEN: Final = "The window is still open; its verdict comes when it closes."
NO_PROFILE: Final = (
    "no_profile: no reference is known for this model version: only rows and health are counted."
)
UNCOMPARED: Final = MappingProxyType(
    {
        "in-sample": "The reference scores are in-sample: the model learned from those rows.",
        "none": "Nobody said which rows the reference scores come from (in-sample, held-out, out-of-fold).",
    }
)
"""Why a prediction has no verdict, by the provenance of the reference's scores."""
NOTHING: Final = "The profile has no feature, score or class to judge."
DEFAULT: Final = Rule()
FULL_ENOUGH: Final = 0.7
"""Part of a week or month that its rows must span to be held against whole ones."""


def rule_of(settings: DeploymentSettings) -> Rule:
    """The rule that the settings of a deployment make."""
    floor = settings.floor("psi")
    return Rule(minimum_rows=settings.minimum_rows, warn=floor.warn, fail=floor.fail)


def judge(
    profile: Profile | None,
    counters: Counters,
    resolution: Resolution,
    *,
    rule: Rule = DEFAULT,
    closed: bool = True,
    counted_ms: int | None = None,
) -> list[Figure]:
    """Judge one window.

    Args:
        profile: the reference; None when it is not known.
        counters: what was counted in the window, with the layout of that profile.
        resolution: width of the window, which chooses the block null.
        rule: level, floors, minimum count.
        closed: whether the window is complete. An open one has figures, and its verdicts are inconclusive: a
            part of a day is not held against whole days.
        counted_ms: event time that the rows were counted over, ms, for the figures of health; None for rows that
            no service is known to have served, as those of a table: they have none.

    Returns:
        Figures of drift, then of the prediction, of data quality, the rows, and of health.
    """
    figures = _judged(profile, counters, resolution, rule, closed=closed)
    return figures if counted_ms is None else figures + health_figures(counters, counted_ms)


def _judged(
    profile: Profile | None, counters: Counters, resolution: Resolution, rule: Rule, *, closed: bool
) -> list[Figure]:
    """Give what is held against the reference, and the rows."""
    rows = Figure("rows", "", "rows", float(counters.rows), rows=counters.rows)
    if profile is None or not counters.layout.digest:
        return [
            Figure("drift", "", "psi", verdict="inconclusive", reason=NO_PROFILE, rows=counters.rows),
            rows,
        ]
    rows.reference_rows = profile.rows
    reference = reference_of(counters.layout)
    if not reference.columns:
        return [Figure("drift", "", "psi", verdict="inconclusive", reason=NOTHING, rows=counters.rows), rows]
    held_back = {} if closed else {"drift": OPEN, "prediction": OPEN}
    if closed and profile.provenance in UNCOMPARED:
        held_back["prediction"] = UNCOMPARED[profile.provenance]
    level = shared_level(rule.level, len(reference.columns))
    nulls = block_nulls(profile, counters.layout, held_width(counters, resolution), level)
    figures = drift_figures(reference, nulls, counters, rule, held_back)
    figures += quality_figures(reference, counters, profile.rows, rule, "" if closed else OPEN)
    return [*figures, rows]


def held_width(counters: Counters, resolution: Resolution) -> Resolution:
    """Give the width of reference windows that a window is held against.

    That is its own, but for a week or month that its rows do not span, as the first and last of a stream: fewer
    days vary more, and are held against the widest windows they do span.
    """
    # Rows without times carry 0, and span nothing that is known.
    if resolution.name not in WINDOW_DAYS or not counters.last_ms or counters.first_ms is None:
        return resolution
    days = counters.last_ms // DAY_MS - counters.first_ms // DAY_MS + 1
    spanned = [name for name, length in WINDOW_DAYS.items() if days >= FULL_ENOUGH * length]
    if resolution.name in spanned:
        return resolution
    return Resolution(spanned[-1] if spanned else "1d")
