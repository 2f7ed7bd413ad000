"""Duplicates: predictions of ids that are counted again, outside of what is, so that an id counts where it came first.

Memory bars an id that came before in a cell that still took facts. Which cells did is a matter of the log: of how far
event time had come before a record. The archive knows that from the offsets that lie with its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.clickhouse import fact_reads
from driftline.streams.windows.book import NEVER
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from driftline.schemas.columns import PredictionColumns
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.clickhouse.fact_reads import Stretch
    from driftline.streams.windows.rules import Rules

REACH_MS: Final = 40 * DAY_MS
"""How long before a prediction's time another of its id is looked for."""


class Duplicates:
    """Answers for one deployment, as the archive is now.

    Args:
        client: where the archive is.
        deployment: its name.
        since_ms: nothing before this time is counted again.
        rules: how far the watermark stays behind, and how many closed windows take facts.

    Raises:
        ClickHouseError: the server is away or refuses; so do the methods.
    """

    def __init__(self, client: Client, deployment: str, since_ms: int, rules: Rules) -> None:
        self._client, self._deployment, self._rules = client, deployment, rules
        self._oldest_ms = since_ms - REACH_MS
        found = sorted(
            fact_reads.marks(client, deployment, self._oldest_ms, rules.out_of_orderness_ms).items()
        )
        self._marks_ms = np.array([NEVER, *(mark for mark, _ in found)], np.int64)
        firsts = np.array([first for _, first in found], np.int64)
        # A watermark is reached with the first record of its time, or of a later one.
        self._from = np.minimum.accumulate(firsts[::-1])[::-1]
        # Where ids are never predicted again, as those that the emitter makes, nothing else is asked.
        self._days = fact_reads.days_with_repeats(client, deployment, self._oldest_ms)

    def reached_ms(self, offsets: NDArray[np.int64] | int) -> NDArray[np.int64]:
        """Give the watermark, to five minutes, before records of these offsets; NEVER where none is known."""
        return self._marks_ms[np.searchsorted(self._from, offsets, "left")]

    def rows(self, stretch: Stretch) -> Iterator[tuple[NDArray[np.int64], PredictionColumns]]:
        """Give predictions outside a stretch that may have come before those in it of the same id, with offsets."""
        if not any(stretch.since_ms - DAY_MS < day < stretch.until_ms for day in self._days):
            return
        span = fact_reads.offsets_of(self._client, stretch)
        if span is None:
            return
        first, last = (int(one) for one in self.reached_ms(np.array(span)))
        if last == NEVER:  # nothing came before
            return
        since_ms = max(first // DAY_MS * DAY_MS - self._rules.hot_windows * DAY_MS, self._oldest_ms)
        until_ms = last + fact_reads.PART_MS + self._rules.out_of_orderness_ms
        if until_ms > since_ms and (since_ms < stretch.since_ms or until_ms > stretch.until_ms):
            yield from fact_reads.duplicates(self._client, stretch, (since_ms, until_ms), span[1])
