"""What packs reads back, and what breaks a rule is refused with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from driftline.schemas import codec
from driftline.schemas.columns import (
    Category,
    Gap,
    Identity,
    LabelColumns,
    NumericBlock,
    PredictionColumns,
    pack_labels,
    pack_predictions,
    read_labels,
    read_predictions,
)
from driftline.schemas.refusal import Refused

Predictions = Callable[..., PredictionColumns]
Labels = Callable[..., LabelColumns]
NO_ROW = np.zeros(3, np.bool_)


def test_every_column_comes_back(predictions: Predictions) -> None:
    """Each column of a batch is read as it was packed: values, types, order, seal, ids."""
    cols = predictions()
    back = read_predictions(pack_predictions(cols))
    assert (back.deployment, back.model_version, back.slot) == ("arrivals", "2013-03", "champion")
    assert back.identity == cols.identity
    assert back.original_ids == cols.original_ids
    for name in ("ids", "times_ms", "latency_ms"):
        np.testing.assert_array_equal(getattr(back, name), getattr(cols, name), strict=True)
    for mine, other in zip([*cols.features, *cols.scores], [*back.features, *back.scores], strict=True):
        assert mine.names == other.names
        np.testing.assert_array_equal(mine.values, other.values, strict=True)
    one = [*cols.categories, *cols.segments, cols.predicted, cols.status]
    two = [*back.categories, *back.segments, back.predicted, back.status]
    for mine, other in zip(one, two, strict=True):
        assert mine is not None
        assert other is not None
        assert (mine.name, mine.levels) == (other.name, other.levels)
        np.testing.assert_array_equal(mine.codes, other.codes, strict=True)
    assert [gap.name for gap in back.gaps] == ["temp", "carrier"]
    np.testing.assert_array_equal(back.gaps[0].nulls, cols.gaps[0].nulls)
    np.testing.assert_array_equal(back.gaps[0].wrong, cols.gaps[0].wrong)
    assert back.gaps[1].nulls is None


def test_numbers_are_read_in_place(predictions: Predictions) -> None:
    """Blocks and ids share memory with the message and are read-only; nothing is copied."""
    back = read_predictions(pack_predictions(predictions()))
    assert not back.features[0].values.flags.writeable
    assert not back.ids.flags.writeable
    assert back.features[0].values.flags.c_contiguous


def test_labels_come_back(labels: Labels) -> None:
    """A number, a class and a withdrawal in one batch are read as they were packed."""
    cols = labels()
    back = read_labels(pack_labels(cols))
    assert (back.deployment, back.identity, back.rows) == (cols.deployment, cols.identity, 3)
    np.testing.assert_array_equal(back.known_at_ms, cols.known_at_ms, strict=True)
    np.testing.assert_array_equal(back.numbers, cols.numbers)
    np.testing.assert_array_equal(back.withdrawn, cols.withdrawn)
    assert back.classes is not None
    assert back.classes.codes.tolist() == [-1, 0, -1]


@pytest.mark.parametrize("count", [255, 256, 65_535, 65_536])
def test_codes_of_every_width_keep_null_apart(predictions: Predictions, count: int) -> None:
    """At each border of the code widths the last level and null stay two things."""
    levels = tuple(str(level) for level in range(count))
    codes = np.array([count - 1, -1, 0], np.int32)
    cols = predictions(categories=[Category("x", levels, codes)], gaps=[])
    back = read_predictions(pack_predictions(cols)).categories[0]
    assert back.codes.tolist() == codes.tolist()
    assert back.levels == levels


def test_times_a_century_apart_are_exact(predictions: Predictions) -> None:
    """Deltas widen to 8 bytes when a batch spans more than 24 days."""
    times = np.array([0, 7_258_118_399_999, 1], np.int64)
    assert read_predictions(pack_predictions(predictions(times_ms=times))).times_ms.tolist() == times.tolist()


def block(*names: str, dtype: type = np.float32, rows: int = 3) -> NumericBlock:
    """Return a block of zeros."""
    return NumericBlock(names, np.zeros((len(names), rows), dtype))


def category(name: str, *codes: int, levels: tuple[str, ...] = ("a", "b")) -> Category:
    """Return a category with the given codes."""
    return Category(name, levels, np.array(codes, np.int32))


PREDICTION_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"deployment": ""}, "impossible_value", "it is empty"),
    ({"deployment": "a/b"}, "impossible_value", 'a "/"'),
    ({"deployment": "a\nb"}, "impossible_value", "does not print"),
    ({"model_version": "v" * 201}, "impossible_value", "201 characters"),
    ({"slot": " champion"}, "impossible_value", "slot"),
    ({"rows": 0}, "bad_shape", "0 rows"),
    ({"rows": 65_537}, "too_large", "65,537 rows"),
    ({"rows": 4, "original_ids": None}, "bad_shape", "times_ms"),
    ({"identity": Identity("", 0, 0)}, "impossible_value", "instance"),
    ({"identity": Identity("host", 0, -1)}, "impossible_value", "seq -1"),
    ({"ids": np.zeros((3, 15), np.uint8)}, "bad_shape", "ids"),
    ({"original_ids": ["a"]}, "bad_shape", "1 original ids for 3 rows"),
    ({"original_ids": ["a", "", None]}, "impossible_value", "original id 1 is empty"),
    ({"times_ms": np.array([-1, 0, 1], np.int64)}, "impossible_value", "-1 ms"),
    ({"times_ms": np.array([0, 7_258_118_400_000, 1], np.int64)}, "impossible_value", "7258118400000"),
    ({"times_ms": np.zeros(3, np.float64)}, "unsupported_type", "float64"),
    ({"features": [block("a", "a")], "gaps": []}, "bad_shape", "'a' stands twice"),
    ({"features": [block("carrier")], "gaps": []}, "bad_shape", "'carrier' stands twice"),
    ({"features": [block("a"), block("b")], "gaps": []}, "bad_shape", "two blocks of one width"),
    ({"features": [block()], "gaps": []}, "bad_shape", "without names"),
    ({"features": [block("")], "gaps": []}, "impossible_value", "feature name '' is no name"),
    ({"features": [block("a", rows=2)], "gaps": []}, "bad_shape", "(1, 2)"),
    ({"features": [block("a", dtype=np.int64)], "gaps": []}, "unsupported_type", "int64"),
    ({"features": [block(*map(str, range(4_097)), rows=3)], "gaps": []}, "too_large", "4,098 feature"),
    ({"categories": [category("c", 0, 1, 2)], "gaps": []}, "bad_shape", "code 2 and only 2 levels"),
    ({"categories": [category("c", 0, 0, -2)], "gaps": []}, "bad_shape", "null is -1"),
    ({"categories": [category("c", 0, 0, 0, levels=("a", "a"))], "gaps": []}, "bad_shape", "a level twice"),
    ({"categories": [category("c", 0, 0)], "gaps": []}, "bad_shape", "(2,)"),
    (
        {"categories": [category("c", 0, 0, 0, levels=("\ud800",))], "gaps": []},
        "unsupported_type",
        "surrogate",
    ),
    ({"segments": [category("s", 0, 0, 0), category("s", 0, 0, 0)]}, "bad_shape", "segment"),
    ({"scores": [block("s"), block("s", dtype=np.float64)]}, "bad_shape", "score"),
    ({"latency_ms": np.zeros(3)}, "unsupported_type", "latency_ms"),
    ({"gaps": [Gap("nowhere", None, None)]}, "bad_shape", "no feature and no score"),
    ({"gaps": [Gap("temp", None, None), Gap("temp", None, None)]}, "bad_shape", "gap"),
    ({"gaps": [Gap("temp", np.array([1, 0, 0], np.bool_), None)]}, "bad_shape", "has a value in a row"),
    ({"gaps": [Gap("carrier", np.array([1, 0, 0], np.bool_), None)]}, "bad_shape", "has a value in a row"),
    ({"gaps": [Gap("temp", ~NO_ROW, ~NO_ROW)]}, "bad_shape", "both null and wrong"),
    ({"gaps": [Gap("temp", np.zeros(2, np.bool_), None)]}, "bad_shape", "nulls of 'temp'"),
]


@pytest.mark.parametrize(("fields", "reason", "words"), PREDICTION_FAULTS)
def test_a_broken_batch_is_refused(
    predictions: Predictions, fields: dict[str, Any], reason: str, words: str
) -> None:
    """Packing refuses what a reader would: the dead letter's reason, and a sentence that names the fault."""
    with pytest.raises(Refused) as found:
        pack_predictions(predictions(**fields))
    assert found.value.reason == reason
    assert words in found.value.detail


