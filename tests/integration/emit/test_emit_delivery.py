"""What an application logs lies on the topics, value for value, and the books say so."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from emit_rig import Topics

from driftline.agents.emit import Emitter
from driftline.schemas.ids import id_of
from driftline.schemas.partition import partition_of


def numbers(batches: list[Any], name: str) -> list[float]:
    """The values of one numeric column over all batches."""
    found: list[float] = []
    for batch in batches:
        for block in batch.features:
            if name in block.names:
                found += block.values[block.names.index(name)].tolist()
    return found


def test_what_is_logged_is_what_is_read(topics: Topics) -> None:
    """Values, ids, times, classes, segments and labels arrive as they were given, in the order of the calls."""
    at = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    with Emitter("fraud", "7", settings=topics.settings) as emitter:
        first = emitter.log(
            {"amount": 12.5, "country": "NL", "prior": None},
            0.25,
            predicted="ok",
            latency_ms=3.5,
            status="done",
            segments={"tier": "gold"},
            at=at,
            id="order-1",
        )
        second = emitter.log({"amount": 2**24 + 1, "country": "BE", "prior": 4}, 0.75, at=1_700_000_000_123)
        emitter.label(first, "fraud", known_at=at)
        emitter.label("order-2", 3.5)
        assert emitter.flush(180)
        stats = emitter.stats()
    assert (stats.enqueued, stats.delivered, stats.in_flight, dict(stats.dropped)) == (4, 4, 0, {})
    (batch,) = topics.batches()
    assert (batch.deployment, batch.model_version, batch.slot, batch.rows) == ("fraud", "7", "champion", 2)
    assert [bytes(key) for key in batch.ids] == [first, second] == [id_of("order-1"), second]
    assert batch.original_ids == ["order-1", None]
    assert batch.times_ms.tolist() == [1_714_564_800_000, 1_700_000_000_123]
    columns = {
        name: row for block in batch.features for name, row in zip(block.names, block.values, strict=True)
    }
    assert columns["amount"].dtype == np.float64
    assert columns["amount"].tolist() == [12.5, 2**24 + 1]
    assert columns["prior"].dtype == np.float32
    assert columns["prior"][1] == 4
    (gap,) = batch.gaps
    assert (gap.name, gap.nulls.tolist(), gap.wrong) == ("prior", [True, False], None)
    (country,) = batch.categories
    assert [country.levels[code] for code in country.codes] == ["NL", "BE"]
    assert batch.scores[0].values.tolist() == [[0.25, 0.75]]
    assert (batch.predicted.levels, batch.predicted.codes.tolist()) == (("ok",), [0, -1])
    assert (batch.segments[0].levels, batch.segments[0].codes.tolist()) == (("gold",), [0, -1])
    assert batch.latency_ms[0] == 3.5
    assert np.isnan(batch.latency_ms[1])
    (labels,) = topics.batches("labels")
    assert [bytes(key) for key in labels.ids] == [first, id_of("order-2")]
    assert (labels.classes.levels, labels.numbers[1]) == (("fraud",), 3.5)
    assert labels.known_at_ms[0] == 1_714_564_800_000


def test_a_thousand_columns_wide_batch_is_cut_and_whole(topics: Topics) -> None:
    """Rows of 1,500 features, 3 MB a batch of 500, travel in several smaller batches and none is lost."""
    matrix = np.arange(500 * 1_500, dtype=np.float32).reshape(500, 1_500)
    with Emitter("wide", "1", settings=topics.settings) as emitter:
        emitter.log_many(matrix, names=[f"f{at}" for at in range(1_500)])
        assert emitter.flush(180)
        assert emitter.stats().delivered == 500
    batches = topics.batches()
    assert [batch.identity.seq for batch in batches] == list(range(len(batches)))
    assert np.array_equal(np.concatenate([batch.features[0].values.T for batch in batches]), matrix)


def test_all_ways_in_lie_in_one_partition(topics: Topics) -> None:
    """Dicts, numpy rows and whole columns of one deployment lie where murmur2 of its name puts them."""
    row = np.array([1.5, 2.5])
    with Emitter("mixed", "1", settings=topics.settings, features=("a", "b")) as emitter:
        emitter.log({"a": 0.5, "b": 1.0})
        emitter.log(row)
        emitter.log(row.astype(np.float32))
        emitter.log_many({"a": [2.5, 3.5], "b": np.array([1, 2])})
        assert emitter.flush(180)
    messages = topics.messages("predictions")
    assert {one.partition for one in messages} == {partition_of(b"mixed", topics.settings.kafka.partitions)}
    assert sorted(numbers(topics.batches(), "a")) == [0.5, 1.5, 1.5, 2.5, 3.5]


def test_heartbeats_tell_the_books(topics: Topics) -> None:
    """Heartbeats carry the books; the last one says closed, and then delivered is all that was enqueued."""
    with Emitter("fraud", "7", settings=topics.settings, instance="app-1", heartbeat_s=0.1) as emitter:
        for at in range(1_000):
            emitter.log({"a": float(at)})
        emitter.log({})
        assert emitter.flush(180)
        epoch = emitter.stats().epoch
    statuses = topics.statuses()
    assert all((one["instance"], one["epoch"]) == ("app-1", epoch) for one in statuses)
    assert [one["closed"] for one in statuses] == [False] * (len(statuses) - 1) + [True]
    last = {book["topic"]: book for book in statuses[-1]["books"]}["predictions"]
    assert (last["enqueued"], last["delivered"], last["dropped"]) == (1_001, 1_000, {"invalid": 1})
    assert (last["spooled"], last["in_flight"]) == (0, 0)
    assert last["next_seq"] == len(topics.batches())
