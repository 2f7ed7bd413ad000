"""Group: positions in a consumer group that nothing waits for, and a way out of it that a broker cannot hold up.

For consumers whose records may be read again, because what is made of them counts once.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer, KafkaError, Message

logger = logging.getLogger(__name__)

LEAVE_S: Final = 10.0
"""That a broker may take to let a consumer go; the client would send a last position for as long as it hangs."""


def _committed(error: KafkaError | None, _places: Sequence[TopicPartition]) -> None:
    if error is not None:
        # Another member has the partition by now, or the broker is away.
        logger.warning("the position is not committed: %s", error.str())


TELLING: Final[dict[str, Any]] = {"on_commit": _committed}
"""For the client's configuration: a position that was not taken is told."""


def commit(consumer: Consumer, message: Message) -> None:
    """Let the group go on behind a message, without waiting for the broker."""
    place = TopicPartition(message.topic() or "", message.partition() or 0, (message.offset() or 0) + 1)
    consumer.commit(offsets=[place], asynchronous=True)


def leave(consumer: Consumer, within_s: float = LEAVE_S) -> None:
    """Close a consumer, or give up after `within_s`: the group then misses it when its session ends."""
    closing = threading.Thread(target=consumer.close, name="leave", daemon=True)
    closing.start()
    closing.join(within_s)
    if closing.is_alive():
        logger.warning("the broker did not let go within %.0f s: the last position may be missing", within_s)
