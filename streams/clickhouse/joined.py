"""Joined: predictions of one window with the label in force of each, read from the archive block by block."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftline.schemas.shapes import Category
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from driftline.schemas.settings import Settings

# One prediction an id, model version and slot: the first by its place in the log, so one that came first elsewhere than
# in this window is none of this window's. Of the labels of an id the greatest (known_at, place) is in force.
_JOINED: Final = """
WITH
    mine AS (
        SELECT prediction_id FROM predictions
        WHERE deployment = {deployment:String} AND model_version = {version:String} AND slot = {slot:String}
            AND ts >= {start:DateTime64(3, 'UTC')} AND ts < {end:DateTime64(3, 'UTC')}
    ),
    said AS (
        SELECT
            prediction_id,
            min((src_offset, ts)) AS place,
            argMin(
                (
                    arrayMap(
                        name -> if(indexOf(score_list, name) = 0, nan, scores[indexOf(score_list, name)]),
                        {names:Array(String)}
                    ),
                    CAST(predicted AS Nullable(String))
                ),
                (src_offset, ts)
            ) AS answer
        FROM predictions
        WHERE deployment = {deployment:String} AND model_version = {version:String} AND slot = {slot:String}
            AND ts >= {start:DateTime64(3, 'UTC')} AND ts < {end:DateTime64(3, 'UTC')}
        GROUP BY prediction_id
    ),
    elsewhere AS (
        SELECT prediction_id, min((src_offset, ts)) AS place FROM kept_lookup
        WHERE deployment = {deployment:String} AND model_version = {version:String} AND slot = {slot:String}
            AND NOT (ts >= {start:DateTime64(3, 'UTC')} AND ts < {end:DateTime64(3, 'UTC')})
            AND prediction_id IN (SELECT prediction_id FROM mine)
        GROUP BY prediction_id
    ),
    told AS (
        SELECT
            prediction_id,
            argMax((number, CAST(class AS Nullable(String)), withdrawn), (known_at, src_offset, src_row)) AS truth
        FROM labels
        WHERE deployment = {deployment:String} AND prediction_id IN (SELECT prediction_id FROM mine)
        GROUP BY prediction_id
    )
SELECT
    said.answer.1 AS scores,
    said.answer.2 AS predicted,
    told.truth.1 AS number,
    told.truth.2 AS class,
    isNotNull(told.prediction_id) AND NOT told.truth.3 AS labelled
FROM said
LEFT JOIN elsewhere ON said.prediction_id = elsewhere.prediction_id
LEFT JOIN told ON said.prediction_id = told.prediction_id
WHERE isNull(elsewhere.prediction_id) OR elsewhere.place > said.place
SETTINGS join_use_nulls = 1
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """Some joined rows.

    Attributes:
        unlabelled: predictions without a label beside them.
        scores: float64 (S, n), by the names asked for; NaN for none.
        predicted: the class each says.
        number: float64 (n,), of the label; NaN for none.
        classes: of the label.
    """

    unlabelled: int
    scores: NDArray[np.float64]
    predicted: Category
    number: NDArray[np.float64]
    classes: Category


def joined_rows(
    settings: Settings,
    deployment: str,
    version: str,
    slot: str,
    span_ms: tuple[int, int],
    names: Sequence[str],
) -> Iterator[Joined]:
    """Read the joined rows of a window; the server holds the ids of that window, the reader a block at a time.

    Args:
        settings: where ClickHouse is.
        deployment: which predictions.
        version: of which model.
        slot: in which slot.
        span_ms: start and end of the window, event time, ms since 1970; the end exclusive.
        names: of the scores wanted, in order.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    start, end = (datetime.fromtimestamp(time / 1000, UTC) for time in span_ms)
    given = {"deployment": deployment, "version": version, "slot": slot}
    parameters: dict[str, Any] = {**given, "start": start, "end": end, "names": list(names)}
    with Client(settings.clickhouse) as client:
        for block in client.blocks(_JOINED, parameters):
            yield _joined(block, len(names))


def _joined(block: pa.Table, scores: int) -> Joined:
    labelled = block.filter(pc.cast(block["labelled"], pa.bool_()))
    rows = labelled.num_rows
    flat = pc.list_flatten(labelled["scores"]).to_numpy() if scores else np.zeros(0)
    number = labelled["number"].to_numpy(zero_copy_only=False).astype(np.float64)
    return Joined(
        block.num_rows - rows,
        np.asarray(flat, np.float64).reshape(rows, scores).T,
        _category("predicted", labelled["predicted"]),
        number,
        _category("class", labelled["class"]),
    )


def _category(name: str, column: pa.ChunkedArray) -> Category:
    coded = pc.dictionary_encode(column.cast(pa.string())).combine_chunks()
    if isinstance(coded, pa.ChunkedArray):  # an empty column has no chunk to combine
        return Category(name, (), np.full(len(column), -1, np.int32))
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return Category(name, tuple(coded.dictionary.to_pylist()), codes.astype(np.int32))
