"""When is the replay over: every day closed with all its rows, every month published with all its days."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from driftline.schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Closing:
    """How many windows hold what they will ever hold.

    Attributes:
        days: UTC days that have rows.
        closed: those whose window is final and has all of the day's rows.
        months: months that have rows.
        whole: those whose window has all of the month's rows, and is final if the month is over in event
        time.
    """

    days: int
    closed: int
    months: int
    whole: int

    @property
    def is_over(self) -> bool:
        """Whether nothing is expected any more."""
        return self.days > 0 and self.closed == self.days and self.whole == self.months


def closing(settings: Settings, deployment: str) -> Closing:
    """Compare the windows with the rows they should hold, both as ClickHouse has them."""
    parameters = {"deployment": deployment}
    with Client(settings.clickhouse) as client:
        stored = client.query(
            "SELECT toStartOfDay(ts) AS day, count() AS n FROM predictions "
            "WHERE deployment = {deployment:String} GROUP BY day",
            parameters,
        )
    days = {row["day"].date(): int(row["n"]) for row in stored}
    months: Counter[tuple[int, int]] = Counter()
    for day, rows in days.items():
        months[day.year, day.month] += rows
    newest = max(months, default=(0, 0))
    held = reads.window_counts(settings, deployment)
    closed = sum(
        row["final"] and days.get(row["window_start"].date()) == row["rows"]
        for row in held
        if row["resolution"] == "1d"
    )
    whole = sum(
        months.get(_month(row["window_start"])) == row["rows"]
        and (row["final"] or _month(row["window_start"]) == newest)
        for row in held
        if row["resolution"] == "1M"
    )
    return Closing(days=len(days), closed=closed, months=len(months), whole=whole)


def wait_until_closed(
    settings: Settings, deployment: str, seconds: float, told: Callable[[Closing], None] = lambda _found: None
) -> None:
    """Wait until the replay is over.

    Args:
        settings: where ClickHouse is.
        deployment: name of the deployment.
        seconds: how long to wait.
        told: called with each answer.

    Raises:
        ClickHouseError: it was not over in time.

    """

    def reached() -> bool:
        found = closing(settings, deployment)
        told(found)
        return found.is_over

    reads.wait_until(reached, seconds=seconds, what="that every day is closed and every month is whole")


def _month(start: datetime) -> tuple[int, int]:
    return start.year, start.month
