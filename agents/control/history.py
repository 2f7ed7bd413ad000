"""History of trust: which state of it, and which policy, held when. What was signed is judged by what held then."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.agents.control.policy import Policy
from driftline.agents.control.trust import Keyring
from driftline.schemas.control.trust import TrustState

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Rule:
    """Trust and policy from a time on.

    Attributes:
        since_ms: when the record of the audit was decided that says so, ms since 1970.
        ring: the keys.
        policy: whose digest the trust state names.
    """

    since_ms: int
    ring: Keyring
    policy: Policy


class History:
    """All that ever held, oldest first; the first one holds for all time before it too.

    Args:
        rules: at least one, in the order of the audit.

    Raises:
        ValueError: there is none, or a policy is not the one that its trust state names.
    """

    __slots__ = ("_since", "rules")

    def __init__(self, rules: Sequence[Rule]) -> None:
        wrong = next((one for one in rules if one.policy.digest != one.ring.state.policy), None)
        if not rules or wrong is not None:
            raise ValueError("a history of trust needs one rule at least, each with the policy that it names")
        self.rules = tuple(rules)
        self._since = [one.since_ms for one in self.rules]

    @classmethod
    def of(cls, state: TrustState, policy: str, since_ms: int = 0) -> History:
        """The history of an installation that changed nothing yet."""
        return cls([Rule(since_ms, Keyring(state), Policy(policy))])

    @property
    def now(self) -> Rule:
        """What holds now."""
        return self.rules[-1]

    def then(self, since_ms: int, state: TrustState, policy: str) -> History:
        """The history with one more state; its time is never before that of the one before it."""
        held = self.now.policy
        kept = held if held.text == policy else Policy(policy)
        since = max(since_ms, self.now.since_ms)
        return History([*self.rules, Rule(since, Keyring(state), kept)])

    def at(self, moment_ms: int) -> Rule:
        """What held at a time."""
        return self.rules[max(0, bisect_right(self._since, moment_ms) - 1)]

    def between(self, first_ms: int, last_ms: int) -> tuple[Rule, ...]:
        """All that held at some time of a span, oldest first."""
        first = max(0, bisect_right(self._since, first_ms) - 1)
        last = max(first, bisect_right(self._since, last_ms) - 1)
        return self.rules[first : last + 1]

    def is_revoked(self, keyid: str) -> bool:
        """Whether a key counts no more, now."""
        return any(one.key == keyid for one in self.now.ring.state.revocations)
