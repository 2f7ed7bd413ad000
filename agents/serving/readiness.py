"""Readiness: whether a balancer is to send anybody here yet, and if not, why."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.agents.serving.belief import Belief
    from driftline.agents.serving.director import Director

logger = logging.getLogger(__name__)

CATCH_UP_S: Final = 10.0
"""How long a restarted agent waits for Kafka before it is ready with what it believed before."""


class Readiness:
    """Whether an agent serves what it should, as far as it can know.

    Args:
        belief: what it believes; by now that of the life before, if there was one.
        directors: what carries states out, by deployment; they are looked at alone.
    """

    def __init__(self, belief: Belief, directors: Mapping[str, Director]) -> None:
        self._belief, self._directors = belief, directors
        self.is_first_life: Final = not belief.believed
        self._is_behind = not self.is_first_life
        self._began_s = time.monotonic()
        self._heard = False
        self._said: str | None = None

    def note_heard(self) -> None:
        """All that was committed is read."""
        self._heard = True

    def lacking(self) -> str | None:
        """Why it is not ready; None when it is."""
        if not self._belief.is_known:
            return "the trust names its key for no agent: the roots add it there with 'driftline trust set'"
        if not self._heard and (self.is_first_life or not self._directors):
            return "no state was heard yet"
        found = next(((name, one.lacking) for name, one in self._directors.items() if one.lacking), None)
        if found is None and not self._directors:
            found = next(iter(self._belief.halts.doubted.items()), None)
        return self._behind() if found is None else f"{found[0]}: {found[1]}"

    def unheard(self) -> str | None:
        """Why it may know too few deployments; None once all states were read, or it is ready all the same."""
        return None if self._heard or self.lacking() is None else "not all states were heard yet"

    def tell(self) -> None:
        """Log why it is not ready, whenever that is another reason than before."""
        said = self.lacking()
        if said != self._said:
            self._said = said
            logger.info("not ready: %s", said) if said else logger.info("ready")

    def _behind(self) -> str | None:
        """Why a restarted agent has not caught up with what was changed meanwhile; None once it has, or never will."""
        if not self._is_behind:
            return None
        if not self._heard and time.monotonic() - self._began_s < CATCH_UP_S:
            return "its newest state was not heard yet"
        if self._heard and any(not one.is_done for one in self._directors.values()):
            return "its newest state is being carried out"
        self._is_behind = False
        return None
