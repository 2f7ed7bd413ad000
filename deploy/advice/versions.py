"""Versions: two of them side by side: drift, performance on the same labelled rows, errors and latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.deploy.advice.slots import chosen, pairs_of
from driftline.deploy.local.deployments import held
from driftline.deploy.tables.errors import unknown_deployment
from driftline.deploy.tables.shelf import NoProfileError, published_profile
from driftline.schemas.deployment_state import defaults
from driftline.schemas.errors import DriftlineError
from driftline.streams.advice.gain import LEAST_ROWS, gains_of
from driftline.streams.advice.pairs import joined
from driftline.streams.clickhouse import answers, reads, version_reads
from driftline.streams.clickhouse.version_reads import Span
from driftline.streams.join.performance import performance_figures
from driftline.streams.join.scheme_of import scheme_of
from driftline.streams.join.unbinned import Unbinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.advice import Gain
    from driftline.schemas.settings import Settings
    from driftline.streams.advice.pairs import Answers, Pairs
    from driftline.streams.clickhouse.version_reads import Answered, Drifted
    from driftline.streams.join.scheme import Scheme


class NoComparisonError(DriftlineError):
    """Two versions that cannot be put side by side; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of performance on the rows that both versions answered and that have a label.

    Attributes:
        metric: what.
        values: of the first and the second version; None where one is undefined.
        gain: what the second is better by, above 0; its interval is over days.
    """

    metric: str
    values: tuple[float | None, float | None]
    gain: Gain

    def gained(self) -> dict[str, Any]:
        """Give the gain and its interval for programs."""
        return {
            "gain": self.gain.value,
            "low": self.gain.low,
            "high": self.gain.high,
            "interval": self.gain.interval,
            "days": self.gain.days,
        }


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two versions of a deployment.

    Attributes:
        deployment: which.
        answered: what each answered, in the slots in which they answered the most rows in common.
        pairs: labelled rows that both answered.
        share: one of so many predictions was read for them.
        performance: figures on these rows; empty below `LEAST_ROWS` of them.
        why: why there is no performance; empty when there is.
        drift: figures of each version, strongest first.
    """

    deployment: str
    answered: tuple[Answered, Answered]
    pairs: int
    share: int
    performance: tuple[Compared, ...]
    why: str
    drift: tuple[tuple[Drifted, ...], tuple[Drifted, ...]]


def side_by_side(
    settings: Settings, deployment: str, versions: tuple[str, str], span: Span, resolution: str
) -> SideBySide:
    """Put two versions side by side.

    Args:
        settings: where everything is.
        deployment: its name.
        versions: the first and the second, which gains and losses are of.
        span: of event time.
        resolution: width of the windows whose drift is told.

    Raises:
        NoComparisonError: the two are one, or one of them answered nothing in the span.
        ClickHouseError, BrokerError: a server is away.
    """
    if versions[0] == versions[1]:
        raise NoComparisonError(f"{versions[0]!r} is given twice: name two versions")
    both = _both(settings, deployment, versions, span)
    if both is None:
        raise NoComparisonError(_missing(settings, deployment, versions, span))
    drift = version_reads.drifted(settings, deployment, versions, span, resolution)
    pairs, scheme, share, why = _pairs(settings, deployment, both)
    performance = () if pairs is None or scheme is None else _compared(pairs, scheme, versions[1])
    count = 0 if pairs is None else len(pairs)
    if not why and not performance:
        why = (
            f"{count:,} labelled predictions were answered by both {_named(both)}, and {LEAST_ROWS:,} are needed: "
            "--since and --until narrow the time that is looked at"
        )
    return SideBySide(
        deployment=deployment,
        answered=both,
        pairs=count,
        share=share,
        performance=performance,
        why=why,
        drift=(_of(drift, both[0]), _of(drift, both[1])),
    )


def _both(
    settings: Settings, deployment: str, versions: tuple[str, str], span: Span
) -> tuple[Answered, Answered] | None:
    """The versions in the slots that share the most rows; where one did not answer, None."""
    found = version_reads.answered(settings, deployment, versions, span)
    pairs = pairs_of(found, versions)
    if len(pairs) <= 1:
        return pairs[0] if pairs else None
    rows = sum(one.rows for one in found)
    return chosen(pairs, version_reads.shared(settings, deployment, versions, span, rows))


