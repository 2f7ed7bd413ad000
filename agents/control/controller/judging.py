"""Judging: what windows say of a canary beside its champion, and of a new champion after the one before it; pure."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, ParamSpec

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
    from collections.abc import Callable, Iterable, Sequence

    from driftline.agents.audit.record import Check
    from driftline.agents.control.controller.windows import Kept
    from driftline.agents.control.moves import Verdict
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.window import WindowResult

logger = logging.getLogger(__name__)
Given = ParamSpec("Given")

NOT_FOR_IT: Final = "there is none for this kind of model"
COVERED: Final = 0.5
"""A shadow that answered less of the rows says nothing by its silence."""
KNOWN: Final = "labels have spoken, which outweighs it"


class Sides(NamedTuple):
    """Windows of a version, and of the other that it is held against."""

    mine: Sequence[WindowResult]
    its: Sequence[WindowResult]

    def where(self, holds: Callable[[WindowResult], bool]) -> Sides:
        """Those of both of which something holds."""
        return Sides([one for one in self.mine if holds(one)], [one for one in self.its if holds(one)])


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
    new: Iterable[Kept],
    old: Iterable[Kept],
    profiles: tuple[str, str],
    settings: DeploymentSettings,
    since_ms: int,
    *,
    both_began: bool = False,
) -> Judgement:
    """Hold a version against another in the same windows: a canary against the champion.

    Args:
        new: all windows of the version that are known.
        old: the other's.
        profiles: digests of the registered profiles of both; windows made with another one are left out.
        settings: of the deployment: primary metric and floors.
        since_ms: when the step began, ms since 1970.
        both_began: the other began to answer lately too, in its own first window: a shadow.
    """
    mine, its = _alike(new, old, profiles)
    whole = _whole(mine, since_ms)
    if both_began:
        first_ms = min((one.window_start_ms for one in _first_since(its, since_ms)), default=0)
        whole = [one for one in whole if one.window_start_ms > first_ms]
    every = _common(_told_since(mine, since_ms), its)
    return _judged(every, _common(whole, its), profiles[0], settings)


def after(
    new: Iterable[Kept],
    old: Iterable[Kept],
    profiles: tuple[str, str],
    settings: DeploymentSettings,
    since_ms: int,
) -> Judgement:
    """Hold a new champion against the last windows of the one before it; arguments as above.

    Those are of other times: worse is what one more window of the one before would hardly have been.
    """
    mine, its = _alike(new, old, profiles)
    before = [one.result for one in its]
    every = Sides(_told_since(mine, since_ms), before)
    whole = Sides(_whole(mine, since_ms), _ended(before, since_ms))
    return _judged(every, whole, profiles[0], settings, apart=True)


def covers(shadow: Iterable[Kept], new: Iterable[Kept], profiles: tuple[str, str], since_ms: int) -> bool:
    """Whether a shadow answered most of what a new champion did, window by window.

    Args:
        shadow: windows of the champion before, asked as a shadow.
        new: the new champion's.
        profiles: digests of the registered profiles of the new champion and of the one before.
        since_ms: when the bake time began, ms since 1970.
    """
    its = {
        (one.resolution, one.window_start_ms): one.rows
        for one in _first_since(shadow, since_ms)
        if _tells_of_calls(one) and one.profile_digest == profiles[1]
    }
    fresh = _first_since(new, since_ms)
    mine = [one for one in fresh if _tells_of_calls(one) and one.profile_digest == profiles[0]]
    both = sum(min(one.rows, its.get((one.resolution, one.window_start_ms), 0)) for one in mine)
    return both >= COVERED * _rows(mine)


def _judged(
    every: Sides, whole: Sides, profile: str, settings: DeploymentSettings, *, apart: bool = False
) -> Judgement:
    """Compare, and give the evidence its verdict.

    Args:
        every: windows by which errors are told.
        whole: those of them by which all else is.
        profile: digest of the version's registered profile.
        settings: of the deployment.
        apart: the other's windows are of other times.
    """
    closed = whole.where(lambda one: one.final)
    performance = _tried(measured, "performance", *whole.where(_is_mature), settings, apart=apart)
    found: dict[str, Found] = {
        "performance": performance,
        "estimate": _tried(_estimated, performance, closed, settings, apart=apart),
        "prediction": _tried(predicted, *closed),
        "errors": _tried(failed, *every.where(_tells_of_calls)),
        "latency": _tried(waited, *whole.where(_tells_of_calls), apart=apart),
    }
    said = {verdict for verdict, _ in found.values()}
    verdict: Verdict = "worse" if "worse" in said else "pass" if said == {"pass"} else "wait"
    checks = tuple(checked(name, one) for name, one in found.items())
    return Judgement(Evidence(verdict, _rows(whole.mine), profile), checks)


def _tried(compare: Callable[Given, Found], *given: Given.args, **named: Given.kwargs) -> Found:
    """What a comparison finds; figures that it cannot reckon with are no evidence, and never end a controller."""
    try:
        return compare(*given, **named)
    except (ArithmeticError, ValueError) as error:
        _tell(f"{getattr(compare, '__name__', compare)}: {error}")
        return "wait", f"its figures cannot be reckoned with: {error}"


@lru_cache(maxsize=64)
def _tell(why: str) -> None:
    """Log it once: a rollout is looked at every second."""
    logger.warning("figures of windows cannot be reckoned with, and are no evidence: %s", why)


def _estimated(performance: Found, closed: Sides, settings: DeploymentSettings, *, apart: bool) -> Found:
    """What scores alone say, while labels do not.

    A model's estimate rests on what it learnt from: one that learnt from calmer days promises more than a better one
    that knows of the others, and would take it back.
    """
    if performance[0] == "pass":
        return "pass", KNOWN
    if has_none("estimate", closed.mine) and has_none("estimate", closed.its):
        return "pass", NOT_FOR_IT
    return measured("estimate", *closed, settings, apart=apart)


def _alike(
    new: Iterable[Kept], old: Iterable[Kept], profiles: tuple[str, str]
) -> tuple[list[Kept], list[Kept]]:
    """Windows made with the registered profiles, at the narrowest width that both have."""
    mine = [one for one in new if one.result.profile_digest == profiles[0]]
    its = [one for one in old if one.result.profile_digest == profiles[1]]
    width = _finest([one.result for one in mine], [one.result for one in its])
    return (
        [one for one in mine if one.result.resolution == width],
        [one for one in its if one.result.resolution == width],
    )


def _common(mine: Sequence[WindowResult], its: Sequence[Kept]) -> Sides:
    """Those of both sides that are of the same time."""
    common = {_when(one) for one in mine} & {_when(one.result) for one in its}
    return Sides(mine, [one.result for one in its]).where(lambda one: _when(one) in common)


def _whole(mine: Sequence[Kept], since_ms: int) -> list[WindowResult]:
    """Windows that a version answered whole, since a step of it began, ms since 1970.

    The window in which it began has the end of a day alone of it, and the whole day of the other: mornings differ from
    evenings, and a model that is just being loaded is slow. Where event time is no clock's, as in a year that is
    replayed, it is the first window that was told since.
    """
    fresh = _first_since(mine, since_ms)
    if any(one.window_end_ms > since_ms for one in fresh):
        return [one for one in fresh if one.window_start_ms >= since_ms]
    first_ms = min((one.window_start_ms for one in fresh), default=0)
    return [one for one in fresh if one.window_start_ms > first_ms]


def _ended(its: Sequence[WindowResult], since_ms: int) -> Sequence[WindowResult]:
    """Windows that a champion answered to their end; all of them while none of these is known."""
    if any(one.window_end_ms > since_ms for one in its):
        ended = [one for one in its if one.window_end_ms <= since_ms]
    else:
        last_ms = max((one.window_start_ms for one in its), default=0)
        ended = [one for one in its if one.window_start_ms < last_ms]
    return ended or its


def _first_since(mine: Iterable[Kept], since_ms: int) -> list[WindowResult]:
    """Windows of which nothing was told before a time."""
    return [one.result for one in mine if one.first_ms >= since_ms]


def _told_since(mine: Iterable[Kept], since_ms: int) -> list[WindowResult]:
    """Windows of which something was told since a time."""
    return [one.result for one in mine if one.result.computed_at_ms >= since_ms]


def _tells_of_calls(one: WindowResult) -> bool:
    return one.role == "drift"


def _is_mature(one: WindowResult) -> bool:
    return one.role == "accuracy" and one.final and not one.provisional


def _rows(mine: Sequence[WindowResult]) -> int:
    return sum(one.rows for one in mine if _tells_of_calls(one))


def _when(one: WindowResult) -> tuple[str, int]:
    return one.role, one.window_start_ms


def _finest(mine: Sequence[WindowResult], its: Sequence[WindowResult]) -> str:
    """The narrowest width that both have; empty for none."""
    held = {one.resolution for one in mine} & {one.resolution for one in its}
    spans = {one.resolution: one.window_end_ms - one.window_start_ms for one in mine}
    return min(held, key=lambda width: spans[width], default="")
