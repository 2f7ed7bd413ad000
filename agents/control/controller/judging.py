"""Judging: what windows say of a canary beside its champion, and of a new champion after the one before it; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.agents.control.controller.comparing import (
    Found,
    checked,
    failed,
    has_none,
    measured,
    predicted,
    waited,
)
from driftline.agents.control.moves import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.agents.audit.record import Check
    from driftline.agents.control.moves import Verdict
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.window import WindowResult

NOT_FOR_IT: Final = "there is none for this kind of model"
COVERED: Final = 0.5
"""A shadow that answered less of the rows says nothing by its silence."""
KNOWN: Final = "labels have spoken, which outweighs it"


class Sides(NamedTuple):
    """Windows of a version, and of the other that it is held against."""

    mine: Sequence[WindowResult]
    its: Sequence[WindowResult]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What windows say, and the comparisons that it rests on."""

    evidence: Evidence
    checks: tuple[Check, ...]

    @property
    def reason(self) -> str:
        """What was found to be worse, as a sentence."""
        bad = [f"{one.name} ({one.detail})" for one in self.checks if one.detail.startswith("worse")]
        return "; ".join(bad)


def beside(
    canary: Iterable[WindowResult],
    champion: Iterable[WindowResult],
    profiles: tuple[str, str],
    settings: DeploymentSettings,
    since_ms: int,
) -> Judgement:
    """Hold a canary against the champion in the same windows.

    Args:
        canary: its windows since the step began, the newest result of each.
        champion: the champion's.
        profiles: digests of the registered profiles of both; windows made with another one are left out.
        settings: of the deployment: primary metric and floors.
        since_ms: when the step began, ms since 1970.
    """
    mine, its = _alike(canary, champion, profiles)
    common = {_when(one) for one in mine} & {_when(one) for one in its}
    both = Sides(*([one for one in side if _when(one) in common] for side in (mine, its)))
    begun_ms = _begun_ms(mine, since_ms)
    whole = Sides(*([one for one in side if one.window_start_ms > begun_ms] for side in both))
    return _judged(both, whole, Evidence("wait", _rows(mine), profiles[0]), settings)


def after(
    new: Iterable[WindowResult],
    old: Iterable[WindowResult],
    profiles: tuple[str, str],
    settings: DeploymentSettings,
    since_ms: int,
) -> Judgement:
    """Hold a new champion against the last windows of the one before it; arguments as above."""
    mine, its = _alike(new, old, profiles)
    begun_ms = _begun_ms(mine, since_ms)
    whole = Sides([one for one in mine if one.window_start_ms > begun_ms], its)
    return _judged(Sides(mine, its), whole, Evidence("wait", _rows(mine), profiles[0]), settings)


def covers(shadow: Iterable[WindowResult], new: Iterable[WindowResult], profiles: tuple[str, str]) -> bool:
    """Whether a shadow answered most of what a new champion did, window by window.

    Args:
        shadow: windows of the champion before, asked as a shadow.
        new: the new champion's.
        profiles: digests of the registered profiles of the new champion and of the one before.
    """
    its = {
        (one.resolution, one.window_start_ms): one.rows
        for one in shadow
        if one.role == "drift" and one.profile_digest == profiles[1]
    }
    mine = [one for one in new if one.role == "drift" and one.profile_digest == profiles[0]]
    both = sum(min(one.rows, its.get((one.resolution, one.window_start_ms), 0)) for one in mine)
    return both >= COVERED * _rows(mine)


def _judged(every: Sides, whole: Sides, known: Evidence, settings: DeploymentSettings) -> Judgement:
    """Compare, and give the evidence its verdict.

    Args:
        every: windows by which errors are told.
        whole: those of them by which all else is.
        known: the evidence so far.
        settings: of the deployment.
    """
    mature = Sides(*([one for one in side if _is_mature(one)] for side in whole))
    closed = Sides(*([one for one in side if one.final] for side in whole))
    performance = measured("performance", *mature, settings)
    found: dict[str, Found] = {
        "performance": performance,
        "estimate": _estimated(performance, *closed, settings),
        "prediction": predicted(*closed),
        "errors": failed(*_counted(every)),
        "latency": waited(*_counted(whole)),
    }
    said = {verdict for verdict, _ in found.values()}
    verdict: Verdict = "worse" if "worse" in said else "pass" if said == {"pass"} else "wait"
    checks = tuple(checked(name, one) for name, one in found.items())
    return Judgement(replace(known, verdict=verdict), checks)


def _estimated(
    performance: Found,
    mine: Sequence[WindowResult],
    its: Sequence[WindowResult],
    settings: DeploymentSettings,
) -> Found:
    """What scores alone say, while labels do not.

    A model's estimate rests on what it learnt from: one that learnt from calmer days promises more than a better one
    that knows of the others, and would take it back.
    """
    if performance[0] == "pass":
        return "pass", KNOWN
    if has_none("estimate", mine) and has_none("estimate", its):
        return "pass", NOT_FOR_IT
    return measured("estimate", mine, its, settings)


def _alike(new: Iterable[WindowResult], old: Iterable[WindowResult], profiles: tuple[str, str]) -> Sides:
    """Windows made with the registered profiles, at the narrowest width that both have."""
    mine = [one for one in new if one.profile_digest == profiles[0]]
    its = [one for one in old if one.profile_digest == profiles[1]]
    width = _finest(mine, its)
    return Sides(*([one for one in side if one.resolution == width] for side in (mine, its)))


def _begun_ms(mine: Sequence[WindowResult], since_ms: int) -> int:
    """The start of the window in which a version began; -1 when all that are known began after it, ms since 1970.

    That window has the end of a day alone of it, and the whole day of the other: mornings differ from evenings, and a
    model that is just being loaded is slow. Where event time is no clock's, as in a year that is replayed, it is the
    first one.
    """
    first_ms = min((one.window_start_ms for one in mine), default=-1)
    return first_ms if first_ms < since_ms else -1


def _counted(sides: Sides) -> Sides:
    """Windows that tell of the calls themselves."""
    return Sides(*([one for one in side if one.role == "drift"] for side in sides))


def _is_mature(one: WindowResult) -> bool:
    return one.role == "accuracy" and one.final and not one.provisional


def _rows(mine: Sequence[WindowResult]) -> int:
    return sum(one.rows for one in mine if one.role == "drift")


def _when(one: WindowResult) -> tuple[str, int]:
    return one.role, one.window_start_ms


def _finest(mine: Sequence[WindowResult], its: Sequence[WindowResult]) -> str:
    """The narrowest width that both have; empty for none."""
    held = {one.resolution for one in mine} & {one.resolution for one in its}
    spans = {one.resolution: one.window_end_ms - one.window_start_ms for one in mine}
    return min(held, key=lambda width: spans[width], default="")
