"""What `log` and its kin make of what an application gives: columns, kinds, gaps, treatments, and what they refuse."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emit_fakes import columns_of, levels_of, sink

from driftline.agents.emit import hashed
from driftline.schemas.ids import id_of


def test_a_dict_may_change_after_log(tmp_path: Path) -> None:
    """The values of the moment of the call travel, whatever the caller does with its dict afterwards."""
    with sink(tmp_path) as out:
        features = {"a": 1.0, "b": 2.0}
        segments, scores = {"tier": "x"}, {"p": 0.5}
        for at in range(3):
            features["a"] = float(at)
            segments["tier"], scores["p"] = f"t{at}", at / 4
            out.emitter.log(features, scores, segments=segments)
        features.clear()
        batch = out.batch()
    assert columns_of(batch) == {"a": [0, 1, 2], "b": [2, 2, 2]}
    assert levels_of(batch.segments[0]) == ["t0", "t1", "t2"]
    assert batch.scores[0].values.tolist() == [[0, 0.25, 0.5]]


def test_the_order_of_keys_does_not_matter(tmp_path: Path) -> None:
    """Dicts with the same keys in another order fill the same columns."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": 1.0, "b": 2.0})
        out.emitter.log({"b": 4.0, "a": 3.0})
        assert columns_of(out.batch()) == {"a": [1, 3], "b": [2, 4]}


def test_a_key_that_is_missing_is_null(tmp_path: Path) -> None:
    """Events with different keys travel in one batch; what an event lacks is null in it."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": 1.0})
        out.emitter.log({"b": "x"})
        out.emitter.log({"a": 2.0, "b": "y"})
        assert columns_of(out.batch()) == {"a": [1, None, 2], "b": [None, "x", "y"]}


def test_the_first_value_decides_what_a_column_is(tmp_path: Path) -> None:
    """A number or a category by its first value, for good: later values of another type are wrong, not refused."""
    with sink(tmp_path, batch_rows=2) as out:
        rows: list[dict[str, Any]] = [
            {"n": 1, "c": "x", "b": True},
            {"n": "7", "c": 7, "b": False},
            {"n": None, "c": None, "b": None},
            {"n": [1], "c": [1], "b": {}},
        ]
        for row in rows:
            out.emitter.log(row)
        first, second = out.batches()
        assert out.stats().dropped == {}
    assert columns_of(first) == {"n": [1, "?"], "c": ["x", "?"], "b": ["true", "false"]}
    assert columns_of(second) == {"n": [None, "?"], "c": [None, "?"], "b": [None, "?"]}


@pytest.mark.parametrize(
    ("value", "travels"),
    [
        (3, 3.0),
        (2.5, 2.5),
        (np.float32(0.5), 0.5),
        (np.int64(-4), -4.0),
        (decimal.Decimal("1.25"), 1.25),
        (dt.datetime(1970, 1, 2, tzinfo=dt.UTC), 86_400.0),
        (dt.date(1970, 1, 2), 86_400.0),
        (np.datetime64("1970-01-01T00:01"), 60.0),
        (dt.timedelta(minutes=1), 60.0),
        (math.inf, math.inf),
    ],
)
def test_what_counts_as_a_number(tmp_path: Path, value: object, travels: float) -> None:
    """Python's and numpy's numbers, decimals, times (seconds since 1970) and spans (seconds) are numbers."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": value})
        assert columns_of(out.batch()) == {"a": [travels]}


