"""Reach: a client of Kafka that lives long says in one line a minute that no broker answers, in place of hundreds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import logging

    from driftline.schemas.settings import Kafka

INTERVAL_S: Final = 60.0
ALL_AWAY: Final = "_ALL_BROKERS_DOWN"
"""The error by which librdkafka says that no broker is left."""
QUIET: Final = 2
"""The level above which librdkafka writes no line of its own to stderr: it writes one each attempt."""


class Reach:
    """Hears a client's errors.

    Args:
        kafka: where the brokers are.
        logger: where to say that none of them answers.
    """

    def __init__(self, kafka: Kafka, logger: logging.Logger) -> None:
        self._bootstrap, self._logger = kafka.bootstrap, logger
        self._why, self._said_s = "", float("-inf")

    def hear(self, error: Any) -> None:  # noqa: ANN401 - a KafkaError, which nothing here may import
        """Take an error; that of one broker is why, and that none is left is said, once a minute."""
        if error.name() != ALL_AWAY:
            self._why = error.str()
            return
        now_s = time.monotonic()
        if now_s - self._said_s >= INTERVAL_S:
            self._said_s = now_s
            self._logger.warning(
                "Kafka at %s is out of reach, and is tried again: %s",
                self._bootstrap,
                self._why or error.str(),
            )


def reach(kafka: Kafka, logger: logging.Logger) -> dict[str, Any]:
    """What such a client adds to its configuration; arguments as those of `Reach`."""
    return {"log_level": QUIET, "error_cb": Reach(kafka, logger).hear}