def _named(both: tuple[Answered, Answered]) -> str:
    return " and ".join(f"{one.version} as {one.slot}" for one in both)


def _missing(settings: Settings, deployment: str, versions: tuple[str, str], span: Span) -> str:
    known = reads.deployments(settings)
    if deployment not in known:
        return unknown_deployment(deployment, known)
    there = {one.version for one in version_reads.answered(settings, deployment, versions, span)}
    lacking = next(version for version in versions if version not in there)
    return (
        f"version {lacking!r} of deployment {deployment!r} answered nothing in what was asked: "
        "'driftline health' names the versions that answered, and --since and --until may be left away"
    )


def _pairs(
    settings: Settings, deployment: str, both: tuple[Answered, Answered]
) -> tuple[Pairs | None, Scheme | None, int, str]:
    """The labelled rows of the time in which both answered, how they are judged, and why there are none."""
    first, second = both
    since, until = max(first.first_ms, second.first_ms), min(first.last_ms, second.last_ms) + 1
    if since >= until:
        why = f"{_named(both)} never answered at the same time: --since and --until narrow what is looked at"
        return None, None, 1, why
    profile = None
    for one in both:
        try:
            profile = published_profile(settings, deployment, one.version)
            break
        except NoProfileError:
            continue
    if profile is None:
        return None, None, 1, "neither version has a profile, which says what answers mean"
    state = held(settings.kafka).state(deployment) or defaults(deployment)
    scheme = scheme_of(profile, profile.digest(), state.settings)
    of = [(deployment, one.version, one.slot, since, until) for one in both]
    share = max(answers.share_of(settings, *one) for one in of)
    mine, theirs = (answers.said(settings, *one, share) for one in of)
    return joined(scheme, mine, theirs, answers.labels(settings, *of[0], share)), scheme, share, ""


def _compared(pairs: Pairs, scheme: Scheme, version: str) -> tuple[Compared, ...]:
    values = [_values(pairs, scheme, one) for one in (pairs.live, pairs.candidate)]
    return tuple(
        Compared(gain.metric, (values[0].get(gain.metric), values[1].get(gain.metric)), gain)
        for gain in gains_of(pairs, scheme, version)
    )


def _values(pairs: Pairs, scheme: Scheme, answered: Answers) -> dict[str, float]:
    """The figures of one version on all pairs."""
    rows = Unbinned(scheme)
    rows.add_answers(pairs.truth, answered.said, answered.scores)
    found = [*performance_figures(scheme, rows.outcomes), *rows.figures()]
    return {
        figure.metric: figure.value
        for figure in found
        if figure.value is not None and not figure.feature and not figure.segment
    }


def _of(found: Sequence[Drifted], answered: Answered) -> tuple[Drifted, ...]:
    return tuple(one for one in found if (one.version, one.slot) == (answered.version, answered.slot))


def facts(found: SideBySide) -> dict[str, Any]:
    """Give all of it as `--json` prints it."""
    return {
        "deployment": found.deployment,
        "versions": [
            {
                "model_version": one.version,
                "slot": one.slot,
                "predictions": one.rows,
                "errors": one.errors,
                "latency_ms": None
                if one.latency_ms is None
                else {
                    f"p{round(level * 100)}": value
                    for level, value in zip(version_reads.QUANTILES, one.latency_ms, strict=True)
                },
                "drift": [
                    {
                        "feature": drift.feature,
                        "metric": drift.metric,
                        "windows": drift.windows,
                        "mean": drift.mean,
                        "worst": drift.worst,
                        "fails": drift.fails,
                    }
                    for drift in drifts
                ],
            }
            for one, drifts in zip(found.answered, found.drift, strict=True)
        ],
        "performance": {
            "rows": found.pairs,
            "share": found.share,
            "why": found.why or None,
            "figures": [
                {
                    "metric": one.metric,
                    "values": list(one.values),
                    **one.gained(),
                }
                for one in found.performance
            ],
        },
    }
