"""A planned table as batches of PredictionColumns: what profiles are built from and rows sent as."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from driftline.agents.emit.values import hashed
from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.order import ordered_batches, times_ms
from driftline.deploy.tables.truths import label_columns
from driftline.deploy.tables.values import category, numbers, texts
from driftline.schemas.columns import Category, Gap, LabelColumns, NumericBlock, PredictionColumns
from driftline.streams.join.reference_truth import place_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from driftline.deploy.tables.roles import ColumnPlan, TablePlan
    from driftline.deploy.tables.source import TableSource

CHAMPION = "champion"


def table_rows(
    source: TableSource, plan: TablePlan, deployment: str, version: str, wide: Collection[str] | None = None
) -> Iterator[PredictionColumns]:
    """Read a table as predictions, in the order of event time.

    Args:
        source: the table.
        plan: what its columns are.
        deployment: name of the deployment.
        version: model version.
        wide: numeric columns that travel as float64, the others as float32; None keeps every one float64, as
        a
            profile is built from.

    Yields:
        Batches of at most `source.BATCH_ROWS` rows, without ids of their own (zeros) unless the plan has an
        `id`.

    Raises:
        TableError: a time or an id is missing.

    """
    for batch in ordered_batches(source, plan):
        yield columns_of(batch, plan, deployment, version, wide)


def labelled_rows(
    source: TableSource, plan: TablePlan, deployment: str, version: str
) -> Iterator[tuple[PredictionColumns, LabelColumns | None]]:
    """Read a reference as `table_rows` does, each batch with its labels, whose ids are places of rows.

    The second is None for a table without a column of truth.
    """
    target = plan.one("target")
    first = 0
    for batch in ordered_batches(source, plan):
        cols = columns_of(batch, plan, deployment, version, None)
        labels = None
        if target is not None:
            labels = label_columns(
                batch.column(target.name), target, deployment, place_ids(first, batch.num_rows)
            )
        first += batch.num_rows
        yield cols, labels


def columns_of(
    batch: pa.RecordBatch, plan: TablePlan, deployment: str, version: str, wide: Collection[str] | None
) -> PredictionColumns:
    """Turn one record batch into columns; arguments and errors as `table_rows`."""
    numeric = [one for one in plan.features if not one.is_category]
    levels = [one for one in plan.features if one.is_category]
    gaps: list[Gap] = []
    features = _blocks(batch, numeric, wide, gaps)
    scores = _blocks(batch, plan.of("score"), wide, gaps)
    timestamp, identifier = plan.one("timestamp"), plan.one("id")
    predicted, latency, status = plan.one("predicted"), plan.one("latency"), plan.one("status")
    rows = batch.num_rows
    return PredictionColumns(
        deployment=deployment,
        model_version=version,
        slot=CHAMPION,
        rows=rows,
        identity=None,
        ids=np.zeros((rows, 16), np.uint8),
        original_ids=None if identifier is None else _ids(batch.column(identifier.name), identifier.name),
        times_ms=np.zeros(rows, np.int64)
        if timestamp is None
        else times_ms(batch.column(timestamp.name), timestamp),
        features=features,
        categories=[_levels(batch, one) for one in levels],
        gaps=gaps,
        scores=scores,
        predicted=None if predicted is None else category(batch.column(predicted.name), "predicted"),
        segments=[_levels(batch, one) for one in plan.segments],
        latency_ms=None if latency is None else numbers(batch.column(latency.name))[0].astype(np.float32),
        status=None if status is None else category(batch.column(status.name), "status"),
    )


def _levels(batch: pa.RecordBatch, one: ColumnPlan) -> Category:
    """Give a category as it travels: hashed when its policy says so."""
    found = category(batch.column(one.name), one.name)
    if one.policy == "hashed":
        found.levels = tuple(hashed(level, None) for level in found.levels)
    return found


def _blocks(
    batch: pa.RecordBatch, plans: Sequence[ColumnPlan], wide: Collection[str] | None, gaps: list[Gap]
) -> list[NumericBlock]:
    """Stack columns of one width into a block each, and add their nulls to the gaps."""
    by_width: dict[str, list[tuple[str, NDArray[np.float64]]]] = {"float32": [], "float64": []}
    for one in plans:
        values, nulls = numbers(batch.column(one.name))
        if nulls is not None:
            gaps.append(Gap(one.name, nulls, None))
        is_wide = wide is None or one.name in wide
        by_width["float64" if is_wide else "float32"].append((one.name, values))
    blocks = []
    for width, columns in by_width.items():
        if columns:
            # A float64 past float32's range becomes an infinity, which is how it travels and is counted.
            with np.errstate(over="ignore"):
                stacked = np.stack([values for _, values in columns]).astype(width)
            blocks.append(NumericBlock(tuple(name for name, _ in columns), stacked))
    return blocks


def _ids(column: pa.Array, name: str) -> list[str | None]:
    values = texts(column)
    if values.null_count or bool(pc.any(pc.equal(pc.utf8_length(values), 0)).as_py()):
        raise TableError(
            f"column {name!r} is the id, and has rows without one: fill them or map it to ignore"
        )
    found: list[str | None] = values.to_pylist()
    return found
