"""Plain records become the same columns as batches, one row each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from driftline.schemas import codec
from driftline.schemas.columns import pack_predictions, read_labels, read_predictions
from driftline.schemas.ids import id_of
from driftline.schemas.refusal import Refused

PREDICTION: dict[str, Any] = {
    "deployment": "arrivals",
    "model_version": "2013-03",
    "id": "UA-1545",
    "time_ms": 1_364_774_400_000,
    "features": {"temp": 39.02, "hour": 5, "rain": False, "carrier": "UA", "gust": None},
    "scores": {"late": 0.25, "early": None},
    "predicted": "on time",
    "segments": {"origin": "EWR", "tier": None},
    "latency_ms": 1.5,
    "status": "ok",
}


def test_a_prediction_becomes_columns_of_one_row() -> None:
    """Numbers become float64, strings and booleans categories, nulls gaps; the identity stays unknown."""
    cols = read_predictions(codec.encode("Prediction", PREDICTION))
    assert (cols.rows, cols.identity, cols.slot) == (1, None, "champion")
    assert cols.features[0].names == ("temp", "hour", "gust")
    assert cols.features[0].values.dtype == np.float64
    np.testing.assert_array_equal(cols.features[0].values, [[39.02], [5.0], [np.nan]])
    assert [(column.name, column.levels) for column in cols.categories] == [
        ("rain", ("false",)),
        ("carrier", ("UA",)),
    ]
    assert [gap.name for gap in cols.gaps] == ["gust", "early"]
    assert cols.segments[1].codes.tolist() == [-1]
    assert cols.latency_ms is not None
    assert cols.latency_ms.dtype == np.float32


def test_a_plain_prediction_packs_as_a_batch() -> None:
    """The columns of a plain prediction keep the rules of a batch, so they can be packed again."""
    cols = read_predictions(codec.encode("Prediction", PREDICTION))
    again = read_predictions(pack_predictions(cols))
    assert again.original_ids == ["UA-1545"]
    assert again.ids.tobytes() == id_of("UA-1545")


def test_an_id_of_sixteen_bytes_is_kept() -> None:
    """Sixteen bytes are the id itself, with no original beside."""
    cols = read_predictions(codec.encode("Prediction", PREDICTION | {"id": bytes(range(16))}))
    assert cols.ids.tobytes() == bytes(range(16))
    assert cols.original_ids is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"time_ms": -1}, "impossible_value"),
        ({"time_ms": 4_070_908_800_000 * 2}, "impossible_value"),
        ({"deployment": "a/b"}, "impossible_value"),
        ({"id": ""}, "impossible_value"),
        ({"features": {"": 1.0}}, "impossible_value"),
        ({"features": {str(n): 1.0 for n in range(4_097)}}, "too_large"),
    ],
)
def test_an_impossible_prediction_is_refused(fields: dict[str, Any], reason: str) -> None:
    """The rules of batches hold for plain records too."""
    with pytest.raises(Refused) as found:
        read_predictions(codec.encode("Prediction", PREDICTION | fields))
    assert found.value.reason == reason


@pytest.mark.parametrize(
    ("value", "number", "label"),
    [
        (14.5, 14.5, None),
        (3, 3.0, None),
        (True, None, "true"),
        ("late", None, "late"),
        (np.inf, np.inf, None),
    ],
)
def test_a_label_becomes_columns_of_one_row(value: object, number: float | None, label: str | None) -> None:
    """A number fills `numbers`; a string or a boolean fills `classes`."""
    record = {"deployment": "arrivals", "id": "UA-1545", "known_at_ms": 5, "value": value}
    cols = read_labels(codec.encode("Label", record))
    assert (None if cols.numbers is None else cols.numbers.tolist()) == (None if number is None else [number])
    assert (cols.classes.levels if cols.classes else None) == (None if label is None else (label,))
    assert cols.withdrawn is None


def test_a_withdrawn_label_has_no_value() -> None:
    """A withdrawal carries null, and a null without withdrawal is refused."""
    record: dict[str, Any] = {"deployment": "arrivals", "id": "UA-1545", "known_at_ms": 5, "value": None}
    cols = read_labels(codec.encode("Label", record | {"withdrawn": True}))
    assert cols.withdrawn is not None
    assert cols.withdrawn.tolist() == [True]
    for wrong in (record, record | {"value": 1.0, "withdrawn": True}, record | {"value": np.nan}):
        with pytest.raises(Refused) as found:
            read_labels(codec.encode("Label", wrong))
        assert found.value.reason == "impossible_value"
