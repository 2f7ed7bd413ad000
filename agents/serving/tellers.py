"""Tellers: the Emitters behind the doors, by version and slot: bounded, and held to what they say of what they took."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from driftline.agents.serving.errors import TOO_MANY, UNAVAILABLE, AnswerError, ServingError, bad_request
from driftline.schemas.names import name_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.emit import Emitter

logger = logging.getLogger(__name__)

MAX_EMITTERS: Final = 16
"""Versions and slots of one deployment that are told of, beside its labels; each has threads and a connection."""
IDLE_S: Final = 60.0
"""A version that nobody told of for so long makes room for another."""
CLOSE_S: Final = 10.0
"""How long the Emitter of one that made room may take to deliver, s."""
AGAIN_S: Final = 5
"""When what found no room may be sent again, s."""
REFUSALS: Final = ("buffer_full", "spool_full", "invalid", "closed")
"""Why an Emitter turns away what it is offered, by its books."""

CHAMPION: Final = "champion"
LABELS: Final = "labels"
"""The version that emitters of labels alone are called by."""

Key: TypeAlias = tuple[str, str, str]
"""Deployment, version, slot."""


class _Teller:
    __slots__ = ("emitter", "used_s")

    def __init__(self, emitter: Emitter) -> None:
        self.emitter, self.used_s = emitter, 0.0

    @property
    def turned_away(self) -> int:
        """Rows that it was offered in vain."""
        dropped = self.emitter.stats().dropped
        return sum(dropped.get(reason, 0) for reason in REFUSALS)


class Tellers:
    """Emitters that bodies are told through, one body after another.

    Args:
        make: gives the Emitter of a deployment, version and slot.
    """

    def __init__(self, make: Callable[[str, str, str], Emitter]) -> None:
        self._make = make
        self._held: dict[Key, _Teller] = {}
        self._before: dict[Key, int] = {}
        """Whom this body told, and how many rows they had turned away before."""
        self._unmade: dict[Key, str] = {}
        """Whom it could not be told by, and what was said of that."""

    def begin(self) -> None:
        """Begin a body."""
        self._before, self._unmade = {}, {}

    def of(self, deployment: str, version: str, slot: str) -> Emitter:
        """Give the Emitter of a deployment, version and slot; raises AnswerError where there can be none."""
        key = (deployment, version, slot)
        found = self._held.get(key)
        if found is None:
            for what, name in (("version", version), ("slot", slot)):
                wrong = name_fault(name)
                if wrong is not None:
                    raise bad_request(f"the {what} {name[:80]!r} is no name: {wrong}")
            if key != (deployment, LABELS, CHAMPION):  # predictions of many versions keep no label out
                self._make_room(deployment)
            found = self._held[key] = _Teller(self._made(key))
        found.used_s = time.monotonic()
        if key not in self._before:
            self._before[key] = found.turned_away
        return found.emitter

    def turned_away(self) -> int:
        """How many rows of this body the Emitters turned away."""
        return sum(self._held[key].turned_away - before for key, before in self._before.items())

    def close(self, timeout_s: float) -> None:
        """Deliver what is there, and end."""
        for one in self._held.values():
            one.emitter.close(timeout_s)

    def _made(self, key: Key) -> Emitter:
        """Make an Emitter, once in a body: what keeps one line's from being made does so for thousands."""
        if key not in self._unmade:
            try:
                return self._make(*key)
            except ServingError as error:
                logger.warning("nothing comes through the doors: %s", error)
                self._unmade[key] = f"{error}: send it again later"
        # Anew each time: one that is raised again holds every frame that it came through.
        raise AnswerError(UNAVAILABLE, self._unmade[key], AGAIN_S)

    def _make_room(self, deployment: str) -> None:
        """Let one more version be told of; raises AnswerError while as many are in use as may be."""
        its = deployment, LABELS, CHAMPION
        held = [(one.used_s, key) for key, one in self._held.items() if key[0] == deployment and key != its]
        if len(held) < MAX_EMITTERS:
            return
        used_s, oldest = min(held)
        if oldest in self._before or time.monotonic() - used_s < IDLE_S:
            sentence = f"{MAX_EMITTERS} versions and slots of {deployment} are told of here already"
            raise AnswerError(TOO_MANY, sentence, round(IDLE_S))
        idle = self._held.pop(oldest).emitter
        threading.Thread(target=idle.close, args=(CLOSE_S,), name="door-closes", daemon=True).start()


def no_room(rows: int) -> AnswerError:
    """What is said where Emitters turned away all rows of a body."""
    sentence = f"{rows:,} rows find no room, for Kafka does not take what waits: send them again later"
    return AnswerError(UNAVAILABLE, sentence, AGAIN_S)


def lost_rows(rows: int) -> str:
    """What is said where Emitters turned away some rows of a body: sent again, the others would be told twice."""
    return f"{rows:,} rows found no room, and are lost: send fewer at a time"
