"""Doubts: states that came and are not believed yet, because a record of the audit may still be on its way.

The newest state of a deployment is looked at again until it is believed or its time is over. One that a newer record
pushed out is held against what was believed when it came, and told of too: a forged state that is written over is no
less forged, also when both are read at once. Of all that is read at first only the last is looked at.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from driftline.agents.control.verify_state import StateError

if TYPE_CHECKING:
    from driftline.agents.control.verify_state import Believed

DOUBT_S: Final = 10.0
MOST: Final = 100
"""States that were pushed out and wait for their time; beyond them the oldest is told of no more."""


class Judge(Protocol):
    """Who believes."""

    def state(self, deployment: str, data: bytes) -> None:
        """Take a state; raises StateError."""
        ...

    def refused(self, deployment: str, data: bytes, why: str) -> None:
        """A state is not believed."""
        ...

    def wants(self, deployment: str) -> bool:
        """Whether a deployment is served here."""
        ...

    def standing(self, deployment: str) -> Believed | None:
        """What is believed of a deployment now."""
        ...

    def fault(self, deployment: str, data: bytes, before: Believed | None) -> str | None:
        """Why a state would not be believed after another one; None when it would."""
        ...


@dataclass(frozen=True, slots=True)
class Doubt:
    """A state that was not believed at first: since when (s), and what was believed then."""

    deployment: str
    data: bytes
    since_s: float
    before: Believed | None


class Doubts:
    """States that are to be looked at.

    Args:
        judge: who believes them.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._new: dict[str, bytes] = {}
        self._strange: dict[str, bytes] = {}
        """Of deployments that the key is not for, which may change."""
        self._held: dict[str, Doubt] = {}
        self._pushed: deque[Doubt] = deque(maxlen=MOST)
        self._passed: deque[tuple[str, bytes]] = deque(maxlen=MOST)
        """Pushed out before they were looked at."""
        self._has_looked = False

    def clear(self) -> None:
        """Forget all of it."""
        for each in (self._new, self._strange, self._held, self._pushed, self._passed):
            each.clear()
        self._has_looked = False

    def take(self, deployment: str, data: bytes) -> None:
        """Take a state that came, in place of the one before it."""
        if self._has_looked and deployment in self._new:
            self._passed.append((deployment, self._new[deployment]))
        self._new[deployment] = data
        self._strange.pop(deployment, None)
        before = self._held.pop(deployment, None)
        if before is not None:
            self._pushed.append(before)

    def look(self, now_s: float) -> None:
        """Look at what came, and again at what was not believed yet; `now_s` is a monotonic time, s."""
        self._has_looked = True
        for deployment, data in self._passed:
            if self._judge.wants(deployment):
                self._pushed.append(Doubt(deployment, data, now_s, self._judge.standing(deployment)))
        self._passed.clear()
        for deployment, data in {**self._strange, **self._new}.items():
            self._strange.pop(deployment, None)
            if self._judge.wants(deployment):
                self._believe(Doubt(deployment, data, now_s, self._judge.standing(deployment)), now_s)
            else:
                self._strange[deployment] = data
        self._new.clear()
        for held in list(self._held.values()):
            if held.since_s != now_s:
                self._believe(held, now_s)
        while self._pushed and now_s - self._pushed[0].since_s >= DOUBT_S:
            pushed = self._pushed.popleft()
            why = self._judge.fault(pushed.deployment, pushed.data, pushed.before)
            if why is not None:
                self._judge.refused(pushed.deployment, pushed.data, why)

    def _believe(self, one: Doubt, now_s: float) -> None:
        self._held.pop(one.deployment, None)
        try:
            self._judge.state(one.deployment, one.data)
        except StateError as error:
            if now_s - one.since_s < DOUBT_S:
                self._held[one.deployment] = one
            else:
                self._judge.refused(one.deployment, one.data, str(error))
