"""Answers: what model versions said of the predictions of a window, and the labels in force, as columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from driftline.streams.advice.pairs import Labels, Said
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.settings import Settings

ROWS_MAX: Final = 2_000_000
"""Predictions of a window that are read; of more, an even share, chosen by their ids."""
CANDIDATES: Final = ("challenger", "shadow")
_SINCE: Final = "ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}"
_WINDOW: Final = f"deployment = {{deployment:String}} AND {_SINCE}"
_MODEL: Final = "model_version = {version:String} AND slot = {slot:String}"
_SHARE: Final = "cityHash64(prediction_id) % {share:UInt32} = 0"


def candidates(
    settings: Settings, deployment: str, version: str, since_ms: int, until_ms: int
) -> list[tuple[str, str]]:
    """Give (version, slot) of the other models that answered as challenger or shadow, most predictions first.

    Raises:
        ClickHouseError: the server is away or refuses; so do the functions below.
    """
    with Client(settings.clickhouse) as client:
        rows = client.query(
            "SELECT model_version, slot, count() AS n FROM predictions "
            f"WHERE {_WINDOW} AND slot IN {{slots:Array(String)}} AND model_version != {{version:String}} "
            "GROUP BY model_version, slot ORDER BY n DESC, model_version, slot",
            {**_span(deployment, since_ms, until_ms), "version": version, "slots": list(CANDIDATES)},
        )
    return [(str(row["model_version"]), str(row["slot"])) for row in rows]


def share_of(
    settings: Settings, deployment: str, version: str, slot: str, since_ms: int, until_ms: int
) -> int:
    """Give s so that one of s predictions of a model in a span is read."""
    with Client(settings.clickhouse) as client:
        rows = client.query(
            f"SELECT count() AS n FROM predictions WHERE {_WINDOW} AND {_MODEL}",
            _model(deployment, version, slot, since_ms, until_ms),
        )
    return max(1, -(-int(rows[0]["n"]) // ROWS_MAX))


def said(
    settings: Settings, deployment: str, version: str, slot: str, since_ms: int, until_ms: int, share: int
) -> Said:
    """Give what a model answered to events of a span; an id that was predicted again counts as it was first."""
    with Client(settings.clickhouse) as client:
        table = client.table(
            "SELECT prediction_id, tupleElement(first, 1) AS ts_ms, tupleElement(first, 2) AS score_names, "
            "tupleElement(first, 3) AS scores, tupleElement(first, 4) AS predicted FROM ("
            "SELECT prediction_id, argMin(tuple(toUnixTimestamp64Milli(ts), toString(score_names), scores, "
            "CAST(predicted AS Nullable(String))), tuple(src_partition, src_offset)) AS first "
            f"FROM predictions WHERE {_WINDOW} AND {_MODEL} AND {_SHARE} GROUP BY prediction_id)",
            {**_model(deployment, version, slot, since_ms, until_ms), "share": share},
        )
    levels, codes = _coded(table["predicted"])
    return Said(_ids(table), table["ts_ms"].to_numpy(), _scores(table), levels, codes)


def labels(
    settings: Settings, deployment: str, version: str, slot: str, since_ms: int, until_ms: int, share: int
) -> Labels:
    """Give the labels in force of a model's predictions in a span; withdrawn ones are left out."""
    with Client(settings.clickhouse) as client:
        table = client.table(
            "SELECT prediction_id, tupleElement(winner, 1) AS number, tupleElement(winner, 2) AS class FROM ("
            "SELECT prediction_id, argMax(tuple(number, CAST(class AS Nullable(String)), withdrawn), "
            "tuple(known_at, src_offset, src_row)) AS winner FROM labels "
            f"WHERE deployment = {{deployment:String}} AND {_SHARE} AND prediction_id IN ("
            f"SELECT prediction_id FROM predictions WHERE {_WINDOW} AND {_MODEL} AND {_SHARE}) "
            "GROUP BY prediction_id) WHERE NOT tupleElement(winner, 3)",
            {**_model(deployment, version, slot, since_ms, until_ms), "share": share},
        )
    levels, codes = _coded(table["class"])
    number = pc.fill_null(table["number"], float("nan")).to_numpy()
    return Labels(_ids(table), np.asarray(number, np.float64), levels, codes)


def _span(deployment: str, since_ms: int, until_ms: int) -> dict[str, Any]:
    return {
        "deployment": deployment,
        "since": datetime.fromtimestamp(since_ms / 1000, UTC),
        "until": datetime.fromtimestamp(until_ms / 1000, UTC),
    }


def _model(deployment: str, version: str, slot: str, since_ms: int, until_ms: int) -> dict[str, Any]:
    return {**_span(deployment, since_ms, until_ms), "version": version, "slot": slot}


def _ids(table: pa.Table) -> np.ndarray:
    """Give the ids as uint8 (n, 16)."""
    column = table["prediction_id"].combine_chunks().cast(pa.binary(16))
    if not len(column):
        return np.zeros((0, 16), np.uint8)
    buffer = column.buffers()[1]
    flat = np.frombuffer(buffer, np.uint8, count=16 * (column.offset + len(column)))
    return flat.reshape(-1, 16)[column.offset :].copy()


def _coded(column: pa.ChunkedArray) -> tuple[tuple[str, ...], np.ndarray]:
    """Give the distinct texts and int64 codes, -1 for null."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return tuple(encoded.dictionary.to_pylist()), codes


def _scores(table: pa.Table) -> Mapping[str, np.ndarray]:
    """Give each score by name, float64 (n,), NaN where a row has none; batches may carry different scores."""
    names, codes = _coded(table["score_names"])
    values = table["scores"].combine_chunks()
    found: dict[str, np.ndarray] = {}
    for code, text in enumerate(names):
        rows = np.flatnonzero(codes == code)
        of = msgspec.json.decode(text, type=list[str]) if text else []
        if not of:
            continue
        flat = np.asarray(values.take(pa.array(rows)).flatten().to_numpy(zero_copy_only=False), np.float64)
        for at, name in enumerate(of):
            column = found.setdefault(name, np.full(len(codes), np.nan))
            column[rows] = flat.reshape(len(rows), len(of))[:, at]
    return found
