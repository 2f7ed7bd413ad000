"""Twenty kinds of bytes that are no batch of predictions, by what is wrong with them."""

from __future__ import annotations

import time

import numpy as np

from driftline.schemas import codec
from driftline.schemas.columns import (
    Identity,
    LabelColumns,
    NumericBlock,
    PredictionColumns,
    pack_labels,
    pack_predictions,
)

_ROWS = 3


def _batch(deployment: str = "churn", times_ms: list[int] | None = None) -> PredictionColumns:
    return PredictionColumns(
        deployment=deployment,
        model_version="1",
        slot="champion",
        rows=_ROWS,
        identity=Identity("rubbish", 1, 0),
        ids=np.arange(_ROWS * 16, dtype=np.uint8).reshape(_ROWS, 16),
        original_ids=None,
        times_ms=np.array(times_ms or [1_750_000_000_000] * _ROWS, np.int64),
        features=[NumericBlock(("age", "debt"), np.ones((2, _ROWS), np.float32))],
    )


def _record(**over: object) -> bytes:
    """A PredictionBatch whose fields are written as told, without the checks of `pack_predictions`."""
    _, record = codec.decode(pack_predictions(_batch()))
    return codec.encode("PredictionBatch", {**record, **over})


def _plain(**over: object) -> bytes:
    record = {
        "deployment": "churn",
        "model_version": "1",
        "id": "order-1",
        "time_ms": 1_750_000_000_000,
        "features": {"age": 1.0},
    }
    return codec.encode("Prediction", {**record, **over})


def _label() -> bytes:
    return pack_labels(
        LabelColumns(
            deployment="churn",
            rows=1,
            identity=None,
            ids=np.zeros((1, 16), np.uint8),
            original_ids=None,
            known_at_ms=np.array([1_750_000_000_000], np.int64),
            numbers=np.array([1.0]),
        )
    )


_GOOD = pack_predictions(_batch())
_BLOCK = {"dtype": "float32", "names": ["age"], "values": b"\0" * 4 * _ROWS}
_CATEGORY = {"name": "colour", "levels": ["red"], "codes": b"\x07" * _ROWS}

KINDS: dict[str, bytes] = {
    "nothing at all": b"",
    "text": b"hello, is this thing on?",
    "JSON": b'{"deployment": "churn", "age": 41}',
    "zeros": b"\0" * 64,
    "the marker alone": _GOOD[:2],
    "a schema nobody knows": b"\xc3\x01" + b"\xff" * 8 + _GOOD[10:],
    "cut in the middle": _GOOD[: len(_GOOD) // 2],
    "cut by one byte": _GOOD[:-1],
    "one byte too many": _GOOD + b"\0",
    "a label": _label(),
    "no rows": _record(rows=0),
    "more rows than ids": _record(rows=_ROWS + 1),
    "half an id": _record(ids=b"\0" * (16 * _ROWS - 8)),
    "times of another length": _record(time_deltas=b"\0" * 5),
    "a block too short": _record(features=[{**_BLOCK, "values": b"\0" * 4}]),
    "a feature named twice": _record(features=[{**_BLOCK, "names": ["a", "a"], "values": b"\0" * 8 * _ROWS}]),
    "a code without a level": _record(categories=[_CATEGORY]),
    "a deployment without a name": _record(deployment=""),
    "an event before 1970": _plain(time_ms=-1),
    "another deployment's key": pack_predictions(_batch("someone else's")),
    "an event of 2099": pack_predictions(
        _batch(times_ms=[1_750_000_000_000, 4_070_908_800_000, 1_750_000_000_000])
    ),
    "an event of next week": pack_predictions(
        _batch(times_ms=[1_750_000_000_000, 1_750_000_000_000, int(time.time() * 1000) + 7 * 86_400_000])
    ),
}
