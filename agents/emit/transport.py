"""Kafka behind the little that the courier needs: send bytes under a token, ask what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from driftline.agents.emit.complaints import Complaints

Outcome = Literal["delivered", "failed", "too_large"]


class Report(NamedTuple):
    """What became of one message."""

    token: int
    outcome: Outcome


class Transport(Protocol):
    """What moves messages; the courier is tested with one of its own."""

    def send(self, token: int, topic: str, key: bytes, payload: bytes) -> bool:
        """Hand a message over; False when it cannot be taken now."""

    def reports(self) -> list[Report]:
        """What became of messages since the last call."""

    def tell(self, topic: str, key: bytes, payload: bytes) -> None:
        """Send a message whose fate does not matter, unless one such is still on its way."""


class KafkaTransport:
    """An idempotent librdkafka producer, made with the first message and again after a fatal error."""

    def __init__(self, config: Mapping[str, Any], prefix: str, complaints: Complaints) -> None:
        self._config = dict(config)
        self._prefix = prefix
        self._complaints = complaints
        self._producer: Producer | None = None
        self._reports: list[Report] = []
        self._telling = 0
        self._fatal = False

    def send(self, token: int, topic: str, key: bytes, payload: bytes) -> bool:
        """Hand a message to librdkafka, which copies it."""

        def delivered(error: KafkaError | None, _message: object) -> None:
            self._reports.append(Report(token, self._outcome(error)))

        return self._produce(topic, key, payload, delivered)

    def reports(self) -> list[Report]:
        """Take the outcomes that `poll` has brought."""
        taken, self._reports = self._reports, []
        return taken

    def tell(self, topic: str, key: bytes, payload: bytes) -> None:
        """Send a heartbeat; a newer one makes it needless, so that nobody sends it again."""
        if self._telling == 0 and self._produce(topic, key, payload, self._told):
            self._telling += 1

    @property
    def is_telling(self) -> bool:
        """Whether a heartbeat is on its way."""
        return self._telling > 0

    def poll(self, timeout_s: float) -> None:
        """Wait for outcomes, without the interpreter's lock; returns as soon as there is one."""
        if self._producer is None:
            return
        self._producer.poll(timeout_s)
        if self._fatal:
            self._renew()

    def close(self) -> None:
        """Give up what is on its way (reported as failed) and end the producer."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.poll(0)
            self._producer = None

    def take_producer(self) -> Producer | None:
        """Hand out the producer to be kept alive unused: after a fork nobody may end it."""
        producer, self._producer = self._producer, None
        return producer

    def _produce(self, topic: str, key: bytes, payload: bytes, done: Callable[..., None]) -> bool:
        try:
            if self._producer is None:
                self._producer = Producer({**self._config, "error_cb": self._error})
            self._producer.produce(self._prefix + topic, value=payload, key=key, on_delivery=done)
        except BufferError:
            return False
        except KafkaException as error:
            return self._refused(error, payload, done)
        return True

    def _refused(self, error: KafkaException, payload: bytes, done: Callable[..., None]) -> bool:
        fault = error.args[0] if error.args else None
        if isinstance(fault, KafkaError) and fault.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            done(fault, None)
            return True
        self._complaints.say("kafka", f"Kafka takes no message of {len(payload):,} bytes: {error}")
        if isinstance(fault, KafkaError) and fault.fatal():
            self._renew()
        return False

    def _outcome(self, error: KafkaError | None) -> Outcome:
        if error is None:
            return "delivered"
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return "too_large"
        if error.fatal():
            self._fatal = True
        self._complaints.say(
            "delivery", f"Kafka did not take a message, which will be sent again: {error.str()}"
        )
        return "failed"

    def _told(self, _error: KafkaError | None, _message: object) -> None:
        self._telling -= 1

    def _error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = True
        self._complaints.say("kafka", f"Kafka is out of reach or refuses: {error.str()}")

    def _renew(self) -> None:
        """A producer sends nothing after a fatal error: what it held is reported as failed, the next one is new."""
        self._fatal = False
        with suppress(KafkaException):
            self.close()
        self._telling = 0
