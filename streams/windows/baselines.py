"""Baselines: features held against the window before, or the reference's same hours of the week, where asked for.

Neither says how such figures vary from window to window, so no verdict on them is worse than a warning.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.window import Figure
from driftline.streams.stats.chi2 import chi2_of_rows
from driftline.streams.stats.nulls import iid_quantile
from driftline.streams.stats.psi import psi_of_shares
from driftline.streams.stats.shares import defined, shares
from driftline.streams.stats.verdict import Decision, Limits, Rule, decide, raised_null, shared_level
from driftline.streams.windows.kernel import COUNT
from driftline.streams.windows.reference import JUDGED, psi_counts, reference_of
from driftline.streams.windows.resolution import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from driftline.schemas.deployment import Baseline
    from driftline.schemas.profile import Profile
    from driftline.streams.windows.counters import Counters
    from driftline.streams.windows.reference import Reference

WHY_IID: Final = "how windows differ from this baseline is not known"
GONE: Final = "No counters of the window before are held: no row of it came, or they were let go."
OTHER_PROFILE: Final = "The window before was counted with another profile."
NO_TIMES: Final = "The reference has no times."
NO_HOURS: Final = "The worker is still reading the reference's hours of the week."
_MONDAY_HOURS: Final = 4 * 24


def baseline_figures(
    names: Sequence[Baseline],
    counters: Counters,
    profile: Profile,
    before: Counters | str,
    span_ms: tuple[int, int],
    rule: Rule,
) -> list[Figure]:
    """Give `psi_previous` and `psi_same_hour` of each feature, with verdicts; hours in windows of up to a day alone.

    Args:
        names: the baselines asked for.
        counters: the window, which has closed.
        profile: the reference, with its hours of the week.
        before: the window before of the same width, or why there is none.
        span_ms: start and end of the window, ms since 1970.
        rule: floors, minimum count, and the level that the features of each baseline share.
    """
    reference = reference_of(counters.layout)
    figures: list[Figure] = []
    if "previous" in names:
        held: np.ndarray | str = before if isinstance(before, str) else OTHER_PROFILE
        if not isinstance(before, str) and before.layout.digest == counters.layout.digest:
            held = psi_counts(reference, before.table[COUNT]) if before.rows else GONE
        figures += _figures("psi_previous", reference, counters, held, rule)
    if "same-hour-of-week" in names and span_ms[1] - span_ms[0] <= DAY_MS:
        hours = _hours(reference, profile, span_ms)
        figures += _figures("psi_same_hour", reference, counters, hours, rule)
    return figures


def _hours(reference: Reference, profile: Profile, span_ms: tuple[int, int]) -> np.ndarray | str:
    """Rows of the reference in the hours of the week that a window covers, int64 (F, B); else why they are unknown."""
    if not len(profile.day_starts_ms):
        return NO_TIMES
    first = (span_ms[0] // HOUR_MS - _MONDAY_HOURS) % (7 * 24)
    last = first + max(1, (span_ms[1] - span_ms[0]) // HOUR_MS)
    found = np.zeros_like(reference.counts)
    for row, column in enumerate(reference.columns):
        if JUDGED[column.profile.role] != "drift":
            continue
        hours = profile.column(column.profile.name, column.profile.role).hour_of_week
        if not hours.size:
            return NO_HOURS
        found[row, : column.profile.psi_bins] = hours[first:last].sum(axis=0)
    return found


def _figures(
    metric: str, reference: Reference, counters: Counters, held: np.ndarray | str, rule: Rule
) -> Iterator[Figure]:
    wanted = [at for at, column in enumerate(reference.columns) if JUDGED[column.profile.role] == "drift"]
    names = [reference.columns[at].profile.name for at in wanted]
    mine = psi_counts(reference, counters.table[COUNT])[wanted]
    if isinstance(held, str):
        for name, rows in zip(names, mine.sum(axis=1).tolist(), strict=True):
            yield Figure("drift", name, metric, verdict="inconclusive", reason=held, rows=rows)
        return
    level = shared_level(rule.level, len(wanted))
    for figure, name in zip(psi_figures(mine, held[wanted], level, rule, WHY_IID), names, strict=True):
        figure.feature, figure.metric = name, metric
        yield figure


def psi_figures(
    counts: np.ndarray, reference: np.ndarray, level: float, rule: Rule, why_iid: str
) -> Iterator[Figure]:
    """Judge PSI row by row by chance and the floor alone, which never says more than a warning.

    Args:
        counts: int64 (R, B), rows of windows per bin.
        reference: int64 (R, B), rows of what they are held against.
        level: of one figure.
        rule: floors and minimum count.
        why_iid: why there is no block null, a clause.

    Returns:
        A figure a row, of kind drift and metric psi, without a name.
    """
    values = psi_of_shares(shares(counts), shares(reference))
    chi2, cells = chi2_of_rows(counts, reference)
    quantiles = iid_quantile(level, cells)
    sizes = zip(counts.sum(axis=1).tolist(), reference.sum(axis=1).tolist(), strict=True)
    for at, (rows, held) in enumerate(sizes):
        value, quantile, null = defined(values[at].item()), quantiles[at].item(), None
        if value is not None and not math.isnan(quantile):  # with fewer than two cells nothing is significant
            null = raised_null(value, quantile * (1 / rows + 1 / held), chi2[at].item(), quantile)
        limits = Limits(null, None, level)
        decision: Decision = decide(value, limits, rule, rows=rows, reference_rows=held, why_iid=why_iid)
        yield Figure(
            "drift",
            "",
            "psi",
            value,
            null,
            rule.warn,
            None,
            *decision,
            rows=rows,
            reference_rows=held,
            level=level,
        )