LABEL_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"withdrawn": None}, "impossible_value", "label 2 has 0"),
    ({"numbers": np.array([14.0, 1.0, np.nan])}, "impossible_value", "label 1 has 2"),
    ({"numbers": np.array([14.0, np.nan, 1.0])}, "impossible_value", "label 2 has 2"),
    ({"numbers": np.zeros(3, np.float32)}, "unsupported_type", "numbers"),
    ({"known_at_ms": np.array([-5, 0, 0], np.int64)}, "impossible_value", "-5 ms"),
    ({"deployment": "a/b"}, "impossible_value", "deployment"),
    ({"identity": Identity("host", -1, 0)}, "impossible_value", "epoch -1"),
]


@pytest.mark.parametrize(("fields", "reason", "words"), LABEL_FAULTS)
def test_a_broken_label_is_refused(labels: Labels, fields: dict[str, Any], reason: str, words: str) -> None:
    """Each label has exactly one truth or is withdrawn; anything else is refused."""
    with pytest.raises(Refused) as found:
        pack_labels(labels(**fields))
    assert found.value.reason == reason
    assert words in found.value.detail


WIRE_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"rows": 2}, "bad_shape", "codes for 2 rows"),
    ({"rows": -1}, "bad_shape", "-1 rows"),
    ({"rows": 2**31 - 1}, "too_large", "rows"),
    ({"ids": b"short"}, "bad_shape", "ids"),
    ({"time_deltas": bytes(3)}, "bad_shape", "3 bytes of deltas"),
    ({"time_deltas": bytes(13)}, "bad_shape", "13 bytes of deltas"),
    ({"time_base_ms": -(2**63)}, "impossible_value", "outside 1970"),
    ({"time_base_ms": 2**63 - 1, "time_deltas": b"\xff" * 24}, "impossible_value", "outside 1970"),
    ({"latency_ms": bytes(11)}, "bad_shape", "latency_ms"),
    ({"features": [{"dtype": "float32", "names": ["a"], "values": bytes(13)}]}, "bad_shape", "float32 block"),
    ({"gaps": [{"name": "temp", "nulls": b"12", "wrong": b""}]}, "bad_shape", "nulls of 'temp'"),
    ({"categories": [{"name": "c", "levels": ["a"], "codes": bytes(9)}]}, "bad_shape", "9 bytes of codes"),
    ({"categories": [{"name": "c", "levels": ["a"], "codes": bytes(4)}]}, "bad_shape", "4 bytes of codes"),
    ({"categories": [{"name": "c", "levels": ["a"], "codes": b""}]}, "bad_shape", "0 bytes of codes"),
    ({"categories": [{"name": "c", "levels": [], "codes": b"\xff\xff\x00"}]}, "bad_shape", "code 0"),
    ({"categories": [{"name": "c", "levels": [], "codes": b"\xfe" + bytes(11)}]}, "bad_shape", "only 0"),
]


