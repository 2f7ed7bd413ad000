"""Inputs: which features drifted, how far, and whether the model leans on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.schemas.advice import Drifted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.streams.advice.evidence import Evidence

CARRIED: Final = 0.95
"""The most important features that together carry this share of the importance are the important ones."""
ALARMS: Final = ("warn", "fail")


def importance_shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Give the share of each feature in the importance of all; empty when nobody said it.

    >>> importance_shares({"x": 3.0, "y": 1.0})
    {'x': 0.75, 'y': 0.25}
    """
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()} if total > 0 else {}


def important(weights: Mapping[str, float]) -> frozenset[str] | None:
    """Name the features that count: the most important ones, until they carry 95 %; None for all of them.

    >>> sorted(important({"x": 90, "y": 6, "z": 4, "w": 0}) or ())
    ['x', 'y']
    """
    shares = importance_shares(weights)
    if not shares:
        return None
    found, carried = [], 0.0
    for name in sorted(shares, key=lambda one: (-shares[one], one)):
        if carried >= CARRIED or shares[name] == 0:
            break
        found.append(name)
        carried += shares[name]
    return frozenset(found)


def drifted(window: Evidence, weights: Mapping[str, float]) -> tuple[Drifted, ...]:
    """Give the features with a warning or failure of drift: important ones first, then by importance and PSI."""
    counts, shares = important(weights), importance_shares(weights)
    sigmas = {one.feature: one.value for one in window.whole("drift") if one.metric == "w1_sigma"}
    found = []
    for figure in window.whole("drift"):
        if figure.metric != "psi" or figure.verdict not in ALARMS or figure.value is None:
            continue
        limits = [limit for limit in (figure.null, figure.floor, figure.block) if limit is not None]
        found.append(
            Drifted(
                feature=figure.feature,
                importance=shares.get(figure.feature, 0.0) if shares else None,
                important=counts is None or figure.feature in counts,
                verdict=figure.verdict,
                psi=figure.value,
                limit=max(limits, default=None),
                sigma=sigmas.get(figure.feature),
            )
        )
    return tuple(sorted(found, key=lambda one: (not one.important, -(one.importance or 0.0), -one.psi)))
