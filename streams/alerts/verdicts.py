"""Verdicts: what a window result says of each subject, as one number a subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from driftline.schemas.alert import Evidence, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.window import Figure, WindowResult

UNSURE, FINE, WARN, FAIL = range(4)
"""What a window says of a subject: nothing, that it is well, or that it is bad."""

CODES: Final = {"inconclusive": UNSURE, "ok": FINE, "warn": WARN, "fail": FAIL}
ABOUT: Final = {
    "drift": "drift",
    "prediction": "drift",
    "change": "drift",
    "quality": "quality",
    "rows": "health",
    "health": "health",
    "performance": "performance",
    "estimate": "estimate",
    "fairness": "fairness",
}
"""Kind of figure → subject of the settings."""
BY_FEATURE: Final = frozenset({"drift", "quality"})
"""Subjects with one alert a feature, whatever the metric; the others have one a metric."""
TRUTH: Final = frozenset({"performance", "fairness"})
"""Subjects that labels speak about: their windows count when the labels are there."""
EVIDENCE: Final = 8

Group: TypeAlias = Literal["counts", "truth", "coverage"]
"""Windows that are held together: those of predictions, of labels, and of labels that should be there by now."""


Found: TypeAlias = "dict[Subject, tuple[int, list[Figure]]]"
"""What a window says of each subject, and the figures that say it, worst first."""


def group_of(about: str) -> Group:
    """The windows that decide about a subject."""
    return "truth" if about in TRUTH else "coverage" if about == "coverage" else "counts"


def judged(result: WindowResult) -> Found:
    """Give each subject of a window: its worst verdict, and the figures that carry one, worst first.

    Figures without a verdict say nothing, and make no subject. Where a feature drifts over all rows, its values of
    segments say nothing of their own: one shift is one alert, not one for every airline.
    """
    found: dict[Subject, list[Figure]] = {}
    for figure in result.figures:
        if figure.verdict is not None:
            found.setdefault(subject_of(figure, result.slot), []).append(figure)
    codes = {subject: max(map(_code, figures)) for subject, figures in found.items()}
    loud = {
        one.name for one, code in codes.items() if one.about == "drift" and not one.segment and code >= WARN
    }
    for one in codes:
        if one.about == "drift" and one.segment and one.name in loud:
            codes[one] = UNSURE
    return {subject: (codes[subject], _worst_first(figures)) for subject, figures in found.items()}


def subject_of(figure: Figure, slot: str) -> Subject:
    """What a figure is about: all metrics of one feature are one subject, so that one shift is one alert.

    A criterion of fairness is one subject, whichever group it is worst for in the window.
    """
    about = ABOUT[figure.kind]
    by_metric = f"{figure.metric} {figure.feature}".rstrip()
    name = (figure.feature or figure.metric) if about in BY_FEATURE else by_metric
    return Subject(about, name, "" if about == "fairness" else figure.segment, slot)


def evidence(figures: Iterable[Figure]) -> tuple[Evidence, ...]:
    """Figures as an alert carries them, at most `EVIDENCE`."""
    names = Evidence.__struct_fields__
    return tuple(Evidence(**{name: getattr(one, name) for name in names}) for one in list(figures)[:EVIDENCE])


def _code(figure: Figure) -> int:
    return CODES[figure.verdict or "inconclusive"]


def _worst_first(figures: list[Figure]) -> list[Figure]:
    return sorted(figures, key=_code, reverse=True)
