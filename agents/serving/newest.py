"""Newest: which state of each deployment the audit names last, and whether it is here, whatever else was written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from driftline.agents.serving.awaited import Awaited
from driftline.agents.serving.told import Told, digest_of, said

if TYPE_CHECKING:
    from driftline.schemas.control.serving_state import ServingState


AGAIN_LOOKS: Final = 50
"""Looks after which a newest state that was not believed is looked at again: clocks and keys change."""


class Newest:
    """Follows the audit and the states beside each other."""

    def __init__(self) -> None:
        self._awaited = Awaited()
        self._tried: dict[str, tuple[str, int]] = {}
        """The newest state of each deployment that was looked at in vain, and at which look."""
        self._looks = 0
        self._digests: dict[str, str] = {}
        """Of what is believed, as the audit names it."""
        self.restart()

    def restart(self) -> None:
        """The audit is heard from its first record again."""
        self.told, self._heard = Told(), 0

    def hear(self, data: bytes) -> None:
        """Take the next record of the audit; raises AuditError for rubbish."""
        self.told.take(data)
        self._heard += 1

    def keep(self, deployment: str, data: bytes) -> None:
        """Keep a state that a controller signed, unless it is believed, as long as it may be named as the newest."""
        digest = digest_of(data)
        if digest == self._digests.get(deployment) or not self._waits(deployment, digest, data):
            return
        self._awaited.keep(deployment, digest, data)
        self._awaited.prune(deployment, lambda held, one: self._waits(deployment, held, one))
        self._tried.pop(deployment, None)

    def believed(self, deployment: str, data: bytes) -> None:
        """A state that is the newest is believed, or was before."""
        digest = self._digests[deployment] = digest_of(data)
        self._awaited.prune(
            deployment, lambda held, one: held != digest and self._waits(deployment, held, one)
        )

    def due(self) -> list[tuple[str, bytes]]:
        """Give the states that are the newest; those that were not believed are given again after a while."""
        self._looks += 1
        found = []
        for deployment in self._awaited:
            newest = self.told.newest(deployment)
            data, (tried, look) = self._awaited.get(deployment, newest), self._tried.get(deployment, ("", 0))
            if data is not None and (tried != newest or self._looks - look >= AGAIN_LOOKS):
                self._tried[deployment] = (newest, self._looks)
                found.append((deployment, data))
        return found

    def again(self) -> None:
        """Trust changed: what was not believed may be."""
        self._tried.clear()

    def is_ahead(self, data: bytes) -> bool:
        """Whether a state says that a record tells of it which was not heard yet."""
        state = said(data)
        return state is not None and state.audit_seq >= self._heard

    def is_behind(self, deployment: str, believed: ServingState) -> bool:
        """Whether the audit names a newer state than what is believed, which never came."""
        newest = self.told.newest(deployment)
        if not newest or self._awaited.get(deployment, newest) is not None:
            return False
        held = self._digests.get(deployment)
        if held is None:
            held = self._digests[deployment] = hashlib.sha256(believed.to_bytes()).hexdigest()
        return held != newest

    def _waits(self, deployment: str, digest: str, data: bytes) -> bool:
        return digest == self.told.newest(deployment) or self.is_ahead(data)
