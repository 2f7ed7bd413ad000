"""Health figures: how the service behind the predictions does: rate, errors by status, latency.

They need no reference, so a window has them without a profile too, and they carry no verdict: how many errors and
how long a wait are too much is for whoever runs the service to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.schemas.window import Figure
from driftline.streams.windows.latency import latency_quantile, latency_rows
from driftline.streams.windows.layout import STATUS_LEVELS

if TYPE_CHECKING:
    from driftline.streams.windows.counters import Counters
    from driftline.streams.windows.view import ColumnCounts

OK: Final = STATUS_LEVELS[0]
ERRORS: Final = STATUS_LEVELS[1:]
QUANTILES: Final = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}


def health_figures(counters: Counters, span_ms: int) -> list[Figure]:
    """Give the figures of one window, none with a verdict.

    `rate` is in events a second. `errors` is the share of the rows with a status whose status is not `ok`;
    `errors_error`, `errors_timeout`, `errors_rejected` and `errors_invalid` are its parts, and `errors_unknown` those
    of any other status. `latency_p50`, `latency_p95` and `latency_p99` are in ms, within 1 % (0.8 % by the bins of the
    sketch) of the latency of that rank among the rows with a latency; 0 stands for under 1 µs, infinity for over 70
    minutes. `status_known` and `latency_known` are the shares of all rows that told one. A figure without a row to be
    about is None.

    Args:
        counters: the window.
        span_ms: event time that the rows were counted over, ms (`counted_ms`).
    """
    rows = counters.rows
    rate = rows * 1000 / span_ms if span_ms > 0 else None
    figures = [Figure("health", "", "rate", rate, rows=rows)]
    status = next(column for column in counters.layout.columns if column.profile.role == "status")
    return [*figures, *_errors(counters.column(status.profile.name, "status"), rows), *_latency(counters)]


def counted_ms(counters: Counters, start_ms: int, end_ms: int, watermark_ms: int, *, closed: bool) -> int:
    """Give the part of a window that its rows were counted over, ms.

    All of it when it is closed; else up to the watermark, or to the newest row where that lies ahead of it: rows
    between the two are counted already.
    """
    if closed:
        return end_ms - start_ms
    reached = watermark_ms if counters.last_ms is None else max(watermark_ms, counters.last_ms + 1)
    return max(0, min(reached, end_ms) - start_ms)


def _errors(status: ColumnCounts, rows: int) -> list[Figure]:
    known = status.valid
    fine = _rows_of(status, OK)
    parts = {name: _rows_of(status, name) for name in ERRORS}
    told = [*parts.values(), fine]
    strange = None if None in told else known - sum(count for count in told if count is not None)
    counts = {"errors": None if fine is None else known - fine}
    counts |= {f"errors_{name}": count for name, count in parts.items()} | {"errors_unknown": strange}
    figures = [
        Figure("health", "", metric, _share(count, known), rows=known) for metric, count in counts.items()
    ]
    return [*figures, Figure("health", "", "status_known", _share(known, rows), rows=rows)]


def _rows_of(status: ColumnCounts, level: str) -> int | None:
    """Rows of one status; None where a profile's own levels lack it, and rows beside them may be of it."""
    if level in status.profile.levels:
        return int(status.counts[status.profile.levels.index(level)])
    return None if status.other + status.unseen else 0


def _latency(counters: Counters) -> list[Figure]:
    sketch = counters.latency
    known = 0 if sketch is None else latency_rows(sketch)
    figures = [
        Figure("health", "", metric, None if sketch is None else latency_quantile(sketch, share), rows=known)
        for metric, share in QUANTILES.items()
    ]
    return [*figures, Figure("health", "", "latency_known", _share(known, counters.rows), rows=counters.rows)]


def _share(count: int | None, rows: int) -> float | None:
    return count / rows if rows and count is not None else None
