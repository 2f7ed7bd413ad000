"""Witnessed: how far each witness has signed the log, by the topic of checkpoints; for people, nothing rests on it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.believed import Believed
from driftline.agents.audit.checkpoint import seen
from driftline.agents.audit.errors import AuditError, NoteError
from driftline.agents.audit.notes import Note
from driftline.agents.audit.topic import LAST_NOTES, NOTES, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.control.trust import TrustState
    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""How often the topic is looked at."""
AGAIN_S: Final = 60.0
"""After one that failed: while brokers are silent, opening the topic holds the controller up for 15 s at most."""


class Witnessed:
    """The greatest checkpoint that each witness of the trust signed.

    Attributes:
        signed: name of a witness -> records below its checkpoint, and when it signed that, s since 1970; 0 and 0 for
            one that signed none of what was read.
    """

    def __init__(self) -> None:
        self.signed: dict[str, tuple[int, int]] = {}

    def take(self, notes: Iterable[bytes], trust: TrustState) -> None:
        """Take in messages of the topic, by the trust of now; what is no checkpoint of the log is left out."""
        believed = Believed.of(trust)
        self.signed = {one.name: self.signed.get(one.name, (0, 0)) for one in believed.witnesses}
        for data in notes:
            try:
                found = seen(Note.parse(data), believed.logs, believed.witnesses)
            except NoteError:
                continue
            if found is not None:
                size = found.checkpoint.size
                self.signed |= {
                    name: (size, at_s) for name, at_s in found.witnesses if size >= self.signed[name][0]
                }


class WitnessWatch:
    """Looks at the topic of checkpoints now and then; opening it waits for brokers, reading it for nothing.

    Args:
        kafka: where the broker is.
    """

    def __init__(self, kafka: Kafka) -> None:
        self.found = Witnessed()
        self._reader: Reader | None = None
        self._kafka, self._next_s = kafka, float("-inf")

    def look(self, trust: TrustState, now_s: float) -> bool:
        """Read what came, when that is due; say whether it was. `now_s` is a monotonic clock, s."""
        if now_s < self._next_s:
            return False
        self._next_s = now_s + LOOK_S
        try:
            if self._reader is None:
                self._reader = Reader(self._kafka, NOTES, last=LAST_NOTES)
            # What the client has fetched since the last look; the first look finds nothing yet, and waits for nothing.
            self.found.take(self._reader.read(0), trust)
        except AuditError as error:
            self._next_s = now_s + AGAIN_S
            logger.warning("how far witnesses are is not known: %s", error)
            return False
        return True

    def close(self) -> None:
        """Leave the topic."""
        if self._reader is not None:
            self._reader.close()
