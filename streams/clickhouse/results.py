"""Results: windows as they were published, put together again from the view of figures."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from driftline.schemas.errors import DriftlineError
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.windows.resolution import NAMES

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings
    from driftline.streams.clickhouse.reads import WindowFilter

WINDOWS_MAX: Final = 5_000
"""Windows that are read at once: their figures are held in memory."""
_FIGURE: Final = (
    "kind",
    "feature",
    "metric",
    "value",
    "verdict",
    "reason",
    "rows",
    "reference_rows",
    "level",
    "low",
    "high",
    "interval",
    "segment",
)
_WINDOW: Final = (
    "deployment",
    "model_version",
    "slot",
    "resolution",
    "profile_digest",
    "final",
    "restated",
    "late_rows",
    "run",
    "settings_revision",
    "version",
    "role",
    "delay_p50_s",
    "delay_p90_s",
    "provisional",
)


class TooManyWindowsError(DriftlineError):
    """More windows are asked for than memory is given to."""


def results(settings: Settings, deployment: str, chosen: WindowFilter) -> list[WindowResult]:
    """Give the windows of a deployment with their figures, oldest first.

    What the view does not carry is empty: `counts`, `partition`, `absorbed`.

    Raises:
        TooManyWindowsError: more than `WINDOWS_MAX` are asked for.
        ClickHouseError: the server is away or refuses.
    """
    _check_count(settings, deployment, chosen)
    found: dict[tuple[Any, ...], WindowResult] = {}
    for row in reads.windows(settings, deployment, chosen):
        place = tuple(row[name] for name in ("resolution", "window_start", "model_version", "slot", "role"))
        if place not in found:
            found[place] = _window(row)
        figure = {name: row[name] for name in _FIGURE}
        found[place].figures.append(Figure(**figure, **row["thresholds"]))
    return sorted(found.values(), key=lambda one: (one.window_start_ms, one.model_version, one.slot))


def _check_count(settings: Settings, deployment: str, chosen: WindowFilter) -> None:
    windows = reads.window_total(settings, deployment, chosen)
    if windows > WINDOWS_MAX:
        raise TooManyWindowsError(
            f"deployment {deployment!r} has {windows:,} windows of {chosen.resolution} in what was asked, at most "
            f"{WINDOWS_MAX:,} are read: choose a wider --resolution or a later --since"
        )


def resolutions(settings: Settings, deployment: str, *, are_final: bool = False) -> list[str]:
    """Give the widths of the windows, or of the final ones, of a deployment, narrowest first; raises as `windows`."""
    where = "deployment = {deployment:String} AND run = 'live'" + (" AND final" if are_final else "")
    with Client(settings.clickhouse) as client:
        rows = client.query(
            f"SELECT DISTINCT resolution FROM windows_now WHERE {where}", {"deployment": deployment}
        )
    return sorted((str(row["resolution"]) for row in rows), key=NAMES.index)


def _window(row: dict[str, Any]) -> WindowResult:
    return WindowResult(
        **{name: row[name] for name in _WINDOW},
        window_start_ms=_ms(row["window_start"]),
        window_end_ms=_ms(row["window_end"]),
        partition=0,
        absorbed=-1,
        rows=row["window_rows"],
        labels=row["window_labels"],
        watermark_ms=_ms(row["watermark"]),
        counts=b"",
        computed_at_ms=_ms(row["computed_at"]),
    )


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
