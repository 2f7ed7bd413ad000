"""Turn: what one transaction writes, in its order; all of it is there together, or none of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Turn:
    """What came of one look at the topics and the clock.

    Attributes:
        audit: records.
        states: of `deployment-state`: the deployment, and the record.
        profiles: of `profiles`: `deployment/version`, and the profile.
        notes: checkpoints.
    """

    audit: list[bytes] = field(default_factory=list)
    states: list[tuple[str, bytes]] = field(default_factory=list)
    profiles: list[tuple[str, bytes]] = field(default_factory=list)
    notes: list[bytes] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.audit or self.states or self.profiles or self.notes)
