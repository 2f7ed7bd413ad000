"""Criteria: the names that law and literature give to thresholds on fairness figures.

    four_fifths         lowest / highest selection rate at least 0.8
                        (US Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D)
    demographic_parity  highest - lowest selection rate at most 0.1
    equal_opportunity   highest - lowest TPR at most 0.1 (Hardt et al. 2016, "Equality of opportunity")
    equalised_odds      the wider of the gaps in TPR and in FPR at most 0.1 (the same)
    predictive_parity   highest - lowest PPV at most 0.1 (Chouldechova 2017)

Only four fifths comes with a threshold from its source; 0.1 is this product's default. With a named group, each
other group is held against that one instead. A criterion fails where two groups with enough rows are past the
threshold with their whole 95 % interval; it is ok where all groups have enough rows and none is past it; else it is
inconclusive, with the reason. Every pair is looked at, so of twenty groups that are alike one pair may fail by
chance where its gap is that of the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from driftline.streams.stats.contrast import UNKNOWN, Contrast, difference, ratio
from driftline.streams.stats.proportion import Proportion

RATES: Final = ("selection_rate", "tpr", "fpr", "ppv")
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


class Rate(NamedTuple):
    """One rate of one group."""

    group: str
    rate: str
    """One of `RATES`."""
    of: Proportion
    enough: bool
    """Whether it stands on at least the minimum of rows."""


class Criterion(NamedTuple):
    """A named criterion over all groups of a segment."""

    name: str
    verdict: Literal["ok", "fail", "inconclusive"]
    contrast: Contrast
    """The ratio (four fifths) or the gap between two groups with enough rows that decided."""
    threshold: float
    rows: int
    """Rows that the rates of all groups stand on."""
    group: str | None
    """The group that fares worse of the two; of a gap that of the lower rate."""
    other: str | None
    reason: str


def criteria(
    rates: Mapping[str, Sequence[Rate]],
    named: str | None,
    minimum: int,
    thresholds: Mapping[str, float] = THRESHOLDS,
) -> list[Criterion]:
    """Judge every criterion of `RATES_OF`.

    Args:
        rates: of every group, by the names of `RATES`.
        named: the group that others are held against; None holds each against each.
        minimum: rows that a rate must stand on, for the reason.
        thresholds: by criterion; those left out are the defaults.

    >>> from driftline.streams.stats.proportion import proportion
    >>> groups = [Rate("a", "ppv", proportion(900, 1000), True), Rate("b", "ppv", proportion(600, 1000), True)]
    >>> criteria({name: groups for name in RATES}, None, 100)[0].reason
    'PPV of b is 0.667 of that of a; at least 0.8 is asked for.'

    """
    return [_judge(rates, name, named, minimum, {**THRESHOLDS, **thresholds}[name]) for name in RATES_OF]


class _Pair(NamedTuple):
    """Two groups, the lower rate first, and how far past the threshold they are."""

    past: float
    lower: Rate
    higher: Rate


def _judge(
    rates: Mapping[str, Sequence[Rate]], name: str, named: str | None, minimum: int, threshold: float
) -> Criterion:
    """Judge one criterion by the pair that is furthest past the threshold, if any surely is."""
    among = [rate for each in RATES_OF[name] for rate in rates[each]]
    rows = sum(rate.of.rows for rate in among)
    short = sorted({rate.group for rate in among if not rate.enough})
    pairs = _pairs([rate for rate in among if rate.enough], name, named, threshold)
    if not pairs:
        strange = named is not None and all(rate.group != named for rate in among)
        why = f"no row of {named}" if strange else few(short, minimum) if short else "no second group"
        said = f"Nothing to compare: {why}."
        return Criterion(name, "inconclusive", UNKNOWN, threshold, rows, None, None, said)
    pairs.sort(key=lambda pair: -pair.past)
    past = [pair for pair in pairs if pair.past > ROUNDING]
    surely = next((pair for pair in past if _surely(pair, name, threshold)), None)
    pair = surely or pairs[0]
    contrast = _contrast(pair, name)
    said = _said(pair, name, contrast, threshold)
    if surely is not None:
        verdict: Literal["ok", "fail", "inconclusive"] = "fail"
    elif past:
        verdict, said = "inconclusive", f"{said[:-1]}; so few rows may show that by chance."
    elif short:
        verdict, said = "inconclusive", f"{said[:-1]}; {few(short, minimum)}."
    else:
        verdict = "ok"
    return Criterion(name, verdict, contrast, threshold, rows, pair.lower.group, pair.higher.group, said)


def _pairs(rates: list[Rate], name: str, named: str | None, threshold: float) -> list[_Pair]:
    """All pairs to compare: each group with the named one, or with each other one."""
    pairs = []
    for at, one in enumerate(rates):
        for other in rates[at + 1 :]:
            if one.rate != other.rate or (named is not None and named not in {one.group, other.group}):
                continue
            lower, higher = sorted((one, other), key=lambda rate: rate.of.value or 0.0)
            low, high = lower.of.value, higher.of.value
            if low is None or high is None:
                continue
            # Nobody is selected in either group: they fare alike.
            share = low / high if high > 0 else 1.0
            pairs.append(
                _Pair(threshold - share if name == "four_fifths" else high - low - threshold, lower, higher)
            )
    return pairs


def _contrast(pair: _Pair, name: str) -> Contrast:
    """Give the ratio lower / higher, or the gap higher - lower."""
    if name == "four_fifths":
        return ratio(pair.lower.of, pair.higher.of)
    return difference(pair.higher.of, pair.lower.of)


def _surely(pair: _Pair, name: str, threshold: float) -> bool:
    """Whether the whole interval is past the threshold."""
    found = _contrast(pair, name)
    if name == "four_fifths":
        return found.high is not None and found.high < threshold
    return found.low is not None and found.low > threshold


def _said(pair: _Pair, name: str, contrast: Contrast, threshold: float) -> str:
    rate = {"selection_rate": "Selection rate"}.get(pair.lower.rate, pair.lower.rate.upper())
    lower, higher = pair.lower.group, pair.higher.group
    if name == "four_fifths":
        if contrast.value is None:
            return f"{rate} of {lower} and {higher} is 0."
        share = f"{rate} of {lower} is {contrast.value:.3g} of that of {higher}"
        return f"{share}; at least {threshold:g} is asked for."
    gap = f"{rate} of {lower} and {higher} differ by {contrast.value:.3g}"
    return f"{gap}; at most {threshold:g} is asked for."


def few(groups: Sequence[str], minimum: int, most: int = 3) -> str:
    """Name a few groups that are too small and count the rest."""
    rest = f" and {len(groups) - most} more" if len(groups) > most else ""
    return f"{', '.join(groups[:most])}{rest} with fewer than {minimum} rows to tell by"