@pytest.mark.parametrize(("fields", "reason", "words"), WIRE_FAULTS)
def test_a_broken_message_is_refused(
    predictions: Predictions, fields: dict[str, Any], reason: str, words: str
) -> None:
    """A message that decodes and whose columns do not fit is refused whole."""
    record_type, record = codec.decode(pack_predictions(predictions()))
    with pytest.raises(Refused) as found:
        read_predictions(codec.encode(record_type, record | fields))
    assert found.value.reason == reason
    assert words in found.value.detail


def test_columns_of_different_code_widths_are_read(predictions: Predictions) -> None:
    """A producer may code one column in bytes and another in words."""
    record_type, record = codec.decode(pack_predictions(predictions(gaps=[])))
    wide = np.array([1, 2**32 - 1, 0], "<u4").tobytes()
    record["categories"].append({"name": "dest", "levels": ["IAH", "MIA"], "codes": wide})
    back = read_predictions(codec.encode(record_type, record))
    assert [column.codes.tolist() for column in back.categories] == [[1, -1, 0], [1, -1, 0]]


def test_one_kind_of_record_is_no_other(predictions: Predictions, labels: Labels) -> None:
    """Labels among predictions, and predictions among labels, are refused as of an unsupported type."""
    for read, data in (
        (read_predictions, pack_labels(labels())),
        (read_labels, pack_predictions(predictions())),
    ):
        with pytest.raises(Refused) as found:
            read(data)
        assert found.value.reason == "unsupported_type"


def test_a_batch_past_the_bound_is_refused(predictions: Predictions) -> None:
    """More than 1,000,000 bytes are refused where they are packed, before the broker sees them."""
    rows = 60_000
    cols = predictions(
        rows=rows,
        ids=np.zeros((rows, 16), np.uint8),
        original_ids=None,
        times_ms=np.zeros(rows, np.int64),
        features=[],
        categories=[],
        gaps=[],
        scores=[],
        predicted=None,
        segments=[],
        latency_ms=None,
        status=None,
    )
    with pytest.raises(Refused) as found:
        pack_predictions(cols)
    assert found.value.reason == "too_large"