def test_a_nan_is_a_value_and_none_is_null(tmp_path: Path) -> None:
    """NaN travels as NaN without a gap, None with a null gap."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": math.nan})
        out.emitter.log({"a": None})
        batch = out.batch()
    assert np.isnan(batch.features[0].values).all()
    assert batch.gaps[0].nulls.tolist() == [False, True]


def test_great_integers_make_a_column_double(tmp_path: Path) -> None:
    """From its first integer beyond 2^24 on a column is float64; a float as great leaves it float32; names may ask."""
    with sink(tmp_path, batch_rows=1, float64=("asked",)) as out:
        for value in (1, 2**24 + 1, 2):
            out.emitter.log({"int": value, "float": value * 1.5, "asked": 0.1})
        batches = out.batches()
    widths = [
        {name: str(block.values.dtype) for block in batch.features for name in block.names}
        for batch in batches
    ]
    assert [width["int"] for width in widths] == ["float32", "float64", "float64"]
    assert {width["float"] for width in widths} == {"float32"}
    assert {width["asked"] for width in widths} == {"float64"}
    assert columns_of(batches[1])["int"] == [2**24 + 1]


def test_columns_by_treatment(tmp_path: Path) -> None:
    """Dropped columns never leave, hashed ones travel as keyed digests, counters_only ones are named as such."""
    columns = {"gone": "drop", "secret": "hashed", "quiet": "counters_only", "region": "counters_only"}
    with sink(tmp_path, columns=columns, salt="pepper") as out:
        out.emitter.log(
            {"a": 1.0, "gone": "private", "secret": "me@example.org", "quiet": 5}, segments={"region": "x"}
        )
        out.emitter.log({"a": 2.0, "gone": "private", "secret": 7, "quiet": 6})
        batch = out.batch()
    assert columns_of(batch) == {
        "a": [1, 2],
        "secret": [hashed("me@example.org", b"pepper"), hashed("7", b"pepper")],
        "quiet": [5, 6],
    }
    assert set(batch.counters_only) == {"quiet", "region"}
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*.seg"))
    assert b"private" not in on_disk
    assert b"example.org" not in on_disk


def test_a_dropped_column_among_events_that_look_alike(tmp_path: Path) -> None:
    """An event with as many keys as the one before, one of them to be dropped, leaves that one here."""
    with sink(tmp_path, columns={"gone": "drop"}) as out:
        out.emitter.log({"a": 1.0, "b": 1.0})
        out.emitter.log({"a": 2.0, "gone": 3.0})
        out.emitter.log({"gone": 3.0, "b": 4.0})
        assert columns_of(out.batch()) == {"a": [1, 2, None], "b": [1, None, 4]}


def test_hashes_are_keyed() -> None:
    """A hash depends on its key, and is the same everywhere: HMAC-SHA256, or SHA-256 without a key, 128 bits."""
    assert hashed("x", None) == "2d711642b726b04401627ca9fbac32f5"
    assert len({hashed("x", None), hashed("x", b"a"), hashed("x", b"b")}) == 3


def test_declared_categories_take_any_value(tmp_path: Path) -> None:
    """A column that is declared categorical turns numbers into levels: whole ones without a point."""
    with sink(tmp_path, categorical=("zip",)) as out:
        for value in (1011, 1011.0, "1011", True, None, 0.5):
            out.emitter.log({"zip": value})
        assert columns_of(out.batch())["zip"] == ["1011", "1011", "1011", "true", None, "0.5"]


def test_ids_are_those_that_were_given(tmp_path: Path) -> None:
    """The application's own ids are hashed and kept, bytes and UUIDs stay as they are, others are made."""
    own = uuid.uuid4()
    with sink(tmp_path) as out:
        keys = [out.emitter.log({"a": 1.0}, id=given) for given in ("order", 17, own, own.bytes)]
        keys += [out.emitter.log({"a": 1.0}) for _ in range(1_000)]
        batches = out.batches()
    assert keys[:4] == [id_of("order"), id_of("17"), own.bytes, own.bytes]
    assert len(set(keys[4:])) == 1_000
    travelled = [bytes(key) for batch in batches for key in batch.ids]
    assert travelled[4:] == keys[4:]
    assert batches[0].original_ids[:5] == ["order", "17", None, None, None]


