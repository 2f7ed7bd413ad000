"""Letter: a refused record as it goes to the dead-letter topic, and the mark of one that is sent again.

A dead letter is named by the topic, partition and offset where the record first lay. A retry sends the same bytes to
the same topic, where they get another offset; a header carries the first name, so that a record that is still bad
comes back as the same dead letter, not as a second one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPIC = "dead-letter"
RETRY_HEADER = "driftline-retry"
# What a record may hold so that its letter, with all it says beside that, stays below the bound of DeadLetter.
MOST_BYTES: Final = 2_400_000
_SHOWN_BYTES: Final = 1_000
_UTF8_BYTES: Final = 4
Headers = tuple[tuple[str, bytes | None], ...]


class Retry(msgspec.Struct, frozen=True):
    """Which dead letter a record is: where it first lay, why it was refused, how often it was judged before."""

    topic: str
    partition: int
    offset: int
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One refused record: the name of its dead letter, why, and the record whole, a retry's header included."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    def record(self, refused_ms: int, refused_by: str) -> dict[str, Any]:
        """Give the DeadLetter record of the contract."""
        return {
            "source_topic": self.topic,
            "source_partition": self.partition,
            "source_offset": self.offset,
            "source_time_ms": self.time_ms,
            "key": self.key,
            "value": self.value,
            "headers": [{"name": name, "value": value} for name, value in self.headers],
            "reason": self.reason,
            "detail": self.detail,
            "refused_ms": refused_ms,
            "refused_by": refused_by,
        }


def fitted(letter: Letter) -> Letter:
    """The letter, if it can travel; else without what the record holds, of which `detail` says how much it was.

    A broker holds a record against its topic's bound as it was compressed: what it took may be far larger.
    """
    size = sum(len(part or b"") for part in (letter.key, letter.value))
    size += sum(len(name) * _UTF8_BYTES + len(value or b"") for name, value in letter.headers)
    if size <= MOST_BYTES:
        return letter
    key = (letter.key or b"")[:_SHOWN_BYTES]
    return replace(
        letter,
        key=key if letter.key is not None else None,
        value=None,
        headers=(),
        detail=f"{letter.detail}; its {size:,} bytes are more than a dead letter holds, and are not kept",
    )


def retry_header(retry: Retry) -> bytes:
    """Encode the header of a record that is sent again."""
    return msgspec.json.encode(retry)


def retry_of(headers: Iterable[tuple[str, bytes | None]]) -> Retry | None:
    """Read the header of a record that was sent again; None without one, or when it cannot be read."""
    for name, value in headers:
        if name == RETRY_HEADER and value is not None:
            try:
                return msgspec.json.decode(value, type=Retry)
            except msgspec.DecodeError:
                return None
    return None


def without_retry(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    """Give the headers as the producer sent them."""
    return tuple((name, value) for name, value in headers if name != RETRY_HEADER)
