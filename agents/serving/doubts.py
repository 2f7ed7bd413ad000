"""Doubts: states that came and are not believed, because they are forged or a record of the audit is on its way still.

1. A state that is not served here is not kept, and of one that no controller signed no more than what is told of it.
   When trust changes, whoever reads begins again at the first state: what was not kept is looked at then.
2. The newest state of a deployment, if a controller signed it, is looked at again until it is believed or its time is
   over.
3. One that no controller signed takes the place of none that one did. One that a newer record wrote over is held
   against what was believed when it came, and told of too: a forged state that is written over is no less forged, also
   when both are read at once. Of all that is read at first, or read again, only the last is looked at; nothing is told
   of twice.
4. Who is told of is one thing, what is believed another: of a state that a controller signed the judge keeps what the
   audit may yet name as the newest, and takes it then, whatever came behind it and however much there is to tell.
5. What anybody may send without end takes a bounded memory, and a bounded number of lines and acks.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from driftline.agents.control.verify_state import StateError
from driftline.agents.serving.ratelimit import RateLimit
from driftline.agents.serving.told import digest_of, said

if TYPE_CHECKING:
    from driftline.agents.control.verify_state import Believed
    from driftline.agents.serving.judge import Judge

logger = logging.getLogger(__name__)

DOUBT_S: Final = 10.0
AHEAD_S: Final = 60.0
"""Of a state whose record of the audit was not heard yet."""
MOST_UNSIGNED: Final = 100
"""States that no controller signed, and records that cannot be read, each told of by itself a minute."""
MOST_SIGNED: Final = 20
"""States that a controller's key signed and that are not believed, a minute; they are kept for `DOUBT_S`."""
MOST_BYTES: Final = 32 << 20
"""Of states that wait for a look; with more they are looked at early, and what is not believed then is only counted."""
NOTE_BYTES: Final = 1 << 10
"""What is kept of a state beside its bytes, about."""
MOST_READ: Final = 1_000
"""Of unsigned states among those that wait for a look, whose revision is looked for."""
MOST_WORDS: Final = 300
"""Letters of a reason."""
MOST_TOLD: Final = 1_000
"""Signed states that were told of, which are known again when they are read again."""


@dataclass(frozen=True, slots=True)
class Came:
    """A state that came.

    Attributes:
        deployment: which one it was found under.
        offset: where it lies.
        revision: that it claims, if no controller signed it; 0 where it was not looked for.
        data: its envelope; empty when no controller signed it.
        why: none did; empty when one did.
    """

    deployment: str
    offset: int
    revision: int
    data: bytes
    why: str

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return len(self.data) + NOTE_BYTES


@dataclass(frozen=True, slots=True)
class Doubt:
    """A state that is not believed: why, since when (s), what was believed then, and whether it lay there at first."""

    came: Came
    why: str
    since_s: float
    before: Believed | None
    is_first: bool


