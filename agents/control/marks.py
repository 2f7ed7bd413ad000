"""Marks: what an agent remembers of all the states that it believed, so that nothing older is shown to it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from driftline.schemas.control.serving_state import TIERS

if TYPE_CHECKING:
    from driftline.schemas.control.serving_state import ServingState, Tier


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """How far each kind of command has come, in the revisions that they expected: older ones count no more.

    Attributes:
        champion, rollout: of what made the last champion, and began the last rollout.
        medium, high: the first revision that was believed at this tier, or at a stricter one; -1 for none.
        latest_ms: the latest time at which a state says it was decided, ms since 1970: a later one may be back-dated.
    """

    champion: int = -1
    rollout: int = -1
    medium: int = -1
    high: int = -1
    latest_ms: int = 0

    def grown(self, state: ServingState, *, champion: int, rollout: int) -> Marks:
        """The marks once a state is believed."""
        found = TIERS.index(state.tier)
        medium = state.revision if self.medium < 0 and found >= TIERS.index("medium") else self.medium
        high = state.revision if self.high < 0 and found >= TIERS.index("high") else self.high
        latest_ms = max(self.latest_ms, state.decided_at_ms)
        return Marks(champion=champion, rollout=rollout, medium=medium, high=high, latest_ms=latest_ms)

    def tier_at(self, revision: int | None) -> Tier:
        """The tier that a deployment had at a revision, or a milder one where that is not known; None is the newest.

        >>> Marks(medium=5).tier_at(4), Marks(medium=5).tier_at(5), Marks(medium=5, high=9).tier_at(None)
        ('low', 'medium', 'high')
        """
        for tier, since in (("high", self.high), ("medium", self.medium)):
            if since >= 0 and (revision is None or revision >= since):
                return tier  # type: ignore[return-value]
        return "low"
