"""Truth: tells whether each flight was late, when it had landed, in the event time of the replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pyarrow import compute as pc

from driftline.streams.clickhouse import reads

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from driftline.agents.emit import Emitter
    from driftline.schemas.settings import Settings

_NEVER = int(np.iinfo(np.int64).max)
SHOWN = ("accuracy", "auc", "log_loss")


class Truth:
    """The labels of a replay, each told once the replay has come past the landing.

    Args:
        year: the flights in the order in which they are sent.
        emitter: what tells them.
    """

    def __init__(self, year: pa.Table, emitter: Emitter) -> None:
        self._emitter = emitter
        known = pc.and_(pc.is_valid(year["target"]), pc.is_valid(year["landed"]))
        self._late = pc.fill_null(year["target"], fill_value=False).to_numpy()
        landed_ms = pc.fill_null(pc.cast(year["landed"], "int64"), _NEVER).to_numpy()
        self._landed_ms = np.where(known.to_numpy(), landed_ms, _NEVER)
        self._departed_ms = pc.cast(year["event_time"], "int64").to_numpy()
        self._ids = np.zeros((year.num_rows, 16), np.uint8)
        self._sent = 0
        self._waiting = np.zeros(0, np.int64)
        self.told = 0

    @property
    def ids(self) -> NDArray[np.uint8]:
        """Of the flights that have been sent, in their order: uint8 (n, 16)."""
        return self._ids[: self._sent]

    @property
    def by_month(self) -> dict[str, int]:
        """Labels that there are, by the month of the departure."""
        months = self._departed_ms.astype("datetime64[ms]").astype("datetime64[M]")
        known = self._landed_ms < _NEVER
        names, counts = np.unique(months[known], return_counts=True)
        return dict(zip(names.astype(str).tolist(), counts.tolist(), strict=True))

    def offered(self, ids: NDArray[np.uint8]) -> None:
        """Learn the ids of the next flights, and tell what has landed by the departure of the last of them."""
        rows = np.arange(self._sent, self._sent + len(ids))
        self._ids[rows] = ids
        self._sent += len(ids)
        self._waiting = np.concatenate([self._waiting, rows])
        self._tell(int(self._departed_ms[rows[-1]]))

    def rest(self) -> None:
        """Tell what is left: the last flights of the year."""
        self._tell(_NEVER - 1)

    def _tell(self, now_ms: int) -> None:
        landed = self._landed_ms[self._waiting] <= now_ms
        rows = self._waiting[landed]
        self._waiting = self._waiting[~landed]
        if len(rows):
            self.told += len(rows)
            self._emitter.label_many(self._ids[rows], self._late[rows], known_at=self._landed_ms[rows])


def performance_by_month(
    settings: Settings, deployment: str, kind: str = "performance"
) -> dict[str, dict[str, Any]]:
    """Read how the model did, or was expected to do, month by month.

    Args:
        settings: where ClickHouse is.
        deployment: name of the deployment.
        kind: `performance` or `estimate`.

    Returns:
        Month (`2013-04`, UTC) -> `accuracy`, `auc`, `log_loss`, numbers; `intervals`, by metric {low, high, interval};
        `labels`, `coverage` and `provisional`.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in reads.windows(settings, deployment, reads.WindowFilter(resolution="1M", role="accuracy")):
        if row["segment"]:
            continue  # its labels are those of a value of the segment
        month = found.setdefault(f"{row['window_start']:%Y-%m}", {"intervals": {}})
        if row["kind"] == kind and row["metric"] in SHOWN:
            month[row["metric"]] = row["value"]
            month["intervals"][row["metric"]] = {name: row[name] for name in ("low", "high", "interval")}
        month |= {name: row[name] for name in ("labels", "coverage", "provisional")}
    return found
