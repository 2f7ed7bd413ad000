"""Asks: the flights of some months as requests of a departure board, some minutes of flights each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from pyarrow import compute as pc

from driftline.agents.serving import v2
from driftline.agents.serving.v2_client import asking
from driftline.deploy.demo.model import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    Attributes:
        id: of it; its rows are called `ID/0` and so on, or as itself when there is one.
        at_ms: the event time of its rows, ms since 1970.
        body: as it is posted.
        json_bytes: how many bytes of it are JSON.
        late: of each row, whether it arrived late; None where nobody knows.
        landed_ms: of each row, when that became known; `NEVER` where nobody knows.
    """

    id: str
    at_ms: int
    body: bytes
    json_bytes: int
    late: tuple[bool | None, ...]
    landed_ms: tuple[int, ...]

    def row_ids(self) -> list[str]:
        """What its rows are called in answers' events."""
        return [self.id] if len(self.late) == 1 else [f"{self.id}/{row}" for row in range(len(self.late))]


def asks(flights: pa.Table, each_ms: int) -> Iterator[Ask]:
    """Give the requests of flights in the order of their departure.

    Args:
        flights: as `load_flights` returns them, in that order.
        each_ms: of how long the flights of a request are, ms; a part of a day without a rest.
    """
    columns = columns_of(flights)
    at_ms = pc.cast(flights["event_time"], "int64").to_numpy()
    late = flights["target"].to_pylist()
    landed = pc.fill_null(pc.cast(flights["landed"], "int64"), NEVER).to_pylist()
    starts = np.flatnonzero(np.diff(at_ms // each_ms, prepend=-1))
    for first, after in zip(starts.tolist(), [*starts[1:].tolist(), len(at_ms)], strict=True):
        rows = slice(first, after)
        name, when_ms = f"board-{at_ms[first]}", int(at_ms[first])
        parts = {column: values[rows].reshape(-1, 1) for column, values in columns.items()}
        body, json_bytes = asking(parts, {"id": name, "parameters": {v2.AT: when_ms}})
        known = [None if when == NEVER else told for told, when in zip(late[rows], landed[rows], strict=True)]
        yield Ask(name, when_ms, body, json_bytes, tuple(known), tuple(landed[rows]))
