"""Which live emitters say that they hold events back: while one does, no window may close by idleness."""

from __future__ import annotations

from typing import Final

from driftline.schemas import codec
from driftline.schemas.refusal import Refused

LIVE_MS: Final = 60_000
"""An emitter that has said nothing for so long is not live any more."""

MAX_EMITTERS: Final = 100_000
"""Emitters remembered; past it the one silent for longest is forgotten."""


class EmitterWatch:
    """The last word of every emitter on `emitter-status`."""

    def __init__(self) -> None:
        self._holding: dict[tuple[str, int], tuple[str, int]] = {}

    def on_record(self, _key: bytes | None, value: bytes | None, record_time_ms: int) -> None:
        """Take in a record of `emitter-status`; bytes that are none are the archive's to report."""
        if value is None:
            return
        try:
            status = codec.decode_as("EmitterStatus", value)
        except Refused:
            return
        emitter = (status["instance"], status["epoch"])
        if status["closed"] or not any(book["spooled"] for book in status["books"]):
            self._holding.pop(emitter, None)
            return
        if emitter not in self._holding and len(self._holding) >= MAX_EMITTERS:
            del self._holding[min(self._holding, key=lambda one: self._holding[one][1])]
        self._holding[emitter] = (status["deployment"], record_time_ms)

    def holds_back(self, deployment: str, now_ms: int) -> bool:
        """Whether a live emitter of this deployment reports a spool."""
        return any(
            name == deployment and heard_ms >= now_ms - LIVE_MS
            for name, heard_ms in list(self._holding.values())
        )