def test_times_are_those_that_were_given(tmp_path: Path) -> None:
    """Aware datetimes and ms travel as they are; without one it is the emitter's clock."""
    with sink(tmp_path, clock=lambda: 1_700_000_000.25) as out:
        out.emitter.log(
            {"a": 1.0},
            at=dt.datetime(2001, 2, 3, 4, 5, 6, 789_999, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        )
        out.emitter.log({"a": 1.0}, at=5)
        out.emitter.log({"a": 1.0}, at=np.datetime64("1970-01-01T00:00:01"))
        out.emitter.log({"a": 1.0})
        assert out.batch().times_ms.tolist() == [981_169_506_789, 5, 1_000, 1_700_000_000_250]


def test_numpy_rows(tmp_path: Path) -> None:
    """Rows of float32, float64 and integers fill the named columns; the array may change afterwards."""
    with sink(tmp_path, features=("a", "b", "c"), columns={"b": "drop"}) as out:
        row = np.array([1.0, 2.0, 3.0])
        out.emitter.log(row)
        row[:] = 0
        out.emitter.log(np.array([4, 5, 6], np.float32))
        out.emitter.log(np.array([7, 8, 9]))
        out.emitter.log(np.arange(12.0)[::4])
        out.emitter.log(np.zeros(4))
        out.emitter.log(np.array(["x", "y", "z"]))
        assert columns_of(out.batch()) == {"a": [1, 4, 7, 0], "c": [3, 6, 9, 8]}
        assert out.stats().dropped == {"invalid": 2}


def test_predicted_classes_are_texts(tmp_path: Path) -> None:
    """Classes travel as texts, whole numbers without a point, so that 1 and 1.0 are one class."""
    with sink(tmp_path) as out:
        for value in ("yes", 1, 1.0, np.int64(1), True, None, [1]):
            out.emitter.log({"a": 1.0}, predicted=value)  # type: ignore[arg-type]
        assert levels_of(out.batch().predicted) == ["yes", "1", "1", "1", "true", None, None]


def test_scores_by_name_and_one_alone(tmp_path: Path) -> None:
    """A single score is named `score`; several go by their names; what an event lacks is null in it."""
    with sink(tmp_path) as out:
        out.emitter.log({"a": 1.0}, 0.5)
        out.emitter.log({"a": 1.0}, {"p_low": 0.25, "p_high": 0.75})
        out.emitter.log({"a": 1.0})
        batch = out.batch()
    (block,) = batch.scores
    assert block.names == ("score", "p_low", "p_high")
    assert np.array_equal(np.isnan(block.values).T, [[False, True, True], [True, False, False], [True] * 3])
    assert {gap.name for gap in batch.gaps} == set(block.names)


def test_a_score_named_like_a_feature(tmp_path: Path) -> None:
    """A score may bear the name of a feature, gaps in both: the batch keeps the contract."""
    with sink(tmp_path) as out:
        out.emitter.log({"x": None}, {"x": 0.5})
        out.emitter.log({"x": 1.0})
        batch = out.batch()
    assert columns_of(batch)["x"] == [None, 1]
    assert np.isnan(batch.scores[0].values[0]).tolist() == [False, True]


def test_labels(tmp_path: Path) -> None:
    """Texts and booleans are classes, numbers are numbers, withdrawals have neither; what is none is invalid."""
    with sink(tmp_path) as out:
        out.emitter.label("order", "fraud", known_at=1_000)
        out.emitter.label(b"0123456789abcdef", 2)
        out.emitter.label("order", value=True)
        out.emitter.label("order", withdrawn=True)
        out.emitter.label_many(["x", "y"], [1.5, "no"], known_at=[1, 2])
        for value in (None, math.nan, [1]):
            out.emitter.label("order", value)
        out.emitter.label("order", 1.0, withdrawn=True)
        out.emitter.label_many(["x"], [1, 2])
        (batch,) = out.batches(labels=True)
        stats = out.stats()
    assert [bytes(key) for key in batch.ids[:2]] == [id_of("order"), b"0123456789abcdef"]
    assert levels_of(batch.classes) == ["fraud", None, "true", None, None, "no"]
    assert [None if math.isnan(one) else one for one in batch.numbers] == [None, 2, None, None, 1.5, None]
    assert batch.withdrawn.tolist() == [False, False, False, True, False, False]
    assert batch.known_at_ms.tolist()[-2:] == [1, 2]
    assert stats.topics["labels"].dropped == {"invalid": 5}
    assert stats.topics["predictions"].enqueued == 0
