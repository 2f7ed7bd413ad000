"""Rows of the archive's own books: `batches` (each sealed batch once) and `blocks` (each block once)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One sealed batch: its seal, its rows, and where it lies."""

    deployment: str
    instance: str
    epoch: int
    seq: int
    rows: int
    offset: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One block: its bounds and what was in it; `newest_ms` is the broker's time of its last record."""

    first: int
    last: int
    records: int
    rows: int
    duplicates: int
    refused: int
    newest_ms: int


def batch_rows(topic: str, topic_id: str, partition: int, batches: Sequence[BatchRow]) -> pa.Table:
    """Give the rows of `batches` for one block."""
    count = len(batches)
    return pa.table(
        {
            "topic": arrow.repeated([topic], np.array([count])),
            "deployment": [batch.deployment for batch in batches],
            "instance": [batch.instance for batch in batches],
            "epoch": pa.array([batch.epoch for batch in batches], pa.int64()),
            "seq": pa.array([batch.seq for batch in batches], pa.int64()),
            "rows": pa.array([batch.rows for batch in batches], pa.uint32()),
            "topic_id": arrow.repeated([topic_id], np.array([count])),
            "partition": pa.array(np.full(count, partition, np.uint32)),
            "offset": pa.array([batch.offset for batch in batches], pa.int64()),
            "arrived": arrow.times(np.array([batch.time_ms for batch in batches], np.int64)),
        },
    )


def block_row(topic: str, topic_id: str, partition: int, block: BlockRow) -> pa.Table:
    """Give the row of `blocks` that ends a block."""
    return pa.table(
        {
            "topic": [topic],
            "topic_id": [topic_id],
            "partition": pa.array([partition], pa.uint32()),
            "first": pa.array([block.first], pa.int64()),
            "last": pa.array([block.last], pa.int64()),
            "records": pa.array([block.records], pa.uint32()),
            "rows": pa.array([block.rows], pa.uint64()),
            "duplicates": pa.array([block.duplicates], pa.uint32()),
            "refused": pa.array([block.refused], pa.uint32()),
            "newest": arrow.times(np.array([block.newest_ms], np.int64)),
        },
    )
