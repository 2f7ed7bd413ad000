"""What the log holds of predictions and labels, sorted and joined in plain Python, and how windows differ from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from truth_models import MODELS
from truth_tally import Counter, Row, Tally, tally_of

from driftline.schemas.columns import LabelColumns, PredictionColumns, read_labels, read_predictions
from driftline.schemas.profile import Profile
from driftline.schemas.settings import Settings, consumer_config
from driftline.streams.clickhouse.client import Client
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.join.scheme_of import scheme_of

MINUTE_MS = 60_000
WIDTHS_MS = {"5m": 5 * MINUTE_MS, "1h": 60 * MINUTE_MS, "1d": 1_440 * MINUTE_MS}


class Window(NamedTuple):
    """One window."""

    deployment: str
    version: str
    slot: str
    resolution: str
    start_ms: int


class Wanted(NamedTuple):
    """What must stand in a window: what its rows come to, and whether it has closed."""

    tally: Tally
    final: bool


def read_facts(settings: Settings, profiles: Mapping[tuple[str, str], Profile]) -> dict[Window, Wanted]:
    """Read both topics from their first records to their ends, join them, and count every window.

    A batch that came before under the same seal does nothing. The label in force of an id is that of the greatest
    (known_at, offset, row); a withdrawn one is none. An id that a version and slot said twice counts once, where
    and as it came first in the log.
    """
    labels = _labels_in_force(settings)
    said: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    newest: dict[str, int] = defaultdict(int)
    seen: set[tuple[str, str, str, bytes, int]] = set()
    models = {model.name: model for model in MODELS}
    for message in _records(settings, "predictions"):
        cols = read_predictions(message.value() or b"")
        model = models[cols.deployment]
        newest[model.name] = max(newest[model.name], *cols.times_ms.tolist())
        for id_, row in _rows(cols):
            place = (model.name, cols.model_version, cols.slot, id_)
            if place not in seen:
                seen.add(place)
                _, _, row.known_ms, row.truth = labels.get((model.name, id_), (0, 0, 0, None))
                said[model.name, cols.model_version, cols.slot].append(row)
    found: dict[Window, Wanted] = {}
    for (name, version, slot), rows in said.items():
        profile = profiles[name, version]
        counter = Counter(models[name], scheme_of(profile, profile.digest()), rows)
        watermark = newest[name] - settings.worker.out_of_orderness_ms
        for resolution in (*models[name].widths, "7d", "1M"):
            members: dict[tuple[int, int], list[int]] = defaultdict(list)
            for at, row in enumerate(rows):
                members[bounds_of(resolution, row.time_ms)].append(at)
            for (start, end), mine in members.items():
                tally = counter.count(mine, segments=resolution != "5m")
                found[Window(name, version, slot, resolution, start)] = Wanted(tally, end <= watermark)
    return found


def differences(settings: Settings, wanted: Mapping[Window, Wanted]) -> list[str]:
    """What still differs between the windows of `worker accuracy` in ClickHouse and the facts; `==` on all of it.

    The newest row of each version and slot must say that no late rows wait; those before it say how many did.
    """
    with Client(settings.clickhouse) as client:
        waiting = client.query(
            "SELECT deployment, model_version, slot, argMax(late_rows, (arrived, src_offset)) AS waiting FROM windows "
            "WHERE role = 'accuracy' GROUP BY deployment, model_version, slot HAVING waiting > 0"
        )
        rows = client.query(
            "SELECT deployment, model_version AS version, slot, resolution, "
            "toUnixTimestamp64Milli(window_start) AS start_ms, rows, labels, final, counts, "
            "figures.metric AS metrics, figures.feature AS features, figures.kind AS kinds, "
            "figures.segment AS segments, figures.value AS figure_values "
            "FROM windows_now WHERE role = 'accuracy'",
            formats={"counts": "bytes"},
        )
    found = {Window(*(row[name] for name in Window._fields)): row for row in rows}
    wrong = [f"{row}: late rows wait" for row in waiting]
    wrong += [f"{window}: not there" for window in wanted.keys() - found.keys()]
    wrong += [f"{window}: of no facts" for window in found.keys() - wanted.keys()]
    for window in wanted.keys() & found.keys():
        fault = _difference(found[window], wanted[window])
        if fault:
            wrong.append(f"{window}: {fault}")
    return wrong


def _difference(row: dict[str, Any], wanted: Wanted) -> str:
    tally = tally_of(unpack(row["counts"]))
    for name, value in wanted.tally.items():
        if tally[name] != value:
            return f"{name} are {str(tally[name])[:200]}, the facts say {str(value)[:200]}"
    told = (row["rows"], row["labels"], bool(row["final"]))
    facts = (tally["predictions"], tally["labels"], wanted.final)
    if told != facts:
        return f"rows, labels, final are {told}, the facts say {facts}"
    parts = zip(
        row["kinds"], row["segments"], row["features"], row["metrics"], row["figure_values"], strict=True
    )
    figures = {
        metric: value
        for kind, segment, feature, metric, value in parts
        if kind == "performance" and not (segment or feature)
    }
    for metric, value in figures_of(wanted.tally).items():
        if value is None or figures[metric] is None:
            if value is not figures[metric]:
                return f"{metric} is {figures[metric]}, the facts say {value}"
        elif abs(figures[metric] - value) > 1e-12 * max(1.0, abs(value)):
            return f"{metric} is {figures[metric]}, the facts say {value}"
    return ""


def figures_of(tally: Tally) -> dict[str, float | None]:
    """Derive some figures of a tally: shares of whole numbers, rounded once."""
    confusion = np.array(tally["confusion"])
    decided = int(confusion.sum())
    found: dict[str, float | None] = {"coverage": tally["labels"] / tally["predictions"]}
    if decided or len(confusion):
        found["accuracy"] = int(np.trace(confusion)) / decided if decided else None
    for metric, name in (("log_loss",) * 2, ("brier",) * 2, ("mae", "absolute"), ("bias", "error")):
        if name in tally["sums"]:
            rows = tally["counted"]
            found[metric] = tally["sums"][name] / (rows << 1126) if rows else None
    return found


def bounds_of(resolution: str, time_ms: int) -> tuple[int, int]:
    """Give the start and end of the window that holds a time: weeks from Monday, months of the calendar, UTC."""
    if resolution in WIDTHS_MS:
        width = WIDTHS_MS[resolution]
        return time_ms // width * width, (time_ms // width + 1) * width
    day = datetime.fromtimestamp(time_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if resolution == "7d":
        start = day - timedelta(days=day.weekday())
        end = start + timedelta(days=7)
    else:
        start = day.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    return round(start.timestamp() * 1000), round(end.timestamp() * 1000)


def _labels_in_force(
    settings: Settings,
) -> dict[tuple[str, bytes], tuple[int, tuple[int, int], int, str | float | None]]:
    """Give (known_at, place, known_at, truth) of every id that a label named; None for one that is withdrawn."""
    found: dict[tuple[str, bytes], tuple[int, tuple[int, int], int, str | float | None]] = {}
    seals = set()
    for message in _records(settings, "labels"):
        cols = read_labels(message.value() or b"")
        assert cols.identity is not None
        seal = (cols.deployment, cols.identity.instance, cols.identity.epoch, cols.identity.seq)
        if seal in seals:
            continue
        seals.add(seal)
        for row, truth in enumerate(_truths(cols)):
            known = int(cols.known_at_ms[row])
            rank = (known, (message.offset() or 0, row), known, truth)
            key = (cols.deployment, cols.ids[row].tobytes())
            if key not in found or rank[:2] > found[key][:2]:
                found[key] = rank
    return found


def _truths(cols: LabelColumns) -> Iterator[str | float | None]:
    for row in range(cols.rows):
        if cols.withdrawn is not None and cols.withdrawn[row]:
            yield None
        elif cols.classes is not None and cols.classes.codes[row] >= 0:
            yield cols.classes.levels[cols.classes.codes[row]]
        else:
            assert cols.numbers is not None
            yield float(cols.numbers[row])


def _rows(cols: PredictionColumns) -> Iterator[tuple[bytes, Row]]:
    (block,), (region,) = cols.scores, cols.segments
    for row in range(cols.rows):
        code = region.codes[row]
        value = region.levels[code] if code >= 0 else None
        yield (
            cols.ids[row].tobytes(),
            Row(int(cols.times_ms[row]), block.values[:, row].astype(float).tolist(), value),
        )


def _records(settings: Settings, topic: str) -> Iterator[Message]:
    """Every record of a topic, partition after partition, each in the order of its log."""
    name = settings.kafka.topic_prefix + topic
    consumer = Consumer(consumer_config(settings.kafka, "truth-facts", enable_partition_eof="true"))
    try:
        for partition in range(settings.kafka.partitions):
            consumer.assign([TopicPartition(name, partition, OFFSET_BEGINNING)])
            while True:
                message = consumer.poll(30)
                assert message is not None, f"{name} was not read to its end"
                error = message.error()
                if error is None:
                    yield message
                    continue
                assert error.code() == KafkaError._PARTITION_EOF, error
                break
    finally:
        consumer.close()
