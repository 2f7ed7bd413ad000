"""Collect: the final windows of a model, its settings, and what a candidate gains on each, made into advice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from driftline.deploy.advice.candidate import read_candidate
from driftline.deploy.local.deployments import held
from driftline.deploy.tables.shelf import NoProfileError, published_profile
from driftline.schemas.deployment_state import defaults
from driftline.schemas.errors import DriftlineError
from driftline.schemas.floors import METRICS
from driftline.streams.advice.evidence import evidence_of
from driftline.streams.advice.gain import gains_of
from driftline.streams.advice.pairs import joined, matches
from driftline.streams.advice.rules import advise
from driftline.streams.clickhouse import answers, reads
from driftline.streams.clickhouse.reads import WindowFilter
from driftline.streams.clickhouse.results import resolutions, results
from driftline.streams.join.scheme_of import scheme_of

if TYPE_CHECKING:
    from pathlib import Path

    from driftline.schemas.advice import Advice, Gain
    from driftline.schemas.settings import Settings
    from driftline.streams.advice.evidence import Evidence
    from driftline.streams.advice.pairs import Said
    from driftline.streams.join.scheme import Scheme

CHAMPION: Final = "champion"
READ: Final = ("coverage", "w1_sigma", *METRICS)
"""Figures that advice rests on."""


class NoAdviceError(DriftlineError):
    """Nothing final is there that advice could rest on; the sentence names what is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What advice is asked for; `candidate` is a table of scores, `mapping` says what its columns are."""

    resolution: str = "1M"
    model_version: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    candidate: Path | None = None
    mapping: Path | None = None


def collect(settings: Settings, deployment: str, wanted: Wanted) -> list[Advice]:
    """Give the advice on each final window, oldest first.

    Without a table the candidate of a window is the other version that answered as challenger or shadow to most of
    its predictions.

    Raises:
        NoAdviceError: there is no final window, or the table has no prediction of them.
        TableError: the candidate's table cannot be used.
        ClickHouseError, BrokerError: where the windows and the settings lie is away.
    """
    windows = _windows(settings, deployment, wanted)
    state = held(settings.kafka).state(deployment) or defaults(deployment)
    version = windows[-1].model_version
    gains = _gains(settings, deployment, version, windows, wanted)
    return advise(windows, state.settings, gains, settings_revision=state.revision)


def _windows(settings: Settings, deployment: str, wanted: Wanted) -> list[Evidence]:
    """Read the final windows of one version: that which was asked for, else the one of the newest window."""
    chosen = WindowFilter(
        resolution=wanted.resolution,
        model_version=wanted.model_version,
        slot=CHAMPION,
        since_ms=wanted.since_ms,
        until_ms=wanted.until_ms,
        metrics=READ,
    )
    found = evidence_of(results(settings, deployment, chosen))
    if not found:
        raise NoAdviceError(_missing(settings, deployment, wanted, chosen))
    version = wanted.model_version or found[-1].model_version
    return [one for one in found if one.model_version == version]


def _missing(settings: Settings, deployment: str, wanted: Wanted, chosen: WindowFilter) -> str:
    known = reads.deployments(settings)
    if deployment not in known:
        there = f"it is one of {', '.join(known)}" if known else "none has sent a prediction yet"
        return f"deployment {deployment!r} is not known: {there}"
    what = f"deployment {deployment!r} has no final window of {wanted.resolution}"
    everything = replace(chosen, model_version=None, since_ms=None, until_ms=None)
    others = evidence_of(results(settings, deployment, everything))
    versions = sorted({one.model_version for one in others})
    if wanted.model_version is not None and versions and wanted.model_version not in versions:
        return f"{what} of version {wanted.model_version!r}: it has those of {', '.join(versions)}"
    if others:
        return f"{what} in what was asked: leave --since and --until away to see those that it has"
    widths = resolutions(settings, deployment)
    there = (
        f"choose one of {', '.join(widths)} with --resolution, or wait" if widths else "wait for its windows"
    )
    return f"{what} yet: {there}"


def _gains(
    settings: Settings, deployment: str, version: str, windows: list[Evidence], wanted: Wanted
) -> dict[int, tuple[Gain, ...]]:
    """Give what a candidate gains on each window, by the window's start."""
    table = None if wanted.candidate is None else read_candidate(wanted.candidate, wanted.mapping)
    whole = (windows[0].start_ms, windows[-1].end_ms)
    if table is None and not answers.candidates(settings, deployment, version, *whole):
        return {}
    scheme: Scheme | None = None
    found: dict[int, tuple[Gain, ...]] = {}
    most = 0
    for window in windows:
        span = (window.start_ms, window.end_ms)
        others = [] if table else answers.candidates(settings, deployment, version, *span)
        if not window.labels or not (table or others):
            continue
        if scheme is None:
            scheme = _scheme(settings, deployment, version)
        if scheme is None:
            return {}
        share = answers.share_of(settings, deployment, version, CHAMPION, *span)
        live = answers.said(settings, deployment, version, CHAMPION, *span, share)
        if wanted.candidate is not None and table:
            name, other = wanted.candidate.name, _better_read(live, table)
            most = max(most, matches(live, other))
        else:
            name = others[0][0]
            other = answers.said(settings, deployment, *others[0], *span, share)
        labels = answers.labels(settings, deployment, version, CHAMPION, *span, share)
        found[window.start_ms] = gains_of(joined(scheme, live, other, labels), scheme, name)
    if table and not most:
        raise NoAdviceError(
            f"{wanted.candidate} has no id of a labelled window of {deployment!r}: give the ids that the predictions "
            "were logged with, or those that `log` returned, as texts"
        )
    return found


def _better_read(live: Said, table: tuple[Said, Said | None]) -> Said:
    """Take ids for what more of the live model's predictions are known by."""
    own, made = table
    return own if made is None or matches(live, own) >= matches(live, made) else made


def _scheme(settings: Settings, deployment: str, version: str) -> Scheme | None:
    """Give how answers of a version are held against truth; None without a profile."""
    try:
        profile = published_profile(settings, deployment, version)
    except NoProfileError:
        return None
    return scheme_of(profile, profile.digest())
