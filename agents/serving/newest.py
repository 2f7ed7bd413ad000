"""Newest: which state of each deployment the audit names last, and whether it is here, whatever else was written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from driftline.agents.serving.awaited import Awaited
from driftline.agents.serving.told import Told, digest_of, said

if TYPE_CHECKING:
    from driftline.schemas.control.serving_state import ServingState


class Newest:
    """Follows the audit and the states beside each other."""

    def __init__(self) -> None:
        self._awaited = Awaited()
        self._tried: dict[str, tuple[str, int]] = {}
        """The newest state of each deployment that was looked at, and how much of the audit was heard by then."""
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
        """Keep a state that a controller signed, as long as the audit may yet name it as the newest."""
        self._awaited.keep(deployment, digest_of(data), data)
        self._awaited.prune(
            deployment, lambda held: self.is_ahead(held) or self.told.is_newest(deployment, held)
        )

    def believed(self, deployment: str, data: bytes) -> None:
        """A state is believed, or was before."""
        self._digests[deployment] = digest_of(data)

    def due(self) -> list[tuple[str, bytes]]:
        """Give the states that are the newest, and were not looked at since the audit went on."""
        found = []
        for deployment in self._awaited:
            newest = self.told.newest(deployment)
            data, mark = self._awaited.get(deployment, newest), (newest, self._heard)
            if data is not None and self._tried.get(deployment) != mark:
                self._tried[deployment] = mark
                found.append((deployment, data))
        return found

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
