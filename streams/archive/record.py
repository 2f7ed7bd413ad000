"""Record: one message of the log as plain values, so that readers need no broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftline.streams.archive.letter import Headers


@dataclass(frozen=True, slots=True)
class Record:
    """One message. `topic` is the name without prefix; `time_ms` the broker's time of it, -1 for none."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    key: bytes | None
    value: bytes
    headers: Headers
