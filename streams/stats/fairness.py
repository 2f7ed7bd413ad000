"""Fairness: what a classifier does to the groups of one declared segment, and the criteria by their names.

Of each group's confusion, [true, predicted]:

    selection_rate  (fp + tp) / rows     tpr  tp / (tp + fn)
    ppv             tp / (tp + fp)       fpr  fp / (fp + tn)

Groups are held against the best of them, and against a named one where there is one. The best has the highest
rate (of `fpr` the lowest). A difference is group - other, a ratio group / other. A rate that stands on fewer than
`minimum` rows, which for `tpr` are the positives, is told and compared, but neither is it the best nor does it
speak in a criterion: small groups are inconclusive.

The criteria are labels on these figures, each with a threshold, and no judgement of what is right: several cannot
hold at once where base rates differ (Chouldechova 2017, "Fair prediction with disparate impact").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.streams.stats.proportion import Proportion, proportion

RATES: Final = ("selection_rate", "tpr", "fpr", "ppv")
MINIMUM: Final = 100
"""Rows that a rate must stand on: at 100 the interval of a rate of one half is +-0.1 wide."""


class Against(NamedTuple):
    """A group's rate held against another's; None where it is undefined, as a ratio to 0 is."""

    group: str
    difference: float | None
    ratio: float | None


class Rate(NamedTuple):
    """One rate of one group."""

    group: str
    rate: str
    """One of `RATES`."""
    of: Proportion
    enough: bool
    """Whether it stands on at least the minimum of rows."""
    best: Against | None
    """Against the best group with enough rows; None where no group has them."""
    named: Against | None
    """Against the named group; None where none is named or it has no row."""


@dataclass(frozen=True, slots=True)
class Fairness:
    """Rates of the groups of one segment; made by `fairness`."""

    rates: tuple[Rate, ...]
    """Group by group in the order they came in, and within a group in the order of `RATES`."""
    minimum: int

    def of(self, rate: str) -> tuple[Rate, ...]:
        """All groups' values of one rate."""
        return tuple(each for each in self.rates if each.rate == rate)


def fairness(
    groups: list[str], confusions: ArrayLike, named: str | None = None, minimum: int = MINIMUM
) -> Fairness:
    """Compute the rates of each group and hold them against the best and the named group.

    Args:
        groups: names of the segment's values, S of them, each once.
        confusions: rows, int (S, 2, 2): group, true, predicted.
        named: the group that others are held against, as settings give it.
        minimum: rows a rate must stand on to be the best or to speak in a criterion, at least 1.

    >>> found = fairness(["a", "b"], [[[50, 50], [20, 80]], [[80, 20], [30, 70]]])
    >>> [(r.group, r.of.value, r.best.ratio) for r in found.of("selection_rate")]
    [('a', 0.65, 1.0), ('b', 0.45, 0.6923076923076923)]

    """
    counts, rows = _counts(np.asarray(confusions, np.int64))
    parts = {
        name: [proportion(int(k), int(n)) for k, n in zip(counts[:, at], rows[:, at], strict=True)]
        for at, name in enumerate(RATES)
    }
    found = []
    for at, group in enumerate(groups):
        for name in RATES:
            of = parts[name][at]
            best = _best(parts[name], minimum, lowest=name == "fpr")
            other = groups.index(named) if named in groups else None
            against = [
                None if held is None else _against(of, groups[held], parts[name][held])
                for held in (best, other)
            ]
            found.append(Rate(group, name, of, of.rows >= minimum, *against))
    return Fairness(tuple(found), minimum)


def _counts(confusions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts and the rows they are of, each (S, 4) in the order of `RATES`."""
    tn, fp, fn, tp = confusions.reshape(-1, 4).T
    counts = np.column_stack([fp + tp, tp, fp, tp])
    return counts, np.column_stack([tn + fp + fn + tp, tp + fn, fp + tn, tp + fp])


def _best(parts: list[Proportion], minimum: int, *, lowest: bool) -> int | None:
    """Index of the best group with enough rows, the first of equals."""
    known = [
        (part.value if lowest else -part.value, at)
        for at, part in enumerate(parts)
        if part.value is not None and part.rows >= minimum
    ]
    return min(known)[1] if known else None


def _against(part: Proportion, name: str, other: Proportion) -> Against:
    if part.value is None or other.value is None:
        return Against(name, None, None)
    return Against(name, part.value - other.value, part.value / other.value if other.value > 0 else None)
