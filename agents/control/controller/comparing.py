"""Comparing: one version against another by figures of windows: worse, not worse, or too little is known; pure.

A figure is `pass` when its 95 % bound (one-sided) lies within the margin, `worse` when it is beyond the margin and the
interval does not reach the other's value, and `wait` in between: no data is no verdict. Of windows of other times the
interval is that in which one more window of the other would lie: days differ by more than chance among rows. A number
that no figure of its kind can have is no data either, whoever wrote it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.record import Check
from driftline.agents.control.controller.pooling import (
    TWO_SIDED,
    Weighted,
    figures,
    of_classes,
    pooled,
    row_error,
    told,
    typical,
    weighted_mean,
)
from driftline.schemas.floors import METRICS, PRIMARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.agents.control.moves import Verdict
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.window import WindowResult

Found = tuple["Verdict", str]

ONE_SIDED: Final = 1.645
SURE: Final = 3.0
"""Standard errors beyond which a difference of shares is no chance."""
ERRORS_MARGIN: Final = 0.01
"""More errors than this share of the calls matter."""
LATENCY_MARGIN: Final = 1.2
LATENCY_WORSE: Final = 1.5
LATENCY_MS: Final = 5.0
"""A wait that is longer by less is no harm, whatever the ratio."""
LEAST_ROWS: Final = 200
TAIL_ROWS: Final = 2_000
"""Calls that a comparison of tails needs: of fewer, p95 rests on a handful of slow moments that hit one of the two."""
PRIMARIES: Final = tuple(dict.fromkeys(name for names in PRIMARY.values() for name in names))


def measured(
    kind: str,
    new: Sequence[WindowResult],
    old: Sequence[WindowResult],
    settings: DeploymentSettings,
    *,
    apart: bool = False,
) -> Found:
    """Hold measured performance, or an estimate of it, against the other's.

    By the primary metric that the settings declare, else by every one of any task's that both have.

    Args:
        kind: `performance` or `estimate`.
        new: windows of the version.
        old: of the other.
        settings: of the deployment: primary metric and floors.
        apart: the other's windows are of other times.
    """
    names = PRIMARIES if settings.primary_metric is None else (settings.primary_metric,)
    found = []
    for name in names:
        mine, its = told(kind, name, new), told(kind, name, old)
        # What a calibration leaves unknown of an estimate is no less with more rows.
        of_one = row_error((*mine, *its)) if kind == "performance" else 0.0
        whole = of_classes(kind, new, old) if name == "macro_f1" else None
        value = pooled(mine, name, of_one, None if whole is None else whole.sides[0])
        other = pooled(its, name, of_one, None if whole is None else whole.sides[1])
        if apart and other is not None:
            usual = typical([one[:2] for one in its])
            other = None if usual is None else (other[0], usual[1])
        if value is not None and other is not None:
            verdict, said = _measured(name, settings.floor(name).warn, value, other)
            if whole is not None and not whole.is_whole:
                # It may be in the class that is left out that it is worse.
                said = f"{said}, without classes whose counts cannot be"
                verdict = "wait" if verdict == "pass" else verdict
            found.append((verdict, said))
    return _worst(found) if found else ("wait", _lacking(kind, names, new))


def has_none(kind: str, windows: Iterable[WindowResult]) -> bool:
    """Whether windows say themselves that there is no such figure for this kind of model."""
    seen = [figure for one in windows for figure in one.figures if figure.kind == kind]
    return bool(seen) and all(figure.value is None and figure.reason for figure in seen)


def predicted(new: Sequence[WindowResult], old: Sequence[WindowResult]) -> Found:
    """Hold how predictions drifted, each version against its own reference, against the other's in the same windows."""
    judged, its = [verdicts for one in new if (verdicts := _verdicts([one]))], _verdicts(old)
    if not judged or not its:
        return "wait", "no closed window has verdicts for both"
    mine = set().union(*judged)
    bad, well = sum("fail" in one for one in judged), sum(one <= {"ok"} for one in judged)
    # Of many windows some fail by chance, and of one window half of the calls may.
    if "fail" not in its and bad > 1 and 2 * bad > len(judged):
        return "worse", "its predictions drifted from its reference, and the other's did not"
    if 2 * well > len(judged):
        return "pass", "its predictions are as its reference had them"
    if its - {"ok"} and not mine - its:
        return "pass", "both drifted alike"
    return "wait", f"its windows say {', '.join(sorted(mine))}"


