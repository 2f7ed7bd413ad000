"""Rows of a table through the Emitter, as an application sends them, no faster than they are taken."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import compute as pc

from driftline.agents.emit import Emitter
from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.order import ordered_batches, times_ms
from driftline.deploy.tables.scan import is_text, plain
from driftline.deploy.tables.values import texts
from driftline.deploy.tables.watch import Watch
from driftline.schemas.ahead import latest_ms

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from driftline.agents.emit import Stats
    from driftline.agents.emit.frames import Roles
    from driftline.deploy.tables.plan import Planned
    from driftline.deploy.tables.roles import ColumnPlan, TablePlan
    from driftline.schemas.profile import Profile
    from driftline.schemas.settings import Settings

SLICE_ROWS = 8_192
"""Rows given to the emitter at once."""

SLICES_A_SECOND = 10
"""With a rate: how often some rows are sent."""

STALLED_S = 30.0
"""How long rows may be on their way and Kafka acknowledge none, before it is given up: a broker that is away is said,
not waited for. One that is slow is waited for.
"""

ROOM_S = 300.0
"""How long to wait for room in the emitter's buffer: a row that is larger than it never fits, and is dropped then."""

FLUSH_S = 1.0
"""How long to wait for the last rows before the books are looked at again."""

AT, ID, LATENCY, STATUS, PREDICTED = " at", " id", " latency", " status", " predicted"
"""Names of the columns that are no features: no feature's name may begin with a space, so none can clash."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the rows that were offered."""

    rows: int
    stats: Stats
    seconds: float
    """From the first row to the last acknowledgement."""
    stalled: bool = False
    """Whether Kafka was given up, because it acknowledged nothing any more."""

    @property
    def is_delivered(self) -> bool:
        """Whether the broker has every row."""
        return self.stats.delivered == self.rows


@dataclass(slots=True)
class Pace:
    """When the next rows may go: `rate` rows a second since the first; None for as fast as they are taken."""

    rate: float | None
    began: float = field(default_factory=time.monotonic)
    rows: int = 0

    @property
    def slice_rows(self) -> int:
        """Rows to send at once."""
        return (
            SLICE_ROWS if self.rate is None else max(1, min(SLICE_ROWS, round(self.rate / SLICES_A_SECOND)))
        )

    def wait(self, rows: int, end: threading.Event) -> None:
        """Wait until these rows are due, or until `end`."""
        if self.rate is not None:
            end.wait(max(0.0, self.began + self.rows / self.rate - time.monotonic()))
        self.rows += rows


def send(
    settings: Settings,
    planned: Planned,
    deployment: str,
    version: str,
    *,
    profile: Profile | None,
    rate: float | None = None,
    told: Callable[[int], None] = lambda _rows: None,
    offered: Callable[[NDArray[np.uint8]], None] = lambda _ids: None,
) -> Sent:
    """Send every row and wait until the broker has them; one that takes none for STALLED_S is given up.

    Args:
        settings: where Kafka is.
        planned: the table.
        deployment: name of the deployment.
        version: model version.
        profile: says which columns travel as float64 and which are categories; None leaves it to the emitter.
        rate: events a second; None for as fast as Kafka takes them.
        told: called with the number of rows after each slice.
        offered: called with the ids of the rows of each slice, uint8 (rows, 16), in the order of event time.

    Returns:
        The books; a row that was dropped is in them by reason, nothing is raised for it.

    Raises:
        TableError: a time lies where the workers would refuse it, or a row has none.

    """
    columns = () if profile is None else profile.columns
    plan = planned.plan
    began = time.perf_counter()
    rows = 0
    emitter = Emitter(
        deployment,
        version,
        settings=settings,
        instance=f"emit.{socket.gethostname()}.{os.getpid()}.{time.time_ns():x}"[:200],
        float64={one.name for one in columns if one.dtype == "float64" and one.role in ("feature", "score")},
        categorical={one.name for one in plan.features if one.is_category},
        columns={one.name: one.policy for one in (*plan.features, *plan.segments) if one.policy != "keep"},
    )
    pace = Pace(rate)
    with emitter, Watch(emitter, STALLED_S) as watch:
        for part, roles in _parts(planned, settings, pace.slice_rows):
            pace.wait(part.num_rows, watch.stalled)
            if watch.stalled.is_set() or emitter.stats().dropped:
                # Nobody takes them any more: the books say why, and the rest is better sent again later.
                break
            offered(emitter.log_frame(part, wait_s=ROOM_S, **roles))
            rows += part.num_rows
            told(part.num_rows)
        while emitter.stats().in_flight and not watch.stalled.is_set():
            emitter.flush(FLUSH_S)
    return Sent(rows, emitter.stats(), time.perf_counter() - began, watch.stalled.is_set())


