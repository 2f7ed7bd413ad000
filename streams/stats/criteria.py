"""Criteria: the names that law and literature give to thresholds on fairness figures.

    four_fifths         lowest / highest selection rate at least 0.8
                        (US Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D)
    demographic_parity  highest - lowest selection rate at most 0.1
    equal_opportunity   highest - lowest TPR at most 0.1 (Hardt et al. 2016, "Equality of opportunity")
    equalised_odds      the wider of the gaps in TPR and in FPR at most 0.1 (the same)
    predictive_parity   highest - lowest PPV at most 0.1 (Chouldechova 2017)

Only four fifths comes with a threshold from its source; 0.1 is this product's default. With a named group, each
other group is held against that one instead. A criterion is broken where two groups with enough rows break it;
it holds where all groups have enough rows and none breaks it; else it is inconclusive, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from driftline.streams.stats.fairness import Fairness, Rate

RATES_OF: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "four_fifths": ("selection_rate",),
        "demographic_parity": ("selection_rate",),
        "equal_opportunity": ("tpr",),
        "equalised_odds": ("tpr", "fpr"),
        "predictive_parity": ("ppv",),
    }
)
THRESHOLDS: Final[Mapping[str, float]] = MappingProxyType(
    {name: 0.8 if name == "four_fifths" else 0.1 for name in RATES_OF}
)
ROUNDING: Final = 1e-12  # 0.45 - 0.35 is a hair above 0.1, and is 0.1


class Criterion(NamedTuple):
    """A named criterion over all groups of a segment."""

    name: str
    holds: bool | None
    """None: inconclusive."""
    value: float | None
    """The worst ratio (four fifths) or the widest gap between groups with enough rows."""
    threshold: float
    group: str | None
    """The group that the value is worst for."""
    reason: str


def criteria(
    found: Fairness, named: str | None = None, thresholds: Mapping[str, float] = THRESHOLDS
) -> list[Criterion]:
    """Judge every criterion of `RATES_OF`.

    Args:
        found: rates of the groups.
        named: the group that others are held against; None holds each against each.
        thresholds: by criterion; those left out are the defaults.

    >>> from driftline.streams.stats.fairness import fairness
    >>> rates = fairness(["a", "b"], [[[50, 50], [20, 80]], [[80, 20], [30, 70]]])
    >>> [(c.name, c.holds) for c in criteria(rates)][:2]
    [('four_fifths', False), ('demographic_parity', False)]
    >>> criteria(rates)[0].reason
    'Selection rate of b is 0.692 of that of a; at least 0.8 is asked for.'

    """
    return [_judge(found, name, named, {**THRESHOLDS, **thresholds}[name]) for name in RATES_OF]


class _Pair(NamedTuple):
    """Two groups and how far apart they are; `value` grows with the unfairness."""

    value: float
    rate: str
    group: str
    other: str


def _judge(found: Fairness, name: str, named: str | None, threshold: float) -> Criterion:
    """Judge one criterion by the worst pair of groups with enough rows."""
    rates = [rate for each in RATES_OF[name] for rate in found.of(each)]
    short = sorted({rate.group for rate in rates if not rate.enough})
    pairs = _pairs([rate for rate in rates if rate.enough], name, named)
    few = f"{_listed(short)} with fewer than {found.minimum} rows to tell by"
    if not pairs:
        strange = named is not None and all(rate.group != named for rate in rates)
        why = f"no row of {named}" if strange else few if short else "no second group"
        return Criterion(name, None, None, threshold, None, f"Nothing to compare: {why}.")
    worst = max(pairs, key=lambda pair: pair.value)
    value = -worst.value if name == "four_fifths" else worst.value
    holds = value >= threshold - ROUNDING if name == "four_fifths" else value <= threshold + ROUNDING
    said = _said(worst, name, value, threshold)
    if holds and short:
        return Criterion(name, None, value, threshold, worst.group, f"{said[:-1]}; {few}.")
    return Criterion(name, holds, value, threshold, worst.group, said)


def _pairs(rates: list[Rate], name: str, named: str | None) -> list[_Pair]:
    """All pairs to compare: each group with the named one, or with each other one."""
    pairs = []
    for rate in rates:
        for other in rates:
            if rate.rate != other.rate or rate.group == other.group or named not in {None, other.group}:
                continue
            mine, theirs = rate.of.value, other.of.value
            if mine is None or theirs is None:
                continue
            if name == "four_fifths":
                # Nobody is selected in either group: they fare alike.
                share = mine / theirs if theirs > 0 else 1.0 if mine == 0 else None
                if share is not None:
                    pairs.append(_Pair(-share, rate.rate, rate.group, other.group))
            else:
                pairs.append(_Pair(abs(mine - theirs), rate.rate, rate.group, other.group))
    return pairs


def _said(worst: _Pair, name: str, value: float, threshold: float) -> str:
    rate = {"selection_rate": "Selection rate"}.get(worst.rate, worst.rate.upper())
    if name == "four_fifths":
        return f"{rate} of {worst.group} is {value:.3g} of that of {worst.other}; at least {threshold:g} is asked for."
    gap = f"{rate} of {worst.group} and {worst.other} differ by {value:.3g}"
    return f"{gap}; at most {threshold:g} is asked for."


def _listed(names: list[str], most: int = 3) -> str:
    """Name a few groups and count the rest."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
