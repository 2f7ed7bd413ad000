"""Fairness: what a classifier does to the groups of one declared segment, as rows of figures.

Of each group's confusion, [true, predicted]:

    selection_rate  (fp + tp) / rows     tpr  tp / (tp + fn)
    ppv             tp / (tp + fp)       fpr  fp / (fp + tn)

Groups are held against the best of them, and against a named one where there is one. The best has the highest
rate (of `fpr` the lowest). A difference is group - other, a ratio group / other. A rate that stands on fewer than
`minimum` rows, which for `tpr` are the positives, is told and compared, but neither is it the best nor does it
speak in a criterion: small groups are inconclusive.

The criteria (criteria.py) are labels on these figures, each with a threshold, and no judgement of what is right:
several cannot hold at once where base rates differ (Chouldechova 2017, "Fair prediction with disparate impact").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.contrast import difference, ratio
from driftline.streams.stats.criteria import RATES, THRESHOLDS, Rate, criteria
from driftline.streams.stats.proportion import Proportion, proportion

MINIMUM: Final = 100
"""Rows that a rate must stand on: at 100 the interval of a rate of one half is +-0.1 wide."""
MOST_GROUPS: Final = 100
"""Groups that are held against each other; what comes past the largest ones has rates alone."""


class FairnessRow(NamedTuple):
    """One figure of one group, or one criterion over all groups."""

    group: str
    """The segment's value; of a criterion the group that it is worst for, empty where there is none."""
    metric: str
    """One of `RATES`; `..._difference` or `..._ratio` to the best, `..._difference_to_named` or
    `..._ratio_to_named`; or a criterion."""
    value: float | None
    low: float | None
    high: float | None
    """Ends of the 95 % interval between independent rows."""
    rows: int
    """Rows that the group's rate stands on; of a criterion all rows that its rates stand on."""
    other: str = ""
    """The group that this one is held against."""
    verdict: Literal["ok", "fail", "inconclusive"] | None = None
    """Of a criterion."""
    threshold: float | None = None
    """Of a criterion."""
    reason: str = ""


def fairness(
    groups: Sequence[str],
    confusions: ArrayLike,
    named: str | None = None,
    minimum: int = MINIMUM,
    thresholds: Mapping[str, float] = THRESHOLDS,
) -> list[FairnessRow]:
    """Compute the rates of each group, hold them against the best and the named group, and judge the criteria.

    Args:
        groups: names of the segment's values, S of them, each once.
        confusions: rows, int (S, 2, 2): group, true, predicted; so (S, 4) of tn, fp, fn, tp does as well.
        named: the group that others are held against, as settings give it.
        minimum: rows a rate must stand on to be the best or to speak in a criterion, at least 1.
        thresholds: by criterion; those left out are the defaults.

    Returns:
        First every group's rates, group by group in the order they came in, then differences and ratios alike,
        then the criteria.

    >>> found = fairness(["a", "b"], [[[50, 50], [20, 80]], [[80, 20], [30, 70]]])
    >>> [(row.group, row.value) for row in found if row.metric == "selection_rate"]
    [('a', 0.65), ('b', 0.45)]
    >>> next((row.group, row.other, round(row.value, 3)) for row in found if row.metric == "selection_rate_ratio")
    ('b', 'a', 0.692)
    >>> [(row.metric, row.verdict) for row in found if row.verdict][0]
    ('four_fifths', 'inconclusive')

    """
    counts, rows = _counts(np.asarray(confusions, np.int64))
    rates = {
        name: [
            Rate(group, name, share := proportion(int(k), int(n)), share.rows >= minimum)
            for group, k, n in zip(groups, counts[:, at], rows[:, at], strict=True)
        ]
        for at, name in enumerate(RATES)
    }
    told = [_told(rates[name][at]) for at in range(len(groups)) for name in RATES]
    largest = set(np.argsort(-rows[:, 0], kind="stable")[:MOST_GROUPS].tolist())
    kept = {name: [each for at, each in enumerate(of) if at in largest] for name, of in rates.items()}
    compared = [row for name in RATES for row in _compared(kept[name], named)]
    place = {group: at for at, group in enumerate(groups)}
    compared.sort(key=lambda row: place[row.group])
    judged = [
        FairnessRow(
            found.group or "",
            found.name,
            *found.contrast,
            found.rows,
            found.other or "",
            found.verdict,
            found.threshold,
            found.reason,
        )
        for found in criteria(kept, named, minimum, thresholds)
    ]
    return [*told, *compared, *judged]


def _counts(confusions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts and the rows they are of, each (S, 4) in the order of `RATES`."""
    tn, fp, fn, tp = confusions.reshape(-1, 4).T
    counts = np.column_stack([fp + tp, tp, fp, tp])
    return counts, np.column_stack([tn + fp + fn + tp, tp + fn, fp + tn, tp + fp])


def _told(rate: Rate) -> FairnessRow:
    share: Proportion = rate.of
    return FairnessRow(rate.group, rate.rate, share.value, share.low, share.high, share.rows)


def _compared(rates: Sequence[Rate], named: str | None) -> list[FairnessRow]:
    """Hold the groups' values of one rate against the best and the named one."""
    held = [(_best(rates), ""), (next((each for each in rates if each.group == named), None), "_to_named")]
    return [
        FairnessRow(
            each.group, f"{each.rate}_{kind}{suffix}", *contrast(each.of, other.of), each.of.rows, other.group
        )
        for each in rates
        for other, suffix in held
        if other is not None and other.group != each.group
        for kind, contrast in (("difference", difference), ("ratio", ratio))
    ]


def _best(rates: Sequence[Rate]) -> Rate | None:
    """Give the best group with enough rows, the first of equals."""
    known = [each for each in rates if each.enough and each.of.value is not None]
    sign = 1 if rates and rates[0].rate == "fpr" else -1
    return min(known, key=lambda each: sign * (each.of.value or 0.0), default=None)
