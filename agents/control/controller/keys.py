"""Keys: the two of a controller, held against what trust names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.agents.control.controller.errors import ControllerError

if TYPE_CHECKING:
    from driftline.agents.control.keys import Key
    from driftline.agents.control.trust import Keyring


@dataclass(frozen=True, slots=True)
class Keys:
    """The key that signs states, and the one that signs checkpoints."""

    states: Key
    checkpoints: Key

    def require(self, ring: Keyring) -> None:
        """See that trust names both; raises ControllerError when it does not."""
        for what, key, known in (
            ("states", self.states, ring.controllers),
            ("checkpoints", self.checkpoints, ring.checkpoints),
        ):
            if key.keyid not in known:
                is_revoked = any(one.key == key.keyid for one in ring.state.revocations)
                mend = (
                    "it was revoked, and never counts again; name another"
                    if is_revoked
                    else "'driftline trust set' adds it, or name another"
                )
                raise ControllerError(f"trust names no key {key.keyid[:16]} for {what}: {mend}")
