"""Published: what lies in `deployment-state`, and which of it this controller did not write."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from driftline.schemas import codec
from driftline.schemas.deployment_state import TOPIC, DeploymentState, read_record
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.agents.audit.topic import Reader
    from driftline.agents.control.controller.turn import Turn

logger = logging.getLogger(__name__)

MAX_MINE: Final = 20_000
"""Records of this tenure that are known again when they are read."""


class Published:
    """Reads the topic.

    Attributes:
        reader: of the topic.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._mine: set[bytes] = set()
        self._order: deque[bytes] = deque()

    def mine(self, turn: Turn) -> None:
        """Know what is about to be written."""
        for _, value in turn.states:
            digest = hashlib.sha256(value).digest()
            if digest not in self._mine:
                self._mine.add(digest)
                self._order.append(digest)
        while len(self._order) > MAX_MINE:
            self._mine.discard(self._order.popleft())

    def take(
        self, values: Iterable[bytes]
    ) -> tuple[dict[str, bytes], dict[str, tuple[DeploymentState, ...]]]:
        """Give the newest record by deployment that is not this controller's own, and the settings in it.

        What cannot be read is left out; so is a tombstone, whose deployment nobody can tell from its value.
        """
        found: dict[str, bytes] = {}
        revisions: dict[str, tuple[DeploymentState, ...]] = {}
        for value in values:
            if hashlib.sha256(value).digest() in self._mine:
                continue
            try:
                name = codec.decode_as("DeploymentState", value)["deployment"]
                found[name] = value
                read = read_record(name.encode(), value)
            except Refused as refused:
                logger.warning("a record of %s is left out: %s", TOPIC, refused)
                continue
            if read:
                revisions[name] = read
        return found, revisions
