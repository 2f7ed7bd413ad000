"""When is the replay over: every day closed with its rows, every month with all of its days and labels."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from driftline.schemas.settings import Settings

_LOOK_S: Final = 0.4
"""Between two looks: the workers that are waited for need the cores."""


@dataclass(frozen=True, slots=True)
class Closing:
    """How many windows hold what they will ever hold.

    Attributes:
        days: UTC days that have rows.
        closed: those whose window is final and has all of the day's rows.
        months: months that have rows.
        whole: those whose window has all of the month's rows, and is final if the month is over in event time.
        told: months of which some flight has a label.
        labelled: those whose window counts every label.
    """

    days: int
    closed: int
    months: int
    whole: int
    told: int
    labelled: int

    @property
    def is_over(self) -> bool:
        """Whether nothing is expected any more."""
        return (
            self.days > 0
            and self.closed == self.days
            and self.whole == self.months
            and self.labelled == self.told
        )

    def __str__(self) -> str:
        """Say how far it is."""
        return f"{self.closed} of {self.days} days are closed, {self.labelled} of {self.told} months have their labels"


def closing_of(
    days: Mapping[date, int], windows: Iterable[Mapping[str, Any]], labels: Mapping[str, int]
) -> Closing:
    """Compare windows with the rows and the labels that they should hold.

    Args:
        days: UTC day -> rows stored.
        windows: `role` (empty for drift), `resolution`, `window_start`, `rows`, `labels`, `final`; days and months.
        labels: month (`2013-07`) -> labels that there are.
    """
    months: Counter[str] = Counter()
    for day, rows in days.items():
        months[_month(day)] += rows
    newest = max(months, default="")
    closed = whole = labelled = 0
    for row in windows:
        start, rows = row["window_start"].date(), row["rows"]
        if row["role"]:
            labelled += row["resolution"] == "1M" and labels.get(_month(start)) == row["labels"]
        elif row["resolution"] == "1d":
            closed += row["final"] and days.get(start) == rows
        else:
            is_final = row["final"] or _month(start) == newest
            whole += is_final and months.get(_month(start)) == rows
    return Closing(len(days), closed, len(months), whole, len(labels), labelled)


def wait_until_closed(
    settings: Settings,
    deployment: str,
    labels: Mapping[str, int],
    seconds: float,
    told: Callable[[Closing], None] = lambda _found: None,
) -> None:
    """Wait until the replay is over.

    Args:
        settings: where ClickHouse is.
        deployment: name of the deployment.
        labels: as of `closing_of`.
        seconds: how long to wait.
        told: called with each answer.

    Raises:
        ClickHouseError: it was not over in time.

    """
    parameters = {"deployment": deployment}

    def reached() -> bool:
        with Client(settings.clickhouse) as client:
            stored = client.query(
                "SELECT toStartOfDay(ts) AS day, count() AS n FROM predictions "
                "WHERE deployment = {deployment:String} GROUP BY day",
                parameters,
            )
            # Not what `reads` gives of windows: their counters are megabytes a look.
            held = client.query(
                "SELECT role, resolution, window_start, rows, labels, final FROM windows_now "
                "WHERE deployment = {deployment:String} AND run = 'live' AND resolution IN ('1d', '1M')",
                parameters,
            )
        found = closing_of({row["day"].date(): int(row["n"]) for row in stored}, held, labels)
        told(found)
        return found.is_over

    what = "that every day is closed and every month is whole, with all of its labels,"
    reads.wait_until(reached, seconds=seconds, what=what, on_wait=lambda: time.sleep(_LOOK_S))


def _month(day: date) -> str:
    return f"{day:%Y-%m}"
