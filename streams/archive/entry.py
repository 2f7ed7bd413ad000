"""Entry: one record of the log after intake, ready to be stored or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftline.schemas.shapes import Identity
    from driftline.streams.archive.letter import Letter, Retry


@dataclass(slots=True)
class Entry:
    """One record.

    `content` is what its topic's reader made of it, None for a refused one, whose `letter` says why. `rows` counts what
    it adds to its table; `identity` is the seal that tells a copy from a new batch; `retry` names the dead letter that
    was sent again with this record.
    """

    offset: int
    time_ms: int
    size_bytes: int
    rows: int = 0
    content: Any = None
    deployment: str = ""
    identity: Identity | None = None
    letter: Letter | None = None
    retry: Retry | None = None