class Doubts:
    """States that are to be looked at; times are monotonic, s.

    Args:
        judge: who believes them.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._signed, self._unread = RateLimit(MOST_SIGNED), RateLimit(MOST_UNSIGNED)
        # Apart, so that nobody hides a forged state of what serves among those of deployments that they invent.
        self._of_served, self._of_others = RateLimit(MOST_UNSIGNED), RateLimit(MOST_UNSIGNED)
        self.clear()

    def clear(self) -> None:
        """Forget all of it: another first reading begins."""
        self._new: dict[str, Came] = {}
        self._new_bytes = 0
        self._held: dict[str, Doubt] = {}
        """The newest of their deployments."""
        self._over: dict[int, Doubt] = {}
        """Written over by newer ones; by offset."""
        self._told: deque[int] = deque(maxlen=MOST_TOLD)
        self._end = 0
        self._looked: int | None = None
        """Offset before which all was read at the last look; None before the first one."""

    @property
    def is_unsure(self) -> bool:
        """Whether a state that a controller signed, and that lay there at first, is in doubt."""
        return any(one.is_first and one.came.data for one in self._held.values())

    def unreadable(self, offset: int, error: Exception, now_s: float) -> None:
        """Tell of a record that holds no state."""
        if not self._is_again(offset) and self._unread.allows(now_s):
            logger.warning("record %d of the states cannot be read: %.300s", offset, error)
        self._end = max(self._end, offset + 1)

    def take(self, deployment: str, data: bytes, offset: int, now_s: float) -> None:
        """Take a state, in place of the one of its deployment before it."""
        self._end = max(self._end, offset + 1)
        if not self._judge.wants(deployment):
            return
        why = self._judge.unsigned(deployment, data)
        kept = b"" if why else data
        if kept:
            self._judge.keep(deployment, data)
        # Reading it takes longer than finding that nobody signed it: in a flood it is left alone.
        is_read = not kept and len(self._new) < MOST_READ and self._limit(deployment, kept).has_room(now_s)
        revision = _revision(data) if is_read else 0
        came = Came(deployment, offset, revision, kept, (why or "")[:MOST_WORDS])
        if not kept and deployment in self._new and self._new[deployment].data:
            self._overtaken(came, now_s)
            return
        before = self._new.pop(deployment, None)
        if before is not None:
            self._new_bytes -= before.size_bytes
            self._overtaken(before, now_s)
        self._new[deployment] = came
        self._new_bytes += came.size_bytes
        if self._new_bytes > MOST_BYTES:
            self._hurry()

    def look(self, now_s: float) -> None:
        """Look at what came, once all that lies there was read, and again at what was not believed yet."""
        self._judge.settle()
        for came in self._new.values():
            if self._is_beside(came):
                self._overtaken(came, now_s)
                continue
            self._give_way(came)
            self._believe(came, now_s)
        self._new.clear()
        self._new_bytes = 0
        self._looked = self._end
        for held in [one for one in self._held.values() if one.since_s != now_s]:
            self._believe(held.came, now_s)
        for over in [one for one in self._over.values() if now_s - one.since_s >= self._lasts_s(one.came)]:
            del self._over[over.came.offset]
            why = self._fault(over.came, over.before)
            if why:
                self._tell(over.came, why)
        for limit, what in (
            (self._signed, "states that a controller signed are not believed"),
            (self._of_served, "states of what serves, which no controller signed, are not believed"),
            (self._of_others, "states that no controller signed are not believed"),
            (self._unread, "records of the states cannot be read"),
        ):
            more = limit.suppressed(now_s)
            if more:
                logger.warning("%d more %s", more, what)

    def _is_again(self, offset: int) -> bool:
        """Whether a record is read again."""
        return self._looked is not None and offset < self._looked

    def _refusal(self, came: Came) -> str | None:
        """Take a state; why it is not believed, or None."""
        if came.why:
            return came.why
        try:
            self._judge.state(came.deployment, came.data)
        except StateError as error:
            return str(error)[:MOST_WORDS]
        return None

    def _fault(self, came: Came, before: Believed | None) -> str | None:
        """Why a state would not be believed after another one; None when it would."""
        return came.why or self._judge.fault(came.deployment, came.data, before)

    def _is_beside(self, came: Came) -> bool:
        """Whether no controller signed a state, and one did that waits to be believed: it takes the place of none."""
        held = self._held.get(came.deployment)
        return held is not None and bool(held.came.data) and not came.data

    def _give_way(self, came: Came) -> None:
        """Let the doubt that there is be of a state that was written over, if another one came."""
        held = self._held.get(came.deployment)
        if held is not None and held.came.offset != came.offset:
            self._over[held.came.offset] = self._held.pop(came.deployment)

    def _believe(self, came: Came, now_s: float) -> None:
        """Believe the newest state of a deployment, or doubt it."""
        held = self._held.get(came.deployment)
        before, why = self._judge.standing(came.deployment), self._refusal(came)
        if why is None:
            self._held.pop(came.deployment, None)
        elif held is None:
            is_told = self._is_again(came.offset) and (not came.data or came.offset in self._told)
            if not is_told and self._limit(came.deployment, came.data).allows(now_s):
                self._held[came.deployment] = Doubt(came, why, now_s, before, self._looked is None)
        elif now_s - held.since_s < self._lasts_s(came):
            self._held[came.deployment] = replace(held, came=came, why=why)
        else:
            del self._held[came.deployment]
            self._tell(came, why)

    def _overtaken(self, came: Came, now_s: float) -> None:
        """Judge a state that was written over before it was looked at."""
        held = self._held.get(came.deployment)
        if held is not None and held.came.offset == came.offset:
            self._over[came.offset] = self._held.pop(came.deployment)
        doubt = self._over.get(came.offset)
        if doubt is not None:
            if self._fault(came, doubt.before) is None:
                del self._over[came.offset]
        elif self._looked is not None and not self._is_again(came.offset):
            before = self._judge.standing(came.deployment)
            why = self._fault(came, before)
            if why is not None and self._limit(came.deployment, came.data).allows(now_s):
                self._over[came.offset] = Doubt(came, why, now_s, before, is_first=False)

    def _hurry(self) -> None:
        """Look at all that is here before its time."""
        self._judge.settle()
        for came in self._new.values():
            if self._is_beside(came):
                continue
            self._give_way(came)
            if self._refusal(came) is not None and not self._is_again(came.offset):
                self._limit(came.deployment, came.data).suppress()
        self._new.clear()
        self._new_bytes = 0

    def _lasts_s(self, came: Came) -> float:
        """How long a state is doubted before it is told of."""
        return AHEAD_S if came.data and self._judge.is_ahead(came.data) else DOUBT_S

    def _limit(self, deployment: str, kept: bytes) -> RateLimit:
        if kept:
            return self._signed
        return self._of_others if self._judge.standing(deployment) is None else self._of_served

    def _tell(self, came: Came, why: str) -> None:
        if came.data:
            self._told.append(came.offset)
        revision = _revision(came.data) if came.data else came.revision
        self._judge.refused(came.deployment, revision, why, digest_of(came.data) if came.data else "")


def _revision(data: bytes) -> int:
    """The revision that the envelope of a state claims; 0 when there is none."""
    state = said(data)
    return 0 if state is None else state.revision
