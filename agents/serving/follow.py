"""Following: the thin loop between Kafka and what is believed; serving goes on without it.

1. The audit is read from its first record to its end before the first state is read, so that it is known of each state
   whether it is for this agent, and whether a controller signed it; of others nothing is kept.
2. The newest state of each deployment is verified once the states are read to their end; what is believed is kept, then
   carried out. When trust changes, the states are read from the first one again.
3. Acks and heartbeats go out signed; local commands are put on `deployment-control` once Kafka takes them.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import TOPIC as AUDIT
from driftline.agents.serving.doubts import Doubts
from driftline.agents.serving.judge import Judge
from driftline.schemas.deployment_state import serving_of
from driftline.schemas.reach import reach
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
QUEUE_KB: Final = 8_192
"""Of records that were fetched and not looked at; the client's default is eight times that."""
HEARTBEAT_S: Final = 5.0
NEWS_S: Final = 5.0
"""How often the broker is asked whether there is news, when none comes."""
AGAIN_S: Final = 2.0
LONGEST_S: Final = 60.0
"""Between two attempts: an audit that is broken is read from its first record each time."""
WELL_S: Final = 600.0
"""What was followed for so long went well: what fails then is told, and tried again soon."""
ANSWER_S: Final = 5.0
MOST_SAID: Final = 1_000
"""Acks that wait for Kafka; the oldest is dropped: a later one of the same deployment says more."""


class Station(Judge, Protocol):
    """What the loop reports to; called from its thread."""

    def audit(self, data: bytes) -> bool:
        """Take a record of the audit; say whether trust changed. Raises AuditError."""
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
        self._well_s = math.inf
        """Since when all was read (monotonic)."""
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
        complained, pause_s = "", AGAIN_S
        while not self._stop.is_set():
            self._well_s = math.inf
            try:
                self._follow(producer)
            except Exception as error:
                passes = isinstance(error, (KafkaException, _BackError))
                is_known = passes or isinstance(error, AuditError)
                sentence = str(error) if is_known else f"{type(error).__name__}: {error}"
                if sentence != complained or time.monotonic() - self._well_s > WELL_S:
                    logger.warning(
                        "states cannot be followed, serving goes on: %s", sentence, exc_info=not is_known
                    )
                    complained, pause_s = sentence, AGAIN_S
                self._pause(producer, pause_s)
                pause_s = AGAIN_S if passes else min(2 * pause_s, LONGEST_S)
        self._beat()  # it drains: no change waits for it any more
        self._speak(producer)
        producer.flush(ANSWER_S)

    def _pause(self, producer: Producer, pause_s: float) -> None:
        """Wait, and go on telling that this instance lives."""
        until_s = time.monotonic() + pause_s
        while not self._stop.is_set():
            self._beat()
            self._speak(producer)
            left_s = until_s - time.monotonic()
            self._stop.wait(max(0.0, min(left_s, HEARTBEAT_S)))
            if left_s <= HEARTBEAT_S:
                return

    def _follow(self, producer: Producer) -> None:
        """Read from the first record on, until stopped or an error."""
        audit, states = (self._kafka.topic_prefix + name for name in (AUDIT, STATES))
        config = consumer_config(
            self._kafka,
            f"driftline-serve-{self._name}",
            enable_partition_eof="true",
            auto_offset_reset="error",
            queued_max_messages_kbytes=QUEUE_KB,
        )
        consumer = Consumer(config | reach(self._kafka, logger))
        self._station.anew()
        self._doubts.clear()
        ended: set[str] = set()
        read = {audit: 0, states: 0}
        reads_states = False
        asked_s = beat_s = -1e9
        try:
            consumer.assign([TopicPartition(audit, 0, OFFSET_BEGINNING)])
            while not self._stop.is_set():
                # Told to wait for a batch, the client waits for a whole one: wait for one message, then take the rest.
                came = consumer.consume(1, POLL_S)
                is_changed = False
                now_s = time.monotonic()
                for message in came + (consumer.consume(BATCH, 0) if came else []):
                    topic = str(message.topic())
                    if self._is_end(message.error()):
                        ended.add(topic)
                        continue
                    offset = message.offset() or 0
                    read[topic] = max(read[topic], offset + 1)
                    if topic == audit:
                        is_changed |= self._station.audit(message.value() or b"")
                    else:
                        self._take(message, offset, now_s)
                if audit in ended and (is_changed or not reads_states):
                    reads_states = True
                    ended.discard(states)
                    goes_on = TopicPartition(audit, 0, read[audit] or OFFSET_BEGINNING)
                    consumer.assign([goes_on, TopicPartition(states, 0, OFFSET_BEGINNING)])
                if states in ended:
                    self._well_s = min(self._well_s, now_s)
                    self._doubts.look(now_s)
                    if not self._doubts.is_unsure and now_s - asked_s >= NEWS_S:
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

    def _take(self, message: Any, offset: int, now_s: float) -> None:  # noqa: ANN401 - a message of confluent_kafka
        key, value = message.key() or b"", message.value()
        try:
            serving = serving_of(key, value) if value else None
        except Refused as error:
            self._doubts.unreadable(offset, error, now_s)
            return
        if serving is not None:
            self._doubts.take(key.decode(errors="replace"), serving, offset, now_s)

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
        """Say how this instance stands, and which commands it was given here; one beat that fails ends nothing."""
        try:
            found = self._station.heartbeat()
            if found is not None:
                self.say(BEATS, *found)
            for command in self._station.untold():
                if command not in self._telling:
                    self._telling.add(command)
                    self.say(COMMANDS, "", command)
        except Exception:
            logger.exception("a heartbeat failed; the next one follows")

    def _speak(self, producer: Producer) -> None:
        """Hand what waits to the producer; a record that it does not take costs no other one."""
        while True:
            try:
                topic, key, value = self._said.get_nowait()
            except queue.Empty:
                break
            try:
                name = self._kafka.topic_prefix + (ACKS if topic == BEATS else topic)
                producer.produce(name, value, key.encode(), on_delivery=self._said_of(topic, key, value))
            except Exception as error:  # noqa: BLE001 - whatever Kafka's client says
                logger.warning("a record for %s is dropped: %s", topic, error)
                self._telling.discard(value)
        try:
            producer.poll(0)
        except Exception:
            logger.exception("what became of records cannot be heard; it is heard the next time")

    def _put_aside(self, command: bytes) -> None:
        try:
            self._station.told(command)
        except Exception:
            logger.exception(
                "a local command was told, and cannot be put aside; it is told again after a restart"
            )

    def _said_of(self, topic: str, key: str, value: bytes) -> Callable[[KafkaError | None, Any], None]:
        def delivered(error: KafkaError | None, _message: Any) -> None:  # noqa: ANN401 - as above
            if topic == COMMANDS:
                self._telling.discard(value)
                if error is None:
                    self._put_aside(value)
            elif topic == ACKS and error is not None and not self._stop.is_set():
                self.say(topic, key, value)  # the controller waits for it

        return delivered


class _BackError(Exception):
    """A topic whose end went back."""
