"""From a profile and the settings of its deployment to the scheme of a model version."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.join.class_reference_bytes import decode
from driftline.streams.join.scheme import CLASSES_MAX, SPLIT, Scheme, Segment
from driftline.streams.stats.class_calibration import class_calibration
from driftline.streams.windows.judge import UNCOMPARED
from driftline.streams.windows.splits import SEGMENTS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.deployment import Segment as Declared
    from driftline.schemas.floors import Task
    from driftline.schemas.profile import Profile
    from driftline.schemas.profile_column import ProfileColumn

COARSE_BINS: Final = 32
"""Score bins of the values of a segment."""
THRESHOLD: Final = 0.5
_YES: Final = frozenset({"1", "true", "yes", "y", "positive"})
_TWO: Final = 2


def scheme_of(profile: Profile, digest: str, settings: DeploymentSettings | None = None) -> Scheme:
    """Read the scheme out of a profile; what the settings say goes before what the profile does.

    A profile with truth knows its task. Without, a predicted class, or a score that always lies within 0 and 1, means
    classes, and any other score a number. Segments are those of the settings, else all of the profile.
    """
    found = _found(profile, digest)
    if settings is None:
        return found
    own = _told(found, profile, settings)
    identity = digest
    if _terms(own) != _terms(found):
        identity += f"+{_short(_terms(own))}"
    if own.values != found.values:
        identity += f"{SPLIT}{_short(own.values)}"
    return replace(own, identity=identity)


def found_scheme(
    scores: Sequence[ProfileColumn], classes: tuple[str, ...], digest: str, *, is_named: bool
) -> Scheme:
    """Tell the task from the columns.

    Args:
        scores: the score columns.
        classes: that answers or truth have.
        digest: of the profile.
        is_named: whether answers name a class.
    """
    if is_named:
        task: Task = "binary" if len(classes) == _TWO and len(scores) <= 1 else "classes"
    elif len(scores) > 1:
        task = "classes"
    else:
        inside = scores and (scores[0].minimum or 0.0) >= 0.0 and (scores[0].maximum or 0.0) <= 1.0
        task = "binary" if inside else "regression"
    return _as(task, scores, classes, digest)


def _as(task: Task, scores: Sequence[ProfileColumn], classes: tuple[str, ...], digest: str) -> Scheme:
    names = tuple(column.name for column in scores)
    if task == "regression":
        return Scheme(digest, task, scores=names[:1])
    if task == "binary":
        return _binned(Scheme(digest, task, _negative_first(classes), names[:1], THRESHOLD), scores)
    classes = classes[:CLASSES_MAX]
    return Scheme(digest, task, classes, _score_of_each(names, classes))


def _binned(scheme: Scheme, scores: Sequence[ProfileColumn]) -> Scheme:
    """Let a scheme of two classes have the bins of its score."""
    if not scores:
        return scheme
    return replace(scheme, edges=scores[0].edges.astype(np.float64), dtype=scores[0].dtype)


def _score_of_each(names: tuple[str, ...], classes: tuple[str, ...]) -> tuple[str, ...]:
    """Give the score of each class: named like it, or like it after a prefix that all share; empty without one.

    >>> _score_of_each(("p_cat", "p_dog"), ("dog", "cat"))
    ('p_dog', 'p_cat')
    """
    first = names[0] if names else ""
    for prefix in ("", *(first[: at + 1] for at, sign in enumerate(first) if sign == "_")):
        if set(names).issuperset(prefix + one for one in classes):
            return tuple(prefix + one for one in classes)
    return ()


def _found(profile: Profile, digest: str) -> Scheme:
    scores = _scores(profile)
    truth = profile.truth
    if truth is None:
        named = next((column for column in profile.columns if column.role == "class"), None)
        classes = named.levels if named is not None else ("0", "1")
        found = found_scheme(scores, classes, digest, is_named=named is not None)
    else:
        found = Scheme(digest, truth.task, truth.classes, truth.scores, truth.threshold)
        found = _binned(found, scores) if truth.task == "binary" else found
        # Scores of rows that the model learned from look surer than those of new rows are.
        if truth.calibration and profile.provenance not in UNCOMPARED:
            found = replace(found, calibration=class_calibration(decode(truth.calibration)))
    return with_segments(found, profile)


def with_segments(scheme: Scheme, profile: Profile) -> Scheme:
    """Let a scheme tell the values of the profile's segments apart."""
    return replace(scheme, coarse_edges=_coarse(scheme, _scores(profile)), segments=_segments(profile, {}))


def _told(found: Scheme, profile: Profile, settings: DeploymentSettings) -> Scheme:
    """Put what people have said in place of what was found."""
    scores = _scores(profile)
    if settings.task is not None and settings.task != found.task:
        found = _as(settings.task, scores, found.classes or ("0", "1"), found.digest)
        found = replace(found, coarse_edges=_coarse(found, scores))
    if found.task == "regression" and settings.quantiles:
        found = _with_quantiles(found, scores, settings.quantiles)
    classes = found.classes
    if (
        found.task == "binary"
        and settings.positive_class is not None
        and found.index_of(settings.positive_class) == 0
    ):
        classes = classes[::-1]
    return replace(
        found,
        classes=classes,
        threshold=found.threshold if settings.threshold is None else settings.threshold,
        segments=_segments(profile, settings.segments),
    )


def _with_quantiles(found: Scheme, scores: Sequence[ProfileColumn], declared: Mapping[str, float]) -> Scheme:
    """Read quantiles too; the number that is predicted is a score that is none, where there is one."""
    names = [column.name for column in scores]
    points = [name for name in (*found.scores, *names) if name not in declared]
    quantiles = tuple((name, declared[name]) for name in names if name in declared)
    return replace(found, scores=tuple(points[:1]) or found.scores, quantiles=quantiles)


def _terms(scheme: Scheme) -> tuple[object, ...]:
    """What makes totals differ, beyond the profile."""
    return (scheme.task, scheme.threshold, scheme.classes, scheme.scores, *scheme.quantiles)


def _short(terms: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(terms).encode()).hexdigest()[:12]


def _scores(profile: Profile) -> list[ProfileColumn]:
    return [column for column in profile.columns if column.role == "score"]


def _negative_first(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Order two classes: the positive one is that which says yes in so many words, else the last by name."""
    return tuple(sorted(classes, key=lambda name: (name.lower() in _YES, name)))


def _segments(profile: Profile, declared: Mapping[str, Declared]) -> tuple[Segment, ...]:
    known = {column.name: column.levels for column in profile.columns if column.role == "segment"}
    wanted = [name for name in declared if name in known] if declared else list(known)
    return tuple(
        Segment(name, known[name], declared[name].reference if name in declared else None)
        for name in wanted[:SEGMENTS_MAX]
    )


def _coarse(scheme: Scheme, scores: Sequence[ProfileColumn]) -> NDArray[np.float64]:
    """Choose the edges that come nearest to parting the reference's scores into equal shares."""
    if scheme.task != "binary" or not len(scheme.edges):
        return np.zeros(0)
    reached = np.cumsum(scores[0].counts)[:-1]
    shares = np.arange(1, COARSE_BINS) * int(scores[0].counts.sum()) / COARSE_BINS
    chosen = np.unique(np.minimum(np.searchsorted(reached, shares), len(reached) - 1))
    edges: NDArray[np.float64] = scheme.edges[chosen]
    return edges
