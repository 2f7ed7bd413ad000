"""The baseline of the accuracy bench: confluent-kafka, the same decode and the same join, and no promise."""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from bare_loop import partitions
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from driftline.schemas.columns import read_labels, read_predictions
from driftline.schemas.settings import consumer_config, load
from driftline.streams.join.shard import Shard
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.processors.terms_book import TermsBook
from driftline.streams.windows.rules import Rules

BATCH = 500
PUBLISH_S = 10.0


def main(name: str) -> None:
    """Read both topics once, whatever comes first; print what it took as one line of JSON."""
    settings = load(os.environ, None)
    prefix = settings.kafka.topic_prefix
    profiles = ProfileBook(lambda: None)
    consumer = Consumer(consumer_config(settings.kafka, f"bare-{name}"))
    places, total = partitions(settings, consumer, "profiles", 1)
    consumer.assign(places)
    for message in consumer.consume(total, 30):
        profiles.on_record(message.key(), message.value(), 0)
    book = TermsBook(profiles, SettingsBook())
    shards = [Shard(number, book, Rules(held_bytes=1 << 40)) for number in range(settings.kafka.partitions)]
    total, starts = 0, []
    for topic in ("predictions", "labels"):
        found, count = partitions(settings, consumer, topic, settings.kafka.partitions)
        total += count
        starts += [TopicPartition(one.topic, one.partition, OFFSET_BEGINNING) for one in found]
    consumer.assign(starts)
    done = rows = 0
    used, published = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    while done < total:
        for message in consumer.consume(BATCH, 1.0):
            shard, offset = shards[message.partition() or 0], message.offset() or 0
            if message.topic() == f"{prefix}predictions":
                said = read_predictions(message.value() or b"")
                shard.take_predictions(offset, said, 0)
                rows += said.rows
            else:
                told = read_labels(message.value() or b"")
                shard.take_labels(offset, told, 0)
                rows += told.rows
            done += 1
        if time.perf_counter() - published >= PUBLISH_S or done == total:
            for shard in shards:
                for _ in shard.results(0):
                    pass
                shard.commit()
            published = time.perf_counter()
    end = resource.getrusage(resource.RUSAGE_SELF)
    consumer.close()
    cpu = end.ru_utime + end.ru_stime - used.ru_utime - used.ru_stime
    joined = sum(
        hot.outcomes.counts(key)[1] for shard in shards for hot in shard.hots.values() for key in hot.outcomes
    )
    print(json.dumps({"rows": rows, "cpu": cpu, "joined": joined}))


if __name__ == "__main__":
    main(sys.argv[1])
