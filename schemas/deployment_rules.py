"""What holds between the settings of a deployment; the type of each field checks it by itself."""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from driftline.schemas.floors import LARGEST_FALL, METRICS
from driftline.schemas.names import name_fault
from driftline.schemas.wire import MAX_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.deployment import DeploymentSettings

MAX_ENTRIES: Final[Mapping[str, int]] = MappingProxyType(
    {"feature_importance": 4_096, "mutes": 256, "segments": 64, "quantiles": 64, "contacts": 32}
)
"""How much of a kind a deployment may have; workers hold the settings of hundreds."""


def contradiction(settings: DeploymentSettings) -> tuple[str, str] | None:
    """What a type cannot say: the key that is wrong and a clause that says why; None when all is well.

    >>> from driftline.schemas.deployment import AlertRule, DeploymentSettings
    >>> contradiction(DeploymentSettings(deployment="d", alerts=AlertRule(k=3, m=2)))
    ('alerts.k', 'is 3; it must be at most alerts.m, which is 2')
    """
    return (
        _wrong_name(settings)
        or _wrong_task(settings)
        or _wrong_floor(settings)
        or _wrong_alerts(settings)
        or _too_many(settings)
    )


def _wrong_name(settings: DeploymentSettings) -> tuple[str, str] | None:
    fault = name_fault(settings.deployment, slash=False)
    if fault is not None:
        return "deployment", f"is {settings.deployment!r}, which is no name: {fault}"
    for key in ("segments", "feature_importance", "quantiles"):
        for name in getattr(settings, key):
            fault = name_fault(name)
            if fault is not None:
                return key, f"has the key {name[:100]!r}, which is no name: {fault}"
    return None


def _wrong_task(settings: DeploymentSettings) -> tuple[str, str] | None:
    task, primary = settings.task, settings.primary_metric
    for key in ("positive_class", "threshold"):
        if task not in (None, "binary") and getattr(settings, key) is not None:
            return key, f"is {getattr(settings, key)!r}, but the task is {task}: only binary has one"
    if task not in (None, "regression") and settings.quantiles:
        return "quantiles", f"are given, but the task is {task}: only regression has them"
    if primary is None or (
        primary in METRICS and METRICS[primary].tasks and task in (None, *METRICS[primary].tasks)
    ):
        return None
    fitting = [name for name, metric in METRICS.items() if metric.tasks and task in (None, *metric.tasks)]
    of = "" if task is None else f" for the task {task}"
    near = difflib.get_close_matches(primary, fitting, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return "primary_metric", f"is {primary[:100]!r}; it must be one of {', '.join(fitting)}{of}{meant}"


def _wrong_floor(settings: DeploymentSettings) -> tuple[str, str] | None:
    for name, floor in settings.floors.items():
        if floor.warn > floor.fail:
            return (
                f"floors.{name}.warn",
                f"is {floor.warn:g}; it must be at most fail, which is {floor.fail:g}",
            )
        if name in METRICS and METRICS[name].kind == "fall" and floor.fail > LARGEST_FALL:
            return f"floors.{name}.fail", f"is {floor.fail:g}; {name} cannot fall by more than 1"
    return None


def _wrong_alerts(settings: DeploymentSettings) -> tuple[str, str] | None:
    alerts, counted = settings.alerts, settings.resolutions
    if alerts.k > alerts.m:
        return "alerts.k", f"is {alerts.k}; it must be at most alerts.m, which is {alerts.m}"
    for key in ("resolutions", "baselines"):
        if len(set(getattr(settings, key))) != len(getattr(settings, key)):
            return key, f"is {list(getattr(settings, key))}; each may stand there once"
    needed = "1d" if alerts.resolution in ("7d", "1M") else alerts.resolution
    if counted and needed is not None and needed not in counted:
        return "alerts.resolution", f"is {alerts.resolution!r}; it needs {needed} among resolutions"
    for number, mute in enumerate(settings.mutes, 1):
        if mute.since_ms >= mute.until_ms:
            return f"mutes[{number}].since", "is not before its until"
        if mute.since_ms < 0 or mute.until_ms > MAX_TIME_MS:
            return f"mutes[{number}]", "lies before 1970 or after 2199"
    return None


def _too_many(settings: DeploymentSettings) -> tuple[str, str] | None:
    for key, bound in MAX_ENTRIES.items():
        held = len(getattr(settings, key))
        if held > bound:
            return key, f"has {held:,} entries; at most {bound:,} are allowed"
    return None