def frame_of(batch: pa.RecordBatch, plan: TablePlan, future_ms: int) -> tuple[pa.RecordBatch, Roles]:
    """Turn a batch of the table into a frame for `Emitter.log_frame`, with the roles of its columns."""
    columns = {
        one.name: texts(batch.column(one.name)) if one.is_category else _number(batch.column(one.name))
        for one in plan.features
    }
    roles: Roles = {"features": list(columns)}
    if scores := plan.of("score"):
        columns |= {one.name: _number(batch.column(one.name)) for one in scores}
        roles["score"] = [one.name for one in scores]
    if segments := plan.segments:
        columns |= {one.name: texts(batch.column(one.name)) for one in segments if one.name not in columns}
        roles["segments"] = [one.name for one in segments]
    _add_facts(batch, plan, columns, roles)
    if (timestamp := plan.one("timestamp")) is not None:
        columns[AT] = _times(batch, timestamp, future_ms)
        roles["at"] = AT
    return pa.RecordBatch.from_pydict(columns), roles


def _add_facts(batch: pa.RecordBatch, plan: TablePlan, columns: dict[str, pa.Array], roles: Roles) -> None:
    """Add the columns that at most one column of the table can be."""
    if (predicted := plan.one("predicted")) is not None:
        columns[PREDICTED] = texts(batch.column(predicted.name))
        roles["predicted"] = PREDICTED
    if (status := plan.one("status")) is not None:
        columns[STATUS] = texts(batch.column(status.name))
        roles["status"] = STATUS
    if (identifier := plan.one("id")) is not None:
        columns[ID] = texts(batch.column(identifier.name))
        roles["id"] = ID
    if (latency := plan.one("latency")) is not None:
        columns[LATENCY] = _number(batch.column(latency.name))
        roles["latency_ms"] = LATENCY


def _number(column: pa.Array) -> pa.Array:
    """Give numbers in a type the emitter knows; integers stay integers, so that it sees those past 2^24."""
    values = plain(column)
    if is_text(values.type) or pa.types.is_integer(values.type):
        return values
    return (
        pc.cast(values, pa.float64()) if not pa.types.is_boolean(values.type) else pc.cast(values, pa.int8())
    )


def _times(batch: pa.RecordBatch, timestamp: ColumnPlan, future_ms: int) -> pa.Array:
    times = times_ms(batch.column(timestamp.name), timestamp)
    latest = latest_ms(int(time.time() * 1000), future_ms)
    for wrong, where in ((times[0] < 0, "before 1970"), (times[-1] > latest, "in the future")):
        if wrong:
            raise TableError(
                f"column {timestamp.name!r} has times {where}, read as {timestamp.type}, which would be "
                "refused: "
                "check the column, or its unit with a mapping"
            )
    return pa.array(times)


def _parts(planned: Planned, settings: Settings, rows: int) -> Iterator[tuple[pa.RecordBatch, Roles]]:
    """Give the table in the order of its times, as frames of so many rows at most."""
    for batch in ordered_batches(planned.source, planned.plan):
        frame, roles = frame_of(batch, planned.plan, settings.worker.future_ms)
        for start in range(0, frame.num_rows, rows):
            yield frame.slice(start, rows), roles
