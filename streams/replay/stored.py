"""The archive as a source: predictions and labels of one deployment out of ClickHouse, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from driftline.schemas.partition import partition_of
from driftline.streams.clickhouse import fact_reads, reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.fact_reads import Stretch
from driftline.streams.replay.duplicates import Duplicates
from driftline.streams.replay.errors import ReplayError
from driftline.streams.replay.steps import Aside, Rows, Step, Truth, Whole
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.rules import Rules

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

CHUNK_ROWS: Final = 2_000_000
"""Predictions taken into memory at once: days are read together up to so many, and one at least."""


class Stored:
    """Reads one deployment out of the archive's tables; arguments as those of `Log`."""

    name = "archive"

    def __init__(self, settings: Settings, deployment: str, span: tuple[int, int]) -> None:
        self._settings, self._deployment, self._span = settings, deployment, span
        self.partition = partition_of(deployment.encode(), settings.kafka.partitions)
        self._client = Client(settings.clickhouse)
        self.total = 0
        self.reached = (-1, -1)

    def __enter__(self) -> Self:
        """Give the source itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._client.close()

    def open(self, now_ms: int) -> None:
        """Find what is to be read.

        Raises:
            ReplayError: retention has removed rows that may belong to the span.
            ClickHouseError: the server is away or refuses.
        """
        stored = [
            reads.positions(self._settings, topic).get(self.partition, -1)
            for topic in ("predictions", "labels")
        ]
        self.reached = (stored[0], stored[1])
        kept_ms = self._settings.archive.retention_days * DAY_MS
        begins = fact_reads.kept_from_ms(self._client, self.partition, kept_ms, now_ms)
        since_ms = self._span[0]
        if begins is not None and since_ms - self._settings.worker.future_ms < begins:
            raise ReplayError(
                f"the archive goes back to {_time(begins)}, since is {_time(since_ms)}: choose a later --since"
            )
        self._days = fact_reads.rows_by_day(self._client, Stretch(self._deployment, *self._span))
        self.total = sum(self._days.values())

    def steps(self) -> Iterator[tuple[int, Step | None]]:
        """Give the days in their order; raises ClickHouseError when the server goes away."""
        newest_ms = fact_reads.newest_ms(self._client, self._deployment)
        if newest_ms is None:
            return
        has_labels = fact_reads.has_labels(self._client, self._deployment)
        worker = self._settings.worker
        rules = Rules(out_of_orderness_ms=worker.out_of_orderness_ms, hot_windows=worker.label_windows)
        duplicates = Duplicates(self._client, self._deployment, self._span[0], rules)
        for since_ms, until_ms in chunks(self._days):
            part = Stretch(self._deployment, max(since_ms, self._span[0]), min(until_ms, self._span[1]))
            if has_labels:
                for truth in fact_reads.labels(self._client, part):
                    yield 0, Truth(0, truth)
                for offsets, cols in duplicates.rows(part):
                    yield 0, Aside(offsets, cols)
                for offsets, cols in fact_reads.answers(self._client, part):
                    reached_ms = duplicates.reached_ms(offsets)
                    yield 0, Rows(offsets, cols, 0, to_count=False, to_join=True, reached_ms=reached_ms)
            for offset, cols in fact_reads.predictions(self._client, part):
                yield cols.rows, Rows(offset, cols, 0, to_count=True, to_join=False)
            yield 0, Whole(until_ms, newest_ms)
        yield 0, Whole(None, newest_ms)


def chunks(days: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Give spans of whole days, in ms, that hold at most `CHUNK_ROWS` together, or are one day.

    >>> list(chunks({0: 1_500_000, 86_400_000: 400_000, 864_000_000: 3_000_000}))
    [(0, 172800000), (864000000, 950400000)]
    """
    since, until, held = 0, 0, 0
    for day, rows in sorted(days.items()):
        if held and held + rows > CHUNK_ROWS:
            yield since, until
            held = 0
        if not held:
            since = day
        until, held = day + DAY_MS, held + rows
    if held:
        yield since, until


def _time(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
