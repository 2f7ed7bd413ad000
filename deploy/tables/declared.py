"""Names in a deployment's settings that none of its published profiles has: they would be followed by nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.deploy.tables.errors import suggestion
from driftline.streams.join.scheme import UNKNOWN
from driftline.streams.join.scheme_of import scheme_of
from driftline.streams.windows.splits import SEGMENTS_MAX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.profile import Profile

NAMED_MAX: Final = 10
"""Names of one table that are told one by one."""


def warnings(settings: DeploymentSettings, profiles: Collection[Profile]) -> list[str]:
    """Say what in settings does nothing with the profiles that there are; a sentence each.

    Args:
        settings: of one deployment.
        profiles: all that are published of it.
    """
    named = [
        key
        for key in ("segments", "feature_importance", "quantiles", "positive_class")
        if getattr(settings, key)
    ]
    if named and not profiles:
        what = f"no profile of {settings.deployment!r} is published yet"
        return [f"{what}, so the names in {', '.join(named)} are not checked"]
    found = [*_segments(settings, profiles)]
    for key, role in (("feature_importance", "feature"), ("quantiles", "score")):
        found += _unknown(settings, key, getattr(settings, key), role, _columns(profiles, role))
    return [*found, *_positive_class(settings, profiles)]


def _segments(settings: DeploymentSettings, profiles: Collection[Profile]) -> Iterator[str]:
    levels = _columns(profiles, "segment")
    features = _columns(profiles, "feature")
    unknown = {name: one for name, one in settings.segments.items() if name not in levels}
    unbuilt = [name for name in unknown if name in features]
    for name in unbuilt[:NAMED_MAX]:
        yield (
            f"segments.{name}: a feature of the profiles of {settings.deployment!r}, and no segment: build one with a "
            "mapping that says segment = true for the column"
        )
    others = {name: one for name, one in unknown.items() if name not in unbuilt[:NAMED_MAX]}
    yield from _unknown(settings, "segments", others, "segment", levels)
    for name, one in settings.segments.items():
        if name in levels and one.reference is not None and one.reference not in levels[name]:
            yield (
                f"segments.{name}.reference: {one.reference!r} is no value that the profiles of "
                f"{settings.deployment!r} tell apart: {_near(one.reference, levels[name])}"
            )
    if len(settings.segments) > SEGMENTS_MAX:
        yield f"segments: {len(settings.segments)} are declared, and only the first {SEGMENTS_MAX} are told apart"


def _positive_class(settings: DeploymentSettings, profiles: Collection[Profile]) -> Iterator[str]:
    wanted = settings.positive_class
    schemes = [scheme_of(profile, "") for profile in profiles] if wanted is not None else []
    if wanted is not None and all(scheme.index_of(wanted) == UNKNOWN for scheme in schemes):
        classes = sorted({name for scheme in schemes for name in scheme.classes})
        yield (
            f"positive_class: {wanted!r} is no class of the profiles of {settings.deployment!r}: "
            f"{_near(wanted, classes)}"
        )


def _unknown(
    settings: DeploymentSettings,
    key: str,
    given: Collection[str],
    role: str,
    known: Mapping[str, Collection[str]],
) -> Iterator[str]:
    unknown = [name for name in given if name not in known]
    for name in unknown[:NAMED_MAX]:
        yield (
            f"{key}.{name}: no published profile of {settings.deployment!r} has a {role} of this name: "
            f"{_near(name, known)}"
        )
    more = len(unknown) - NAMED_MAX
    if more > 0:
        yield f"{key}: {more:,} more names that no published profile of {settings.deployment!r} has"


def _columns(profiles: Collection[Profile], role: str) -> dict[str, set[str]]:
    """Give the columns of a role in any profile, with the levels that any of those has."""
    found: dict[str, set[str]] = {}
    for profile in profiles:
        for column in profile.columns:
            if column.role == role:
                found.setdefault(column.name, set()).update(column.levels)
    return found


def _near(word: str, known: Collection[str]) -> str:
    return suggestion(word, sorted(known)) if known else "there is none"
