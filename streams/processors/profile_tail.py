"""The topic of profiles, followed: the book that a worker looks versions up in, and the thread that feeds it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from driftline.schemas.topics import topic
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.processors.tail import TopicTail

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

logger = logging.getLogger(__name__)

PROFILE_WAIT_S: Final = 2.0
FIRST_READ_S: Final = 60.0


def followed_profiles(settings: Settings, *, keeps_truth: bool = False) -> tuple[ProfileBook, TopicTail]:
    """Make the book and its thread, which is not started; the book asks it when it meets an unknown version."""
    book = ProfileBook(lambda: tail.caught_up(PROFILE_WAIT_S), keeps_truth=keeps_truth)
    tail = TopicTail(settings, settings.kafka.topic_prefix + topic("profiles").name, book.on_record)
    return book, tail


def first_read(tail: TopicTail) -> None:
    """Wait until what the topic holds has been read; a broker that is slow is said, and not waited for longer."""
    if not tail.caught_up(FIRST_READ_S):
        logger.warning("%s was not read to its end within %.0f s: going on", tail.topic, FIRST_READ_S)
