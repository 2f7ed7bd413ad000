"""Following: the thin loop between Kafka and what is believed; serving goes on without it.

1. The audit is read from its first record, so that trust is known before states are looked at.
2. States of the deployments that this agent's key is for are verified, the newest of each once both topics are read to
   their ends; what is believed is kept, then carried out.
3. Acks and heartbeats go out signed; local commands are put on `deployment-control` once Kafka takes them.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import TOPIC as AUDIT
from driftline.agents.serving.doubts import Doubts, Judge
from driftline.schemas.deployment_state import serving_of
from driftline.schemas.refusal import Refused
from driftline.schemas.settings import consumer_config, producer_config
from driftline.schemas.topics import ACKS, COMMANDS, STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

BEATS: Final = "heartbeats"
"""Word of this module for heartbeats, which go to `acks` and are not sent again."""
POLL_S: Final = 0.2
BATCH: Final = 500
HEARTBEAT_S: Final = 5.0
NEWS_S: Final = 5.0
"""How often the broker is asked whether there is news, when none comes."""
AGAIN_S: Final = 2.0
ANSWER_S: Final = 5.0
MOST_SAID: Final = 1_000
"""Acks that wait for Kafka; the oldest is dropped: a later one of the same deployment says more."""
_QUIET: Final = 2


class Station(Judge, Protocol):
    """What the loop reports to; called from its thread."""

    def audit(self, data: bytes) -> None:
        """Take a record of the audit; raises AuditError."""
        ...

    def anew(self) -> None:
        """The audit is read from its first record again."""
        ...

    def news(self) -> None:
        """All that is committed was read a moment ago."""
        ...

    def heartbeat(self) -> tuple[str, bytes] | None:
        """Give the key and the value of a heartbeat."""
        ...

    def untold(self) -> list[bytes]:
        """Give local commands that the controller was not told of, the oldest first."""
        ...

    def told(self, command: bytes) -> None:
        """A local command is on `deployment-control`."""
        ...


class Follower:
    """A thread that follows.

    Args:
        kafka: where the brokers are.
        station: what it reports to.
        name: of the instance.
    """

    def __init__(self, kafka: Kafka, station: Station, name: str) -> None:
        self._kafka, self._station, self._name = kafka, station, name
        self._stop = threading.Event()
        self._said: queue.Queue[tuple[str, str, bytes]] = queue.Queue(MOST_SAID)
        self._telling: set[bytes] = set()
        self._doubts = Doubts(station)
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def say(self, topic: str, key: str, value: bytes) -> None:
        """Put a record on a topic, as soon as Kafka takes it; never waits."""
        while True:
            try:
                self._said.put_nowait((topic, key, value))
            except queue.Full:
                try:
                    self._telling.discard(self._said.get_nowait()[2])
                except queue.Empty:
                    continue
            else:
                return

    def stop(self, timeout_s: float) -> None:
        """Say what waits, and how it stands, and end."""
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        producer = Producer({
            **producer_config(self._kafka, message_timeout_ms=30_000),
            "client.id": f"driftline-serve-{self._name}",
            "log_level": 0,
        })  # fmt: skip
        complained = ""
        while not self._stop.is_set():
            try:
                self._follow(producer)
            except (KafkaException, AuditError, _BackError) as error:
                sentence = str(error)
                if sentence != complained:
                    logger.warning("states cannot be followed, serving goes on: %s", sentence)
                    complained = sentence
                self._speak(producer)
                self._stop.wait(AGAIN_S)
            except Exception:
                logger.exception("following failed, serving goes on")
                self._stop.wait(AGAIN_S)
        self._beat()  # it drains: no change waits for it any more
        self._speak(producer)
        producer.flush(ANSWER_S)

    def _follow(self, producer: Producer) -> None:
        """Read from the first record on, until stopped or an error."""
        prefix = self._kafka.topic_prefix
        parts = {prefix + AUDIT: AUDIT, prefix + STATES: STATES}
        config = consumer_config(
            self._kafka,
            f"driftline-serve-{self._name}",
            enable_partition_eof="true",
            auto_offset_reset="error",
        )
        consumer = Consumer({**config, "log_level": _QUIET})
        self._station.anew()
        self._doubts.clear()
        ended: set[str] = set()
        read: dict[str, int] = dict.fromkeys(parts, 0)
        asked_s = beat_s = -1e9
        try:
            consumer.assign([TopicPartition(name, 0, OFFSET_BEGINNING) for name in parts])
            while not self._stop.is_set():
                # Told to wait for a batch, the client waits for a whole one: wait for one message, then take the rest.
                came = consumer.consume(1, POLL_S)
                for message in came + (consumer.consume(BATCH, 0) if came else []):
                    topic = str(message.topic())
                    name = parts[topic]
                    if self._is_end(message.error()):
                        ended.add(name)
                        continue
                    read[topic] = (message.offset() or 0) + 1
                    self._take(name, message)
                now_s = time.monotonic()
                if len(ended) == len(parts):
                    self._doubts.look(now_s)
                if len(ended) == len(parts) and now_s - asked_s >= NEWS_S:
                    self._ask(consumer, read)
                    asked_s = now_s
                if now_s - beat_s >= HEARTBEAT_S:
                    self._beat()
                    beat_s = now_s
                self._speak(producer)
        finally:
            consumer.close()

    def _is_end(self, error: KafkaError | None) -> bool:
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public code
            return True
        raise KafkaException(error)

    def _take(self, name: str, message: Any) -> None:  # noqa: ANN401 - a message of confluent_kafka
        value = message.value() or b""
        if name == AUDIT:
            self._station.audit(value)
            return
        key = (message.key() or b"").decode(errors="replace")
        try:
            serving = serving_of(message.key(), value) if value else None
        except Refused as error:
            logger.warning("a record of %s cannot be read: %s", STATES, error)
            return
        if serving is not None:
            self._doubts.take(key, serving)

    def _ask(self, consumer: Consumer, read: dict[str, int]) -> None:
        """Ask the broker how far its topics reach; an answer is news, and an end that went back is another topic."""
        for name, position in read.items():
            _, high = consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=ANSWER_S)
            if high < position:
                raise _BackError(
                    f"topic {name} ends at {high:,}, and was read up to {position:,}: it is another one"
                )
        self._station.news()

    def _beat(self) -> None:
        found = self._station.heartbeat()
        if found is not None:
            self.say(BEATS, *found)
        for command in self._station.untold():
            if command not in self._telling:
                self._telling.add(command)
                self.say(COMMANDS, "", command)

    def _speak(self, producer: Producer) -> None:
        """Hand what waits to the producer."""
        while True:
            try:
                topic, key, value = self._said.get_nowait()
            except queue.Empty:
                break
            try:
                name = self._kafka.topic_prefix + (ACKS if topic == BEATS else topic)
                producer.produce(name, value, key.encode(), on_delivery=self._said_of(topic, key, value))
            except (BufferError, KafkaException) as error:
                logger.warning("a record for %s is dropped: %s", topic, error)
                self._telling.discard(value)
        producer.poll(0)

    def _said_of(self, topic: str, key: str, value: bytes) -> Callable[[KafkaError | None, Any], None]:
        def delivered(error: KafkaError | None, _message: Any) -> None:  # noqa: ANN401 - as above
            if topic == COMMANDS:
                self._telling.discard(value)
                if error is None:
                    self._station.told(value)
            elif topic == ACKS and error is not None and not self._stop.is_set():
                self.say(topic, key, value)  # the controller waits for it

        return delivered


class _BackError(Exception):
    """A topic whose end went back."""
