"""A controller for tests of commands, in a thread: the desk between a real topic of commands and a real audit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from signed import key

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.record import AuditRecord, Source, digest
from driftline.agents.audit.topic import NOTES, Reader
from driftline.agents.audit.writer import AuditLog, resumed
from driftline.agents.control.admission import Arrived
from driftline.agents.control.desk import Desk
from driftline.agents.control.looking import look
from driftline.agents.control.telling import begun, told
from driftline.schemas.settings import Settings, consumer_config, producer_config

TOPIC = "deployment-control"


@contextmanager
def deciding(settings: Settings) -> Iterator[Desk]:
    """Decide every command of a lane, from its first on, until the end of the block."""
    with closing(Reader(settings.kafka)) as reader:
        first = next(iter(reader.to_the_end()))
    record = AuditRecord.from_bytes(first)
    desk = begun(record, lambda asked: look(asked, desk.history.now.ring.persons))
    chain = Chain(digest(first))
    chain.take(first)
    stop = threading.Event()
    thread = threading.Thread(target=_decide, args=(settings, desk, resumed(chain), stop))
    thread.start()
    try:
        yield desk
    finally:
        stop.set()
        thread.join()


def _decide(settings: Settings, desk: Desk, log: AuditLog, stop: threading.Event) -> None:
    consumer = Consumer(consumer_config(settings.kafka, "test-controller", enable_auto_commit="false"))
    consumer.assign([TopicPartition(settings.kafka.topic_prefix + TOPIC, 0, OFFSET_BEGINNING)])
    producer = Producer(producer_config(settings.kafka, transactional_id="test-controller"))
    producer.init_transactions(30.0)
    try:
        while not stop.is_set():
            message = consumer.poll(0.1)
            if message is None:
                continue
            assert message.error() is None, message.error()
            offset = message.offset() or 0
            arrived = Arrived(message.value() or b"", offset, message.timestamp()[1])
            source = Source(topic=TOPIC, topic_id="lane", partition=0, offset=offset)
            for decision in desk.take(arrived, time.time_ns() // 1_000_000):
                event, fields = told(decision, source)
                record = log.append(event, decision.at_ms, **fields)
                note = log.checkpoint(key("checkpoint")).to_bytes()
                producer.begin_transaction()
                producer.produce(settings.kafka.topic_prefix + "audit", record, b"")
                producer.produce(settings.kafka.topic_prefix + NOTES, note, b"log")
                producer.commit_transaction(10.0)
    finally:
        consumer.close()
