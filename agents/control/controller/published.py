"""Published: what lies in `deployment-state`, and which of it this controller did not write."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from driftline.schemas.deployment_state import DeploymentState, read_record
from driftline.schemas.refusal import Refused
from driftline.schemas.topics import STATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from driftline.agents.audit.topic import Reader
    from driftline.agents.control.controller.turn import Turn

logger = logging.getLogger(__name__)

RESTATE_MS: Final = 60_000
"""How often at most a deployment's record is written again over somebody else's."""
MAX_OWED: Final = 1_000
"""Records of one deployment that were written and not read yet; of more, the first ones pass for somebody else's."""


class Published:
    """Reads the topic, and says what of it is to be written over.

    Attributes:
        reader: of the topic.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._owed: dict[str, deque[bytes]] = {}
        """What was written and not read yet, in order: an old record of our own that comes again is somebody else's."""
        self._foreign: dict[str, bytes] = {}
        self._restated_ms: dict[str, int] = {}

    def hear(self, pairs: Iterable[tuple[bytes, bytes]], known: Collection[str]) -> None:
        """Take in what came; of other deployments than the known ones nothing is to be written."""
        self._foreign |= {name: value for name, value in self.take(pairs)[0].items() if name in known}

    def late(self, now_ms: int) -> dict[str, bytes]:
        """Give somebody else's records that are to be written over now; those of a deployment that just was wait."""
        due = {
            name: value
            for name, value in self._foreign.items()
            if name not in self._restated_ms or abs(now_ms - self._restated_ms[name]) > RESTATE_MS
        }
        for name in due:
            del self._foreign[name]
            self._restated_ms[name] = now_ms
        return due

    def mine(self, turn: Turn) -> None:
        """Know what is about to be written."""
        for name, value in turn.states:
            self._foreign.pop(name, None)
            owed = self._owed.setdefault(name, deque(maxlen=MAX_OWED))
            owed.append(hashlib.sha256(value).digest())

    def take(
        self, pairs: Iterable[tuple[bytes, bytes]]
    ) -> tuple[dict[str, bytes], dict[str, tuple[DeploymentState, ...]]]:
        """Give what lies newest under each key and is not this controller's own, and the settings in it.

        A tombstone is empty. What cannot be read lies there all the same.
        """
        found: dict[str, bytes] = {}
        revisions: dict[str, tuple[DeploymentState, ...]] = {}
        left_out, why = 0, ""
        for key, value in pairs:
            name = key.decode(errors="replace")
            if self._is_mine(name, value):
                found.pop(name, None)
                self._foreign.pop(name, None)
                continue
            found[name] = value
            try:
                read = read_record(key, value) if value else ()
            except Refused as refused:
                left_out, why = left_out + 1, why or str(refused)
                continue
            if read:
                revisions[name] = read
        if left_out:
            logger.warning("%d records of %s are left out, the first: %s", left_out, STATES, why)
        return found, revisions

    def _is_mine(self, name: str, value: bytes) -> bool:
        """Whether a record was written and not read yet; those before it were compacted away, and are owed no more."""
        owed, digest = self._owed.get(name, deque()), hashlib.sha256(value).digest()
        if digest not in owed:
            return False
        while owed.popleft() != digest:
            pass
        return True
