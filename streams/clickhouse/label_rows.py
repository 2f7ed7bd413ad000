"""Rows of `labels` from batches of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.shapes import LabelColumns
    from driftline.streams.clickhouse.source import Source


def label_rows(batches: Sequence[LabelColumns], sources: Source) -> pa.Table:
    """Give the rows of `labels`.

    Args:
        batches: decoded batches, in the order of the log.
        sources: where and when each came from.
    """
    counts = sources.counts
    withdrawn = [
        np.zeros(batch.rows, np.bool_) if batch.withdrawn is None else batch.withdrawn.astype(np.bool_)
        for batch in batches
    ]
    return pa.table(
        {
            "deployment": arrow.repeated([batch.deployment for batch in batches], counts),
            "prediction_id": arrow.ids([batch.ids for batch in batches]),
            "original_id": arrow.originals([batch.original_ids for batch in batches], counts),
            "known_at": arrow.times(
                np.concatenate([*[b.known_at_ms for b in batches], np.empty(0, np.int64)])
            ),
            "number": arrow.floats([batch.numbers for batch in batches], counts, np.float64),
            "class": arrow.categories([batch.classes for batch in batches], counts),
            "withdrawn": pa.array(np.concatenate([*withdrawn, np.empty(0, np.bool_)])),
            **sources.columns(),
            "src_row": pa.array(sources.rows_within()),
        },
    )
