"""Post: sends refused records to the dead-letter topic, and waits until the broker has them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from driftline.schemas import codec
from driftline.schemas.clients import producer_config
from driftline.schemas.reach import QUIET
from driftline.streams.archive.errors import KafkaAwayError
from driftline.streams.archive.letter import TOPIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.settings import Kafka
    from driftline.streams.archive.letter import Letter

# How long one attempt waits for the broker; the keeper then tries again with the whole block.
ANSWER_SECONDS = 20.0
# Letters sent before their answers are waited for: the bound of what the producer holds (2.5 MB each at most).
AT_ONCE = 100


class Post:
    """The producer of dead letters; for one thread."""

    def __init__(self, kafka: Kafka, refused_by: str) -> None:
        """Remember the settings; the producer is made with the first letter."""
        self._kafka = kafka
        self._refused_by = refused_by
        self._producer: Producer | None = None

    def send(self, letters: Sequence[Letter]) -> None:
        """Send and return when the broker has acknowledged all.

        Raises:
            KafkaAwayError: it did not; send all of them again, the table knows each by its place.
        """
        for start in range(0, len(letters), AT_ONCE):
            self._send(letters[start : start + AT_ONCE])

    def _send(self, letters: Sequence[Letter]) -> None:
        if self._producer is None:
            self._producer = Producer(
                producer_config(self._kafka, message_timeout_ms=str(int(ANSWER_SECONDS * 900)))
                | {"log_level": QUIET}
            )
        faults: list[KafkaError] = []

        def answered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                faults.append(error)

        try:
            for letter in letters:
                self._producer.produce(
                    self._kafka.topic_prefix + TOPIC,
                    key=f"{letter.topic}/{letter.partition}".encode(),
                    value=codec.encode(
                        "DeadLetter", letter.record(round(time.time() * 1000), self._refused_by)
                    ),
                    on_delivery=answered,
                )
        except (BufferError, KafkaException) as error:
            self._producer = None
            raise KafkaAwayError(f"dead letters cannot be queued: {error}") from error
        left = self._producer.flush(ANSWER_SECONDS)
        if left or faults:
            self._producer = None
            why = faults[0].str() if faults else f"no answer within {ANSWER_SECONDS:g} s"
            raise KafkaAwayError(f"{left + len(faults)} dead letters are not acknowledged: {why}")
