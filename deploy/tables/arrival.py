"""Where sent rows have got to: stored in ClickHouse, counted in windows; and a bounded wait for both."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.settings import Settings

POLL_S = 0.25
SLOT = "champion"


@dataclass(frozen=True, slots=True)
class Arrival:
    """How far one emitter's rows have come.

    Attributes:
        sent: rows the broker has acknowledged.
        stored: those of them that lie in ClickHouse.
        version_rows: rows of the model version in ClickHouse, of every emitter.
        counted: rows of the version in published windows, by resolution.
        late: rows of the version, of every emitter, whose windows had closed before they came, which await
            restatement.
        late_before: as many of those as there were before this emitter sent.
        answer: what ClickHouse objected to when it was asked; empty when it answered.
    """

    sent: int
    stored: int = 0
    version_rows: int = 0
    counted: dict[str, int] = field(default_factory=dict)
    late: int = 0
    late_before: int = 0
    answer: str = ""

    @property
    def is_stored(self) -> bool:
        """Whether every row lies in ClickHouse."""
        return self.stored >= self.sent

    @property
    def is_counted(self) -> bool:
        """Whether every row of the version is in a published window of each resolution, or late."""
        return all(rows + self.late >= self.version_rows for rows in self.counted.values())

    @property
    def came_late(self) -> int:
        """Rows sent since `late_before` was asked for that came too late: this emitter's, where it sends alone."""
        return max(self.late - self.late_before, 0)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is on its way any more."""
        return self.is_stored and self.is_counted

    def on_the_way(self) -> str:
        """Say what is missing yet; an empty text when nothing is."""
        if self.answer:
            return self.answer
        parts = []
        if not self.is_stored:
            parts.append(f"{self.sent - self.stored:,} of {self.sent:,} rows are not in ClickHouse yet")
        for name, rows in self.counted.items():
            missing = self.version_rows - self.late - rows
            if missing > 0:
                parts.append(f"{missing:,} rows are in no published {name} window yet")
        return "; ".join(parts)


def late_so_far(settings: Settings, deployment: str, version: str) -> int:
    """Count the rows of a version that await restatement; 0 while ClickHouse does not answer."""
    try:
        return _late(settings, deployment, version)
    except ClickHouseError:
        return 0


def look(
    settings: Settings,
    deployment: str,
    version: str,
    instance: str,
    sent: int,
    resolutions: tuple[str, ...],
    late_before: int = 0,
) -> Arrival:
    """Ask ClickHouse once.

    Args:
        settings: where ClickHouse is.
        deployment: name of the deployment.
        version: model version.
        instance: the emitter whose rows are meant.
        sent: how many rows it delivered.
        resolutions: those whose windows must hold the rows.
        late_before: what `late_so_far` gave before the rows were sent.

    """
    where = {"deployment": deployment, "version": version, "instance": instance, "slot": SLOT}
    try:
        with Client(settings.clickhouse) as client:
            of_emitter = client.query(
                "SELECT sum(rows) AS rows, max(offset) AS last, any(partition) AS partition FROM batches "
                "WHERE topic = 'predictions' AND deployment = {deployment:String} AND instance = "
                "{instance:String}",
                where,
            )[0]
            rows = client.query(
                "SELECT count() AS n FROM predictions WHERE deployment = {deployment:String} "
                "AND model_version = {version:String} AND slot = {slot:String}",
                where,
            )[0]["n"]
            windows = client.query(
                "SELECT resolution, sum(rows) AS counted FROM windows_now "
                "WHERE deployment = {deployment:String} AND model_version = {version:String} "
                "AND slot = {slot:String} AND run = 'live' AND role = '' GROUP BY resolution",
                where,
            )
        # `blocks` is written last: only then are all rows of the block on disk.
        reached = reads.positions(settings, "predictions").get(of_emitter["partition"], -1)
        late = _late(settings, deployment, version)
    except ClickHouseError as error:
        return Arrival(sent=sent, late_before=late_before, answer=str(error))
    found = {str(row["resolution"]): int(row["counted"]) for row in windows}
    return Arrival(
        sent=sent,
        stored=int(of_emitter["rows"]) if reached >= of_emitter["last"] else 0,
        version_rows=int(rows),
        counted={name: found.get(name, 0) for name in resolutions},
        late=late,
        late_before=late_before,
    )


def _late(settings: Settings, deployment: str, version: str) -> int:
    found = reads.late_rows(settings, deployment)
    return sum(int(one["rows"]) for one in found if (one["model_version"], one["slot"]) == (version, SLOT))


def wait(
    ask: Callable[[], Arrival], seconds: float, told: Callable[[Arrival], None] = lambda _arrival: None
) -> Arrival:
    """Ask until everything has arrived or the bound has passed, and give the last answer.

    Args:
        ask: looks once.
        seconds: the bound.
        told: called with each answer, to show progress.

    """
    deadline = time.monotonic() + seconds
    while True:
        arrival = ask()
        told(arrival)
        if arrival.is_complete or time.monotonic() > deadline:
            return arrival
        time.sleep(POLL_S)
