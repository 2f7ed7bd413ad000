"""Change points on demand: every final window of a deployment fed once, in the order of events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.deploy.advice.collect import NoAdviceError
from driftline.deploy.local.deployments import held
from driftline.deploy.tables.errors import one_of, unknown_deployment
from driftline.streams.changes.tracker import ERRORS, MEAN, Found, Tracker
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.reads import WindowFilter
from driftline.streams.clickhouse.results import resolutions, results

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.settings import Settings
    from driftline.schemas.window import WindowResult


def collect(
    settings: Settings,
    deployment: str,
    resolution: str,
    model_version: str | None,
    features: frozenset[str],
    since_ms: int | None = None,
) -> list[tuple[WindowResult, Found]]:
    """Give each change with the window that showed it, oldest first.

    Args:
        settings: where ClickHouse and Kafka are.
        deployment: name of the deployment.
        resolution: width of the windows.
        model_version: only this version; None for each of them by itself.
        since_ms: windows that start at this time or later; None for all.
        features: those that are followed; empty for those with an importance in the deployment's settings, else all.

    Raises:
        NoAdviceError: there is no such window, or no window with such a feature.
        ClickHouseError: the server is away or refuses.
        BrokerError: Kafka is away, where the settings lie.
    """
    chosen = WindowFilter(
        resolution=resolution, model_version=model_version, since_ms=since_ms, metrics=(MEAN, *ERRORS)
    )
    windows = results(settings, deployment, chosen)
    if not windows:
        raise NoAdviceError(_missing(settings, deployment, chosen))
    known = {figure.feature for window in windows for figure in window.figures if figure.kind == "drift"}
    for name in features:
        if name not in known:
            raise NoAdviceError(
                f"deployment {deployment!r} has no feature {name!r}: {one_of(name, sorted(known))}"
            )
    return change_points(windows, features or _important(settings, deployment))


def change_points(
    windows: Iterable[WindowResult], features: frozenset[str]
) -> list[tuple[WindowResult, Found]]:
    """Give the changes of windows in the order of events, each model version and slot by itself."""
    trackers: dict[tuple[str, str], Tracker] = {}
    found = []
    for window in windows:
        tracker = trackers.setdefault((window.model_version, window.slot), Tracker(features=features))
        found += [(window, one) for one in tracker.feed(window)]
    return found


def _important(settings: Settings, deployment: str) -> frozenset[str]:
    state = held(settings.kafka).state(deployment)
    weights = {} if state is None else state.settings.feature_importance
    return frozenset(name for name, weight in weights.items() if weight > 0)


def _missing(settings: Settings, deployment: str, chosen: WindowFilter) -> str:
    """Say what keeps a filter from matching."""
    known = reads.deployments(settings)
    if deployment not in known:
        return unknown_deployment(deployment, known)
    what = f"deployment {deployment!r} has no window of {chosen.resolution}"
    held = reads.held(settings, deployment, replace(chosen, model_version=None, since_ms=None, metrics=()))
    if held is None:
        return f"{what}: it has {', '.join(resolutions(settings, deployment)) or 'none yet'}"
    if chosen.model_version is not None and chosen.model_version not in held.versions:
        return f"{what} of version {chosen.model_version!r}: it has those of {', '.join(held.versions)}"
    return f"{what} in what was asked: there are windows from {held.first:%Y-%m-%d %H:%M} on"
