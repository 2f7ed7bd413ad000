"""Advising: what is held of a deployment's windows to know when the advice on retraining changes, and the events.

Advice looks at the windows of the champion: months, or where days are not counted those that the alert rule looks at.
Of each model version as many windows are held as labels may still speak about: from the newest that they have spoken
about on. Nothing is known here of a candidate: the gain is unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.schemas.advice import Advice, Word
from driftline.schemas.alert import Subject, alert_name, edge_name
from driftline.schemas.floors import METRICS
from driftline.schemas.window import WindowResult
from driftline.streams.advice.evidence import evidence_of
from driftline.streams.advice.inputs import ALARMS
from driftline.streams.advice.rules import advise, changed, in_force, rests_on_truth
from driftline.streams.alerts.rule import routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.window import Figure

CHAMPION: Final = "champion"
WINDOWS: Final = 48
"""Windows of a version whose labels are waited for; past it the oldest are let go."""
WINDOWS_BYTES: Final = 300_000
VERSIONS: Final = 4
"""Model versions of a deployment; past it the one whose newest window is the oldest is let go."""
FIGURES: Final = 2_000
"""Figures held of a window."""
FEATURES: Final = 50
"""Features that an event names, the important ones first."""


class Kept(msgspec.Struct, array_like=True):
    """What one role found of a window: the order of its publication, and the figures that advice rests on."""

    version: int
    result: bytes


class Book(msgspec.Struct, kw_only=True):
    """One model version.

    Attributes:
        windows: start → role → what it found.
        past_ms: windows that start before it are let go, and are not taken again.
        word: the advice on the last one let go.
        since_ms: since when that had been the advice.
        told: the last event.
    """

    windows: dict[int, dict[str, Kept]] = {}
    past_ms: int = -1
    word: Word | None = None
    since_ms: int = 0
    told: Advice | None = None


class Advising(msgspec.Struct, kw_only=True):
    """One deployment.

    Attributes:
        deployment: its name.
        ordinal: that of the last event; each is one more.
        resolution: width of the windows held.
        books: by model version.
        past_ms: start of the newest window of any version let go; an unknown version begins after it.
    """

    deployment: str
    ordinal: int
    resolution: str = ""
    books: dict[str, Book] = {}
    past_ms: int = -1


def concerns(result: WindowResult, settings: DeploymentSettings) -> bool:
    """Whether advice looks at a window."""
    is_final = result.final and result.run == "live"
    return is_final and result.slot == CHAMPION and result.resolution == resolution_of(settings)


def resolution_of(settings: DeploymentSettings) -> str:
    """The width of the windows that advice looks at: a month wherever days are counted."""
    return "1M" if not settings.resolutions or "1d" in settings.resolutions else settings.alert_resolution


def take(
    held: Advising, result: WindowResult, people: DeploymentState, now_ms: int
) -> tuple[bool, Advice | None]:
    """Take in a window that advice looks at; one that is held already, or let go, changes nothing.

    Args:
        held: its deployment.
        result: the window.
        people: the newest settings.
        now_ms: the clock, ms since 1970, which events carry.

    Returns:
        Whether anything changed, and the event if people are to hear of it.
    """
    if held.resolution != result.resolution:
        held.resolution, held.past_ms = result.resolution, -1
        held.books.clear()
    book = _book(held, result)
    if book is None or result.window_start_ms < book.past_ms:
        return False, None
    roles = book.windows.setdefault(result.window_start_ms, {})
    if result.role in roles and roles[result.role].version >= result.version:
        return False, None
    roles[result.role] = Kept(result.version, _trimmed(result).to_bytes())
    advices = _advices(book, people)
    _let_go(book, advices)
    after = in_force(advices)
    if not changed(book.told, after):
        return True, None
    book.told = _event(held, book.told, after, people.settings, now_ms)
    return True, book.told


def _book(held: Advising, result: WindowResult) -> Book | None:
    """Give the book of a window's version; None for a version that was let go."""
    book = held.books.get(result.model_version)
    if book is not None or result.window_start_ms <= held.past_ms:
        return book
    book = held.books[result.model_version] = Book(past_ms=held.past_ms + 1)
    if len(held.books) > VERSIONS:
        others = {name: max(one.windows) for name, one in held.books.items() if one is not book}
        oldest = min(others, key=lambda name: (others[name], name))
        held.past_ms = max(held.past_ms, others[oldest])
        del held.books[oldest]
    return book


def _trimmed(result: WindowResult) -> WindowResult:
    """Leave out what advice does not rest on."""
    drifted = {one.feature for one in result.figures if one.metric == "psi" and one.verdict in ALARMS}
    figures = [replace(one, reason="") for one in result.figures if _is_of_drift(one, drifted)]
    figures += [one for one in result.figures if _is_of_performance(one)]
    return replace(result, figures=figures[-FIGURES:], counts=b"")


def _is_of_performance(figure: Figure) -> bool:
    is_judged = figure.kind in {"performance", "estimate"} and figure.verdict is not None
    return is_judged and figure.metric in METRICS and not (figure.segment or figure.feature)


def _is_of_drift(figure: Figure, drifted: set[str]) -> bool:
    if figure.kind != "drift" or figure.segment:
        return False
    if figure.metric == "w1_sigma":
        return figure.feature in drifted
    return figure.metric == "psi" and (figure.feature in drifted or figure.level is not None)


def _advices(book: Book, people: DeploymentState) -> list[Advice]:
    """Give the advice on each window held, oldest first."""
    kept = (one.result for roles in book.windows.values() for one in roles.values())
    windows = evidence_of(map(WindowResult.from_bytes, kept))
    found = advise(windows, people.settings, settings_revision=people.revision)
    for at, one in enumerate(found):
        if one.advice != book.word:
            break
        found[at] = msgspec.structs.replace(one, since_ms=book.since_ms)
    return found


def _let_go(book: Book, advices: Sequence[Advice]) -> None:
    """Let go of the windows before the newest that labels have spoken about, and of the oldest past the bounds."""
    known = [at for at, one in enumerate(advices) if rests_on_truth(one)]
    least = max(known[-1] if known else 0, len(advices) - WINDOWS)
    size = sum(len(one.result) for roles in book.windows.values() for one in roles.values())
    for at, one in enumerate(advices[:-1]):
        if at >= least and size <= WINDOWS_BYTES:
            return
        size -= sum(len(kept.result) for kept in book.windows.pop(one.window_start_ms).values())
        book.word, book.since_ms = one.advice, one.since_ms
        book.past_ms = advices[at + 1].window_start_ms


def _event(
    held: Advising, before: Advice | None, after: Advice, settings: DeploymentSettings, now_ms: int
) -> Advice:
    held.ordinal += 1
    subject = Subject("advice", after.model_version, "", after.slot)
    # Who heard of the advice that ends hears that it has ended.
    heard = before.routes if before is not None and before.advice != "no need" else ()
    asked = (
        () if after.advice == "no need" else routes(settings, "fail" if after.advice == "retrain" else "warn")
    )
    return msgspec.structs.replace(
        after,
        id=edge_name(alert_name(held.deployment, "advice", subject), held.ordinal),
        made_at_ms=now_ms,
        routes=tuple(dict.fromkeys((*heard, *asked))),
        features=after.features[:FEATURES],
    )
