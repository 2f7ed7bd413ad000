"""Source: where and when the batches of a block came from, as columns that every row of them carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence


class Source:
    """Partition, offsets and arrival of batches.

    `counts` is the rows of each batch, int64 (batches,).
    """

    __slots__ = ("_partition", "_times_ms", "counts", "offsets")

    def __init__(
        self, partition: int, offsets: Sequence[int], times_ms: Sequence[int], counts: Sequence[int]
    ) -> None:
        """Take one number a batch; `times_ms` is the broker's time of the record, ms since 1970."""
        self._partition = partition
        self._times_ms = np.array(times_ms, np.int64)
        self.offsets = np.array(offsets, np.int64)
        self.counts = np.array(counts, np.int64)

    def columns(self) -> dict[str, pa.Array]:
        """Give `src_partition`, `src_offset` and `arrived` for every row."""
        total = int(self.counts.sum())
        return {
            "src_partition": pa.array(np.full(total, self._partition, np.uint32)),
            "src_offset": pa.array(np.repeat(self.offsets, self.counts).astype(np.uint64)),
            "arrived": arrow.times(np.repeat(self._times_ms, self.counts)),
        }

    def rows_within(self) -> np.ndarray:
        """Give the number of each row within its batch, uint32."""
        starts = np.cumsum(self.counts) - self.counts
        return (np.arange(int(self.counts.sum())) - np.repeat(starts, self.counts)).astype(np.uint32)
