"""Exact figures of closed windows, counted from the joined rows in the archive, beside what was streamed in bins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from driftline.deploy.cli.windows_line import Line
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.schemas.settings import Settings
    from driftline.schemas.window import Figure
    from driftline.streams.join.unbinned import Unbinned
    from driftline.streams.processors.terms_book import TermsBook

EXACT: Final = "exact"
"""What a line says of `low` and `high` when they are the value itself."""
WINDOWS_MAX: Final = 1_000
"""Windows whose rows are joined and read, one after the other: a second or more each, of a busy day."""
_DAY_MS: Final = 86_400_000


class NoExactFiguresError(DriftlineError):
    """Exact figures cannot be worked out; the sentence says why."""


def exact_lines(settings: Settings, lines: Sequence[Line]) -> list[Line]:
    """Work out the exact figures of every closed window among some lines, one window after the other.

    Raises:
        NoExactFiguresError: the windows are too wide or too many, none is closed, or nothing says what answers mean.
        ClickHouseError, BrokerError: a server is away.
        ReplayError: an hour or day takes more than memory is allowed for.
    """
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.replay.exact import exact_rows
    from driftline.streams.windows.rules import Rules
    from driftline.streams.windows.window import Window

    closed = {
        (one.deployment, Window(one.model_version, one.slot, one.resolution, one.window_start_ms)): one
        for one in _closed(lines)
    }
    book = _book(settings, {(line.deployment, line.model_version) for line in closed.values()})
    worker = settings.worker
    rules = Rules(out_of_orderness_ms=worker.out_of_orderness_ms, hot_windows=worker.label_windows)
    found: list[Line] = []
    with Client(settings.clickhouse) as client:
        for deployment in sorted({name for name, _ in closed}):
            windows = [window for name, window in closed if name == deployment]
            for window, rows in exact_rows(client, deployment, windows, book, rules):
                found += [_line(closed[deployment, window], rows, figure) for figure in rows.figures()]
    return found


def exact_text(lines: Iterable[Line]) -> str:
    """Write the exact figures of one window; empty when there are none.

    Example: `auc 0.67214, average_precision 0.41203, log_loss 0.49181, labels 99.6%`.
    """
    mine = [line for line in lines if line.interval == EXACT]
    parts = [f"{line.metric} {line.value:.5g}" for line in mine if line.value is not None]
    if mine and mine[0].coverage is not None:
        parts.append(f"labels {100 * mine[0].coverage:.3g}%")
    return ", ".join(parts)


def _closed(lines: Sequence[Line]) -> list[Line]:
    """One line of each closed window."""
    wide = next((line for line in lines if line.window_end_ms - line.window_start_ms > _DAY_MS), None)
    if wide is not None:
        raise NoExactFiguresError(
            f"exact figures are of a day at most, these windows are of {wide.resolution}: "
            "ask for --resolution 1d, 1h or 5m"
        )
    windows = {(one.model_version, one.slot, one.window_start_ms): one for one in lines if one.final}
    if not windows:
        raise NoExactFiguresError(
            "exact figures are of closed windows, and none of these is: ask for earlier ones with --until"
        )
    if len(windows) > WINDOWS_MAX:
        raise NoExactFiguresError(
            f"exact figures of {len(windows):,} windows are asked for, at most {WINDOWS_MAX:,} are worked out at once: "
            "give --since and --until, or --resolution 1d"
        )
    return list(windows.values())


def _book(settings: Settings, versions: set[tuple[str, str]]) -> TermsBook:
    """Read by what windows are counted; all of these versions must have a profile."""
    from driftline.deploy.local.compacted import records
    from driftline.schemas.topics import PROFILES, STATES
    from driftline.schemas.wire import MAX_TIME_MS
    from driftline.streams.processors.profile_book import ProfileBook
    from driftline.streams.processors.settings_book import SettingsBook
    from driftline.streams.processors.terms_book import TermsBook

    profiles, declared = ProfileBook(lambda: None, keeps_truth=True), SettingsBook()
    for topic, held in ((PROFILES, profiles), (STATES, declared)):
        for record in records(settings.kafka, topic):
            held.on_record(record.key(), record.value(), record.timestamp()[1])
    book = TermsBook(profiles, declared)
    for deployment, version in sorted(versions):
        if book.terms(deployment, version, MAX_TIME_MS).scheme is None:
            raise NoExactFiguresError(
                f"version {version!r} of deployment {deployment!r} has no published profile, which would say what its "
                "answers mean: publish one with 'driftline profile publish'"
            )
    return book


def _line(window: Line, rows: Unbinned, figure: Figure) -> Line:
    from driftline.streams.join.maturity import COVERED

    coverage = rows.labels / rows.predictions if rows.predictions else None
    return replace(
        window,
        kind=figure.kind,
        feature="",
        metric=figure.metric,
        value=figure.value,
        null=None,
        floor=None,
        block=None,
        verdict=None,
        reason="",
        rows=figure.rows,
        reference_rows=0,
        window_rows=rows.predictions,
        low=figure.low,
        high=figure.high,
        interval=EXACT,
        segment="",
        labels=rows.labels,
        coverage=coverage,
        provisional=rows.labels < COVERED * rows.predictions,
    )
