"""The threefold rule: a figure drifts when it is significant, large, and unusual for this stream.

    drift  iff  value > null   (more than chance between independent rows)
           and  value > floor  (0.1 warns, 0.25 fails: enough to matter)
           and  value > block  (more than the reference's own windows differ from each other)

The level, 1 % for a deployment and window, is shared evenly over its features and outputs (Bonferroni, which
holds whatever their dependence). Without a block null the first two alone decide and never raise more than a
warning: on real streams rows are not independent. Below a minimum count nothing is decided: no data is no
verdict, and is never "ok".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

Verdict: TypeAlias = Literal["ok", "warn", "fail", "inconclusive"]

ONLY_IID: Final = "null: iid"


@dataclass(frozen=True, slots=True)
class Rule:
    """Limits of the rule, as settings give them."""

    level: float = 0.01
    """Probability of any drift alarm in one window of one deployment without drift."""
    minimum_rows: int = 200
    """Rows with a value, in the window and in the reference, below which a verdict is inconclusive."""
    warn: float = 0.1
    fail: float = 0.25


class Limits(NamedTuple):
    """Thresholds of one figure: what it must exceed to drift; None where one cannot be known."""

    null: float | None
    block: float | None
    level: float
    """Level of one figure that the thresholds really have."""


class Decision(NamedTuple):
    """A verdict and its reason, a short sentence."""

    verdict: Verdict
    reason: str


def shared_level(level: float, figures: int) -> float:
    """Level of one figure when `figures` are judged together.

    >>> shared_level(0.01, 25)
    0.0004

    """
    return level / max(figures, 1)


def decide(
    value: float | None, limits: Limits, rule: Rule, *, rows: int, reference_rows: int, why_iid: str = ""
) -> Decision:
    """Judge one drift figure.

    Args:
        value: the figure; None when undefined.
        limits: its thresholds.
        rule: floors and minimum count.
        rows: rows with a value in the window.
        reference_rows: rows with a value in the reference.
        why_iid: why there is no block null, a clause; said in the reason.

    Returns:
        The verdict and a sentence for whoever is woken by it.

    >>> decide(0.3, Limits(0.05, 0.2, 0.0004), Rule(), rows=900, reference_rows=5000).verdict
    'fail'
    >>> decide(0.3, Limits(0.05, None, 0.0004), Rule(), rows=900, reference_rows=5000).verdict
    'warn'
    >>> decide(0.3, Limits(0.05, 0.4, 0.0004), Rule(), rows=900, reference_rows=5000).reason
    'PSI 0.3 is within what the reference itself shows in windows this wide (up to 0.4).'

    """
    short = too_few(rows, reference_rows, rule.minimum_rows)
    if short is not None:
        return short
    if value is None:
        return Decision("inconclusive", "PSI is undefined: there is nothing to compare.")
    iid = "" if limits.block is not None else f" ({ONLY_IID}{', ' + why_iid if why_iid else ''})"
    if limits.null is None:
        return Decision("ok", f"All rows of both samples fall into one cell{iid}.")
    if value <= rule.warn:
        return Decision("ok", f"PSI {value:.3g} is at most {rule.warn:g}, too little to matter{iid}.")
    if value <= limits.null:
        said = f"PSI {value:.3g} is within chance for {rows} rows (up to {limits.null:.3g})"
        return Decision("ok", f"{said}{iid}.")
    return _large(value, limits, rule, iid)


def _large(value: float, limits: Limits, rule: Rule, iid: str) -> Decision:
    """Judge a figure that is significant and above the floor of a warning."""
    if limits.block is None:
        said = f"PSI {value:.3g} is large and no chance between independent rows"
        return Decision("warn", f"{said}, but how this stream varies is not known{iid}.")
    usual = f"what the reference itself shows in windows this wide (up to {limits.block:.3g})"
    if value <= limits.block:
        return Decision("ok", f"PSI {value:.3g} is within {usual}.")
    verdict: Verdict = "fail" if value > rule.fail else "warn"
    return Decision(verdict, f"PSI {value:.3g} exceeds {usual} and chance.")


def too_few(rows: int, reference_rows: int, minimum_rows: int) -> Decision | None:
    """The decision when one of the samples is too small to judge; None when both are large enough.

    >>> too_few(3, 5000, 200)
    Decision(verdict='inconclusive', reason='Only 3 rows with a value; a verdict needs 200.')

    """
    if rows == 0:
        return Decision("inconclusive", "No row of the window has a value.")
    if rows < minimum_rows:
        return Decision("inconclusive", f"Only {rows} rows with a value; a verdict needs {minimum_rows}.")
    if reference_rows < minimum_rows:
        said = f"Only {reference_rows} reference rows with a value; a verdict needs {minimum_rows}."
        return Decision("inconclusive", said)
    return None


def raised_null(value: float, null: float, statistic: float, quantile: float) -> float:
    """Threshold of significance on the scale of PSI, raised where thin cells inflate PSI.

    PSI takes a logarithm of shares, so levels with few rows lift it far above chi-squared; the chi-squared
    statistic of the pooled cells keeps to its level there (docs/statistics.md). When PSI exceeds `null` and
    that statistic does not exceed its quantile, the threshold becomes the PSI at which it would.

    Args:
        value: PSI.
        null: iid null of PSI.
        statistic: chi-squared over the pooled cells.
        quantile: its quantile at the same level.

    >>> raised_null(0.6, 0.2, 32.0, 40.0)
    0.75
    >>> raised_null(0.6, 0.2, 50.0, 40.0)
    0.2

    """
    if value <= null or statistic > quantile:
        return null
    return value if statistic <= 0 else value * (quantile / statistic)
