"""Sending: a challenger's batches until the broker has acknowledged them; while it is away they are sent again."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException, Producer

from driftline.schemas.clients import producer_config
from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from confluent_kafka import KafkaError, Message

    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

ANSWER_S: Final = 60.0
"""That a batch waits for the broker before it is sent again."""
_SLICE_S: Final = 0.5
"""That a stop may have to wait."""
_AGAIN_S: Final = 1.0
_AWAY: Final = frozenset(("_MSG_TIMED_OUT", "_TIMED_OUT", "_TRANSPORT", "_PURGE_QUEUE", "_PURGE_INFLIGHT"))
"""Errors by which the client gives up a batch that the broker has not refused."""


class ChallengerError(DriftlineError):
    """A challenger that cannot go on."""


class Sending:
    """Batches of one deployment on their way; for one thread.

    What was sent twice has one seal, and counts once. Held are the batches between two calls of `settle`, which are as
    many as are read at once.

    Args:
        kafka: where the brokers are.
        topic: where batches go.
        deployment: whose they are.
        reach: what hears of a Kafka that is out of reach, for the client's configuration.
    """

    def __init__(self, kafka: Kafka, topic: str, deployment: str, reach: Mapping[str, Any]) -> None:
        self._topic, self._deployment = topic, deployment
        self._producer = Producer(
            {**producer_config(kafka, message_timeout_ms=int(ANSWER_S * 1_000)), **reach}
        )
        self._held: dict[int, tuple[bytes, int]] = {}
        self._count, self._why, self._refusal = 0, "", ""

    def put(self, data: bytes, place: int) -> None:
        """Send a batch into a partition."""
        self._count += 1
        self._held[self._count] = data, place
        self._send(self._count)

    def settle(self, stopping: threading.Event) -> bool:
        """Wait until all batches are acknowledged, however long that takes; whether they are.

        They are not when somebody stops it first: what is on its way then may arrive or not.

        Raises:
            ChallengerError: the broker refuses a batch, which no waiting mends.
        """
        while self._is_left(stopping):
            if stopping.is_set():
                self._held.clear()
                self._producer.purge()
                return False
            logger.warning(
                "what was scored of %r is not acknowledged (%s), and is sent again",
                self._deployment,
                self._why,
            )
            stopping.wait(_AGAIN_S)
            for number in list(self._held):
                self._send(number)
        return True

    def _is_left(self, stopping: threading.Event) -> bool:
        """Let the broker answer, which ends with the time of each batch or a stop; whether batches are left."""
        until_s = time.monotonic() + 2 * ANSWER_S
        while self._producer.flush(_SLICE_S) and not stopping.is_set():
            if time.monotonic() > until_s:
                # The client gives up each batch by itself before; what it keeps all the same is not kept twice.
                self._producer.purge()
        if self._refusal:
            raise self._refused(self._refusal)
        return bool(self._held)

    def _send(self, number: int) -> None:
        data, place = self._held[number]
        told = partial(self._delivered, number)
        try:
            self._producer.produce(self._topic, data, self._deployment.encode(), place, on_delivery=told)
        except KafkaException as error:
            raise self._refused(str(error)) from error

    def _delivered(self, number: int, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self._held.pop(number, None)
        elif error.name() in _AWAY:
            self._why = error.str()
        else:
            self._refusal = error.str()

    def _refused(self, why: str) -> ChallengerError:
        return ChallengerError(
            f"what was scored of {self._deployment!r} is not acknowledged ({why}): start again, and it goes on "
            "where it was"
        )
