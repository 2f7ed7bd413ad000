"""An agent for tests: it has believed all that an office published, and is shown what a thief would show it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from office import Office
from signed import model, signed

from driftline.agents.control.verify_state import Believed, StateError, verify_state
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.serving_state import Grant, ServingState, Tier

DAY_MS = 86_400_000


def text(envelope: Envelope) -> str:
    """Return an envelope as grants carry it."""
    return envelope.to_bytes().decode()


class Agent:
    """An agent that has believed all that an office published, and is shown more."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.believed: Believed | None = None
        for decision in office.told:
            if decision.after is not None:
                self.sees(office.published(decision.after), at_ms=decision.at_ms)

    def sees(self, data: bytes, at_ms: int | None = None, tiers: dict[str, Tier] | None = None) -> Believed:
        """Let the agent be shown the bytes of a state."""
        now_ms = self.office.now_ms if at_ms is None else at_ms
        self.believed = verify_state(
            data, "churn", self.believed, self.office.desk.history, now_ms, tiers or {}, ()
        )
        return self.believed

    def is_shown(self, **fields: Any) -> Believed:
        """Let a thief of the controller's key sign the newest state with other fields, and show it."""
        state = self.office.state
        changed = {"revision": state.revision + 1, "decided_at_ms": self.office.now_ms, **fields}
        return self.sees(self.office.published(replace(state, **changed)))

    def refuses(self, said: str, **fields: Any) -> None:
        """Hold that the agent does not believe that, and goes on believing what it did."""
        before = self.believed
        with pytest.raises(StateError, match=said):
            self.is_shown(**fields)
        assert self.believed == before


def stood(state: ServingState, of: str) -> Grant:
    """Return the grant of what stands."""
    return next(one for one in state.basis if one.of == of)


def swapped(state: ServingState, of: str, grant: Grant) -> tuple[Grant, ...]:
    """Return a basis with another grant in the place of one."""
    return (*(one for one in state.basis if one.of != of), replace(grant, of=of))


def unapproved(office: Office, *approvals: str, **fields: Any) -> Grant:
    """Return the promotion of version 3 by Ann, with approvals by some keys; arguments replace fields of it."""
    asked = signed(office.build("promote", model=model("3"), **fields), "ann")
    texts = [
        text(signed(office.build("approve", deployment="", target=asked.digest), word)) for word in approvals
    ]
    return Grant(of="champion", command=text(asked), approvals=tuple(texts))
