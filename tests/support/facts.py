"""What a chaos run really sent, read back from the log, and what must have become of it: an oracle in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from driftline.schemas.partition import partition_of
from driftline.schemas.refusal import Refused
from driftline.schemas.settings import Settings, consumer_config
from driftline.streams.windows import intake
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.layout import Layout

WIDTHS_MS = {"5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}

Window = tuple[str, str, str, int]
"""Deployment, version, resolution, start."""


@dataclass
class Facts:
    """What the log holds, counted once.

    Attributes:
        rows: rows of each deployment, batches once.
        windows: rows of each window, those that came for a cold window too: it is restated.
        late: rows that came for a cold window of at least one resolution, by deployment.
        refused: places of records that are dead letters, with their reason.
        records: records read.
        counters: full counters of the windows of deployments with a layout.
    """

    rows: Counter[str] = field(default_factory=Counter)
    windows: Counter[Window] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    refused: dict[tuple[int, int], str] = field(default_factory=dict)
    records: int = 0
    counters: dict[Window, Counters] = field(default_factory=dict)


def read_facts(
    settings: Settings, resolutions: tuple[str, ...], layouts: Mapping[str, Layout] | None = None
) -> Facts:
    """Read `predictions` from its first record to its end, in the order of each partition.

    The rule for late rows is spelled out row by row: a row is late for a window that starts before the window of
    the watermark less the hot ones, and the watermark is the greatest event time before that row, less the bound.
    """
    facts, seen = Facts(), set()
    newest: dict[str, int] = {}
    for record in _records(settings):
        facts.records += 1
        place = (record.partition(), record.offset())
        try:
            columns = intake.read(
                record.value(),
                record.key(),
                record.partition(),
                settings.kafka.partitions,
                record.timestamp()[1],
                settings.worker.future_ms,
            )
        except Refused as refused:
            facts.refused[place] = refused.reason
            continue
        if columns.identity is not None:
            batch = (
                columns.deployment,
                columns.identity.instance,
                columns.identity.epoch,
                columns.identity.seq,
            )
            if batch in seen:
                continue
            seen.add(batch)
        facts.rows[columns.deployment] += columns.rows
        places: dict[Window, list[int]] = {}
        for row, time in enumerate(columns.times_ms.tolist()):
            late = False
            known = newest.get(columns.deployment)
            for name in resolutions:
                width = WIDTHS_MS[name]
                start = time // width * width
                mark = (
                    None if known is None else (known - settings.worker.out_of_orderness_ms) // width * width
                )
                late = late or (mark is not None and start < mark - settings.worker.hot_windows * width)
                window = (columns.deployment, columns.model_version, name, start)
                places.setdefault(window, []).append(row)
            facts.late[columns.deployment] += late
            newest[columns.deployment] = time if known is None else max(known, time)
        for window, rows in places.items():
            facts.windows[window] += len(rows)
            if layouts and columns.deployment in layouts:
                counters = facts.counters.setdefault(window, Counters(layouts[columns.deployment]))
                counters.fold(columns, np.array(rows))
    return facts


def _records(settings: Settings) -> list[object]:
    topic = settings.kafka.topic_prefix + "predictions"
    consumer = Consumer(consumer_config(settings.kafka, "facts"))
    records = []
    try:
        for partition in range(settings.kafka.partitions):
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
            reached = 0
            while reached < end:
                record = consumer.poll(30)
                assert record is not None, f"{topic} {partition} ends at {end}, read {reached}"
                assert record.error() is None, record.error()
                records.append(record)
                reached = record.offset() + 1
    finally:
        consumer.close()
    return records


def home_of(deployment: str, settings: Settings) -> int:
    """The partition of a deployment."""
    return partition_of(deployment.encode(), settings.kafka.partitions)
