"""`driftline worker retrain`: follows the advice and runs what the local file names, once for each advice to retrain.

    1. The advice is remembered as answered, on disk.
    2. The command runs.
    3. The position is committed, and nothing waits for that.

A crash after 1 does not run the command again: a training that was cut off is started by a person, or by the next
advice. Records of other processes' deployments are passed over.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from driftline.agents import group
from driftline.agents.retrain.choice import choose
from driftline.agents.retrain.commands import RetrainError
from driftline.agents.retrain.run import run
from driftline.schemas.advice import Advice
from driftline.schemas.announced import announced
from driftline.schemas.clients import consumer_config
from driftline.schemas.reach import reach
from driftline.schemas.refusal import Refused
from driftline.schemas.topics import ALERTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Message

    from driftline.agents.retrain.commands import Commands, Entry
    from driftline.agents.retrain.memory import Memory
    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

GROUP: Final = "driftline-retrain"
_POLL_S: Final = 0.5


def follow(
    kafka: Kafka, commands: Commands, memory: Memory, given: Mapping[str, str], stopping: threading.Event
) -> None:
    """Follow the advice until told to stop.

    Args:
        kafka: where the brokers are.
        commands: what may be run.
        memory: what was.
        given: the variables of this process, of which commands get those that they name.
        stopping: ends it, and a command that runs.

    Raises:
        RetrainError: the topic cannot be read, or what was done cannot be remembered.
    """
    config = consumer_config(kafka, kafka.topic_prefix + GROUP, queued_max_messages_kbytes=4_096)
    consumer = Consumer(config | reach(kafka, logger) | group.TELLING)
    topic = kafka.topic_prefix + ALERTS
    consumer.subscribe([topic])
    try:
        while not stopping.is_set():
            message = consumer.poll(_POLL_S)
            if message is None:
                continue
            wrong = message.error()
            if wrong is None:
                _answer(consumer, message, commands, memory, given, stopping)
                group.commit(consumer, message)
            elif wrong.fatal() or wrong.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise RetrainError(f"topic {topic!r} cannot be read: {wrong.str()}")
    finally:
        group.leave(consumer)


def _answer(
    consumer: Consumer,
    message: Message,
    commands: Commands,
    memory: Memory,
    given: Mapping[str, str],
    stopping: threading.Event,
) -> None:
    try:
        advice = announced(message.value() or b"")
    except Refused:
        return  # the archive tells of it
    if not isinstance(advice, Advice):
        return
    now_ms = time.time_ns() // 1_000_000
    choice = choose(advice, commands, memory, now_ms)
    if choice is None:
        return
    if choice.entry is None:
        memory.answer(advice.id, advice.deployment, None)
        logger.info(
            "advice %s on %r starts no %r: %s", advice.id, advice.deployment, choice.name, choice.reason
        )
        return
    memory.answer(advice.id, advice.deployment, now_ms)
    logger.info("advice %s on %r starts %r", advice.id, advice.deployment, choice.name)
    _run(consumer, choice.name, choice.entry, advice, given, stopping)


def _run(
    consumer: Consumer,
    name: str,
    entry: Entry,
    advice: Advice,
    given: Mapping[str, str],
    stopping: threading.Event,
) -> None:
    """Run a command in a thread, and keep the group's business going meanwhile."""
    held = consumer.assignment()
    consumer.pause(held)

    def work() -> None:
        ended = run(entry, advice, given, stopping)
        level = logging.INFO if ended.code == 0 and not ended.why else logging.ERROR
        logger.log(
            level, "%r for %r took %.1f s and said %d bytes: %s", name, advice.deployment, ended.seconds,
            ended.said_bytes, ended.why or "it ended well",
        )  # fmt: skip

    thread = threading.Thread(target=work, name="retrain", daemon=True)
    thread.start()
    while thread.is_alive():
        early = consumer.poll(_POLL_S)
        if early is not None and early.error() is None:
            # Came of a rebalance while a command runs: it is read again afterwards.
            consumer.seek(TopicPartition(early.topic() or "", early.partition() or 0, early.offset() or 0))
            consumer.pause(consumer.assignment())
    consumer.resume(consumer.assignment())
