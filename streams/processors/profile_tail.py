"""The topics of profiles and settings, followed: the book that a worker looks versions up in, and what feeds it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.schemas.topics import STATES, topic
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.processors.tail import TopicTail

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

logger = logging.getLogger(__name__)

PROFILE_WAIT_S: Final = 2.0
FIRST_READ_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Followed:
    """The book of profiles, that of settings, and the threads that feed them, settings first."""

    profiles: ProfileBook
    declared: SettingsBook
    tails: tuple[TopicTail, ...]

    def start(self) -> None:
        """Read both topics to their ends, and go on following them; settings say what of a profile is kept."""
        for tail in self.tails:
            tail.start()
            first_read(tail)

    def stop(self) -> None:
        """End the threads; waits for each at most five seconds."""
        for tail in reversed(self.tails):
            tail.stop()


def followed(settings: Settings, *, keeps_truth: bool = False) -> Followed:
    """Make the books and their threads, which are not started; an unknown version has the topic asked for it."""
    prefix, declared = settings.kafka.topic_prefix, SettingsBook()
    book = ProfileBook(
        lambda: tail.caught_up(PROFILE_WAIT_S),
        declared=declared,
        keeps_truth=keeps_truth,
        keeps_drift=not keeps_truth,
    )
    tail = TopicTail(settings, prefix + topic("profiles").name, book.on_record)

    def on_settings(key: bytes | None, value: bytes | None, record_time_ms: int) -> None:
        declared.on_record(key, value, record_time_ms)
        if book.lacks_hours((key or b"").decode("utf-8", "replace")):
            tail.read_again()

    return Followed(book, declared, (TopicTail(settings, prefix + STATES, on_settings), tail))


def first_read(tail: TopicTail) -> None:
    """Wait until what the topic holds has been read; a broker that is slow is said, and not waited for longer."""
    if not tail.caught_up(FIRST_READ_S):
        logger.warning("%s was not read to its end within %.0f s: going on", tail.topic, FIRST_READ_S)
