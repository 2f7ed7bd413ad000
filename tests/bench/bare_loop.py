"""The baseline of the stream bench: confluent-kafka, the same decode, the full counters, and nothing else."""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from driftline.schemas.columns import read_predictions
from driftline.schemas.profile import Profile
from driftline.schemas.settings import Settings, consumer_config, load
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.kernel import warm
from driftline.streams.windows.layout import Layout

BATCH = 200


def partitions(
    settings: Settings, consumer: Consumer, name: str, count: int
) -> tuple[list[TopicPartition], int]:
    """Every partition from its start, and how many messages there are."""
    topic = settings.kafka.topic_prefix + name
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(count)]
    return [TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(count)], sum(ends)


def read_profiles(settings: Settings) -> dict[str, Counters]:
    """Empty counters by deployment."""
    consumer = Consumer(consumer_config(settings.kafka, "bare-profiles"))
    places, total = partitions(settings, consumer, "profiles", 1)
    consumer.assign(places)
    found = [Profile.from_bytes(message.value() or b"") for message in consumer.consume(total, 30)]
    consumer.close()
    return {profile.deployment: Counters(Layout(profile)) for profile in found}


def main(seed: str) -> None:
    """Read the topic once; print what it took as one line of JSON."""
    settings = load(os.environ, None)
    counters = read_profiles(settings)
    warm()
    consumer = Consumer(consumer_config(settings.kafka, f"bare-{seed}"))
    places, total = partitions(settings, consumer, "predictions", settings.kafka.partitions)
    consumer.assign(places)
    done = events = 0
    used, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    while done < total:
        for message in consumer.consume(BATCH, 1.0):
            columns = read_predictions(message.value() or b"")
            counters[columns.deployment].fold(columns)
            events += columns.rows
            done += 1
    wall, end = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = end.ru_utime + end.ru_stime - used.ru_utime - used.ru_stime
    consumer.close()
    print(json.dumps({"events": events, "cpu": cpu, "wall": wall}))


main(sys.argv[1])
