"""Collect: the final windows of a model, its settings, and what a candidate gains on each, made into advice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from driftline.deploy.advice.candidate import read_candidate
from driftline.deploy.local.deployments import held
from driftline.deploy.tables.errors import unknown_deployment
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
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.profile import Profile
    from driftline.schemas.settings import Settings
    from driftline.streams.advice.evidence import Evidence
    from driftline.streams.advice.pairs import Labels, Said
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
    gains = _gains(settings, state.settings, version, windows, wanted)
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
        return unknown_deployment(deployment, known)
    what = f"deployment {deployment!r} has no final window of {wanted.resolution}"
    everything = replace(chosen, model_version=None, since_ms=None, until_ms=None)
    others = evidence_of(results(settings, deployment, everything))
    versions = sorted({one.model_version for one in others})
    if wanted.model_version is not None and versions and wanted.model_version not in versions:
        return f"{what} of version {wanted.model_version!r}: it has those of {', '.join(versions)}"
    if others:
        return f"{what} in what was asked: leave --since and --until away to see those that it has"
    widths = resolutions(settings, deployment, are_final=True)
    there = (
        f"choose one of {', '.join(widths)} with --resolution, or wait" if widths else "wait for its windows"
    )
    return f"{what} yet: {there}"


def _gains(
    settings: Settings, declared: DeploymentSettings, version: str, windows: list[Evidence], wanted: Wanted
) -> dict[int, tuple[Gain, ...]]:
    """Give what a candidate gains on each window with labels, by the window's start."""
    labelled = [window for window in windows if window.labels]
    deployment = declared.deployment
    if wanted.candidate is not None:
        return _gains_of_table(settings, declared, labelled, wanted)
    by_start = {
        one.start_ms: answers.candidates(settings, deployment, version, one.start_ms, one.end_ms)
        for one in labelled
    }
    profile = _profile(settings, deployment, version) if any(by_start.values()) else None
    if profile is None:
        return {}
    scheme = scheme_of(profile, profile.digest(), declared)
    found: dict[int, tuple[Gain, ...]] = {}
    for window in labelled:
        for other, slot in by_start[window.start_ms][:1]:
            live, labels, share = _live(settings, window)
            span = (window.start_ms, window.end_ms)
            said = answers.said(settings, deployment, other, slot, *span, share)
            found[window.start_ms] = gains_of(joined(scheme, live, said, labels), scheme, other)
    return found


def _gains_of_table(
    settings: Settings, declared: DeploymentSettings, labelled: list[Evidence], wanted: Wanted
) -> dict[int, tuple[Gain, ...]]:
    """Give what a table's answers gain; without a single row to compare it is an error."""
    path, deployment = wanted.candidate, declared.deployment
    if path is None:
        return {}
    if not labelled:
        raise NoAdviceError(
            f"{path.name} cannot be compared: no final window of {wanted.resolution} of {deployment!r} in what was "
            f"asked has a label yet; 'driftline labels {deployment}' shows those that came"
        )
    profile = published_profile(settings, deployment, labelled[-1].model_version)
    scheme = scheme_of(profile, profile.digest(), declared)
    table = read_candidate(path, wanted.mapping, scheme, are_shares=_are_shares(profile, scheme))
    found: dict[int, tuple[Gain, ...]] = {}
    most = 0
    for window in labelled:
        live, labels, _ = _live(settings, window)
        other = table.known_to(live)
        most = max(most, matches(live, other))
        found[window.start_ms] = gains_of(joined(scheme, live, other, labels), scheme, table.name)
    if not most:
        raise NoAdviceError(
            f"{path.name} has no id of a labelled window of {deployment!r}, its first is {table.first_id!r}: give the "
            "ids that the predictions were logged with, or those that `log` returned, as texts"
        )
    return found


def _live(settings: Settings, window: Evidence) -> tuple[Said, Labels, int]:
    """Read what the live model answered in a window, the labels of that, and the share of both that was read."""
    of = (window.deployment, window.model_version, CHAMPION, window.start_ms, window.end_ms)
    share = answers.share_of(settings, *of)
    return answers.said(settings, *of, share), answers.labels(settings, *of, share), share


def _profile(settings: Settings, deployment: str, version: str) -> Profile | None:
    """Give the published profile of a version; None without one."""
    try:
        return published_profile(settings, deployment, version)
    except NoProfileError:
        return None


def _are_shares(profile: Profile, scheme: Scheme) -> bool:
    """Whether the scores of a model that tells classes lie within 0 and 1 in its reference."""
    scores = [profile.column(name, "score") for name in scheme.scores]
    inside = ((one.minimum or 0.0) >= 0.0 and (one.maximum or 0.0) <= 1.0 for one in scores)
    return scheme.task != "regression" and all(inside)