def failed(new: Sequence[WindowResult], old: Sequence[WindowResult]) -> Found:
    """Hold the share of calls that failed against the other's."""
    mine, its = _counted("errors", new), _counted("errors", old)
    rows = mine[1], its[1]
    if min(rows) < LEAST_ROWS:
        return (
            "wait",
            f"{rows[0]:,.0f} and {rows[1]:,.0f} calls told how they ended; {LEAST_ROWS} each are needed",
        )
    shares = mine[0] / rows[0], its[0] / rows[1]
    # One failure and one success more each, so that no failure among few calls is no proof.
    softer = [(count + 1) / (total + 2) for count, total in (mine, its)]
    error = math.sqrt(sum(share * (1 - share) / total for share, total in zip(softer, rows, strict=True)))
    said = f"{shares[0]:.2%} failed, of the other's {shares[1]:.2%}"
    more = shares[0] - shares[1]
    if more > ERRORS_MARGIN and more > SURE * error:
        return "worse", said
    return ("pass" if more + ONE_SIDED * error < ERRORS_MARGIN else "wait"), said


def waited(new: Sequence[WindowResult], old: Sequence[WindowResult], *, apart: bool = False) -> Found:
    """Hold the latency that one call in twenty exceeds against the other's; of few calls, that of every second one.

    Args:
        new: windows of the version.
        old: of the other.
        apart: the other's windows are of other times.
    """
    mine, its = _weighted("latency_p95", new), _weighted("latency_p95", old)
    if mine is None or its is None or min(mine[1], its[1]) < LEAST_ROWS:
        return "wait", f"fewer than {LEAST_ROWS} calls of each told how long they took"
    name = "p95"
    if min(mine[1], its[1]) < TAIL_ROWS:
        name, mine, its = "p50", _weighted("latency_p50", new), _weighted("latency_p50", old)
        if mine is None or its is None:
            return "wait", "no window tells the median of how long calls took"
    said = f"{name} {mine[0]:.1f} ms, of the other's {its[0]:.1f} ms"
    more, ratio = mine[0] - its[0], mine[0] / its[0] if its[0] else math.inf
    if ratio <= LATENCY_MARGIN or more <= LATENCY_MS:
        return "pass", said
    if apart:
        usual = typical(_health(f"latency_{name}", old))
        if usual is None or more <= TWO_SIDED * usual[1]:
            return "wait", f"{said}, as windows of the other differ by themselves"
    return ("worse" if ratio > LATENCY_WORSE else "wait"), said


def checked(name: str, found: Found) -> Check:
    """The comparison as the audit tells of it."""
    return Check(name=name, passed=found[0] == "pass", detail=f"{found[0]}: {found[1]}")


def _measured(name: str, margin: float, mine: tuple[float, float], its: tuple[float, float]) -> Found:
    """Hold one metric: values and their standard errors, against a margin as floors have it."""
    metric = METRICS[name]
    scale = abs(its[0]) if metric.kind == "rise" else 1.0
    worse = (mine[0] - its[0]) * (1 if metric.kind == "rise" else -1)
    error = math.hypot(mine[1], its[1])
    said = f"{name} {mine[0]:.4g}, of the other's {its[0]:.4g}"
    if worse - TWO_SIDED * error > 0 and worse > margin * scale:
        return "worse", said
    return ("pass" if worse + ONE_SIDED * error < margin * scale else "wait"), said


def _worst(found: Sequence[Found]) -> Found:
    for verdict in ("worse", "wait", "pass"):
        of_it = [said for one, said in found if one == verdict]
        if of_it:
            return verdict, "; ".join(of_it)
    return "wait", "nothing is known"


def _lacking(kind: str, names: Iterable[str], windows: Sequence[WindowResult]) -> str:
    """Why nothing is known: no figure is told, or none that tells how far chance may have it from the truth."""
    named = [name for name in names if any(one.value is not None for one in figures(kind, name, windows))]
    if not named:
        return "not enough is known of it yet"
    return f"it is not known how sure {', '.join(named)} is: no window tells, or no class has rows enough of both"


def _counted(metric: str, windows: Sequence[WindowResult]) -> tuple[float, float]:
    """How many calls something is so of, by its shares of them, and of how many this is known."""
    known = [(share, rows) for share, rows in _health(metric, windows) if share <= 1]
    return sum(share * rows for share, rows in known), sum(rows for _, rows in known)


def _health(metric: str, windows: Sequence[WindowResult]) -> Weighted:
    """A figure of health of windows, none of which is below 0, each with its calls."""
    return [
        (one.value, float(one.rows))
        for one in figures("health", metric, windows)
        if one.value is not None and 0 <= one.value < math.inf and one.rows > 0
    ]


def _weighted(metric: str, windows: Sequence[WindowResult]) -> tuple[float, float] | None:
    """The mean of a latency over windows by their calls, and how many these are; None of no call."""
    waits = _health(metric, windows)
    return (weighted_mean(waits), sum(rows for _, rows in waits)) if waits else None


def _verdicts(windows: Sequence[WindowResult]) -> set[str]:
    """Verdicts on predictions that say something."""
    found = {
        figure.verdict
        for one in windows
        for figure in one.figures
        if figure.kind == "prediction" and not figure.segment
    }
    return {one for one in found if one not in (None, "inconclusive")}
