"""Members: which instances live, as their signed heartbeats say and the audit tells; time is an argument."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from driftline.agents.control.trust import covers
from driftline.schemas.control.ack import LIVE_MS, Heartbeat

if TYPE_CHECKING:
    from driftline.agents.audit.record import AuditRecord
    from driftline.schemas.control.trust import Agent

logger = logging.getLogger(__name__)

JOINED: Final = "joined"
SILENT: Final = "silent"
LEFT: Final = "left"
MAX_MEMBERS: Final = 2_000
MAX_OF_AGENT: Final = 64
"""Instances that one agent's key may speak for at a time."""
AGAIN_MS: Final = 1_000
"""How often at most one instance is told to have joined, ms."""
STALE_MS: Final = 60_000
"""A heartbeat that was written so long before it came, or after, says nothing of now."""


@dataclass(frozen=True, slots=True)
class Member:
    """One instance.

    Attributes:
        agent: whose key speaks for it.
        boot_id: of its last start.
        deployments: those it serves, or waits for, as far as its key speaks for them.
        joined_ms: since when it is one of the live ones, ms since 1970.
        heard_ms: the broker's time of its last heartbeat.
        said_ms: that heartbeat's own time.
    """

    agent: str
    boot_id: str
    deployments: frozenset[str]
    joined_ms: int
    heard_ms: int
    said_ms: int = 0


class Members:
    """The live instances. Joining and leaving is told in the audit, so that a successor waits for the same.

    A name is an agent's among those that serve a deployment; who serves none of an agent's deployments takes no name
    from it.
    """

    def __init__(self) -> None:
        self._members: dict[tuple[str, str], Member] = {}
        """By the agent and the name."""
        self._served: set[str] = set()
        self._replaced: dict[tuple[str, str], tuple[str, ...]] = {}
        """Boot ids of before, the last ones: one that is heard again is another process of the same name."""
        self._of_two: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        return len(self._members)

    def of(self, deployment: str) -> dict[str, Member]:
        """Those whose answer a change of a deployment waits for."""
        return {name: one for (_, name), one in self._members.items() if deployment in one.deployments}

    def had(self, deployment: str) -> bool:
        """Whether an instance served a deployment ever: then a change waits for one to be live."""
        return deployment in self._served

    def speaks(self, agent: Agent, instance: str, deployment: str) -> bool:
        """Whether an agent may answer for an instance: its own, or one that no other live agent has there."""
        return not self._is_another_s(instance, agent, frozenset((deployment,)))

    def names(self) -> list[str]:
        """All of them, in the order of their names."""
        return sorted(name for _, name in self._members)

    def beat(self, said: Heartbeat, agent: Agent, at_ms: int) -> str | None:
        """Hear a heartbeat.

        Args:
            said: it.
            agent: whose key signed it.
            at_ms: the broker's time of it.

        Returns:
            What is to be told in the audit first, before it counts; None for no news.
        """
        place = (agent.id, said.instance)
        known = self._members.get(place)
        if abs(said.at_ms - at_ms) > STALE_MS or (known is not None and said.at_ms < known.said_ms):
            return None
        if said.is_draining:
            return LEFT if known is not None and known.boot_id == said.boot_id else None
        serves = served(said, agent)
        if known is None or (known.boot_id, known.deployments) != (said.boot_id, serves):
            if self._is_another_s(said.instance, agent, serves) or said.boot_id in self._replaced.get(
                place, ()
            ):
                self._tell_of_two(place)
                return None
            return JOINED if self._may_join(known, agent, at_ms) else None
        self._members[place] = replace(known, heard_ms=max(at_ms, known.heard_ms), said_ms=said.at_ms)
        return None

    def _is_another_s(self, instance: str, agent: Agent, deployments: frozenset[str]) -> bool:
        """Whether another agent's instance of that name serves one of these deployments."""
        return any(
            name == instance and whose != agent.id and not deployments.isdisjoint(one.deployments)
            for (whose, name), one in self._members.items()
        )

    def _tell_of_two(self, place: tuple[str, str]) -> None:
        if place not in self._of_two and len(self._of_two) < MAX_MEMBERS:
            self._of_two.add(place)
            logger.warning(
                "another process of the name %s beats with the key of %s and counts nothing: give each agent a name "
                "of its own (DRIFTLINE_SERVE_INSTANCE)",
                place[1],
                place[0],
            )

    def _may_join(self, known: Member | None, agent: Agent, at_ms: int) -> bool:
        if known is not None:
            return at_ms - known.joined_ms >= AGAIN_MS
        of_agent = sum(one.agent == agent.id for one in self._members.values())
        return len(self) < MAX_MEMBERS and of_agent < MAX_OF_AGENT

    def silent(self, now_ms: int) -> list[tuple[str, str]]:
        """Those that were not heard for too long, and are to be told of: the agent and the name of each."""
        return sorted(place for place, one in self._members.items() if now_ms - one.heard_ms > LIVE_MS)

    def grace(self, now_ms: int) -> None:
        """Take all as heard now: whoever reads an audit has not listened to them yet."""
        self._members = {place: replace(one, heard_ms=now_ms) for place, one in self._members.items()}

    def take(self, record: AuditRecord) -> None:
        """Take in what the audit tells."""
        detail = record.detail or {}
        if record.event == JOINED:
            self._served.update(detail["deployments"])
            before = self._members.get((detail["agent"], record.agent))
            if before is not None and before.boot_id != detail["boot_id"]:
                place = detail["agent"], record.agent
                self._replaced[place] = (*self._replaced.get(place, ()), before.boot_id)[-MAX_OF_AGENT:]
            self._members[detail["agent"], record.agent] = Member(
                agent=detail["agent"],
                boot_id=detail["boot_id"],
                deployments=frozenset(detail["deployments"]),
                joined_ms=record.decided_at_ms,
                heard_ms=detail["heard_ms"],
            )
        elif record.event in (SILENT, LEFT):
            # Earlier records do not say whose it was.
            for whose, name in tuple(self._members):
                if name == record.agent and detail.get("agent", whose) == whose:
                    del self._members[whose, name]
                    self._replaced.pop((whose, name), None)


def served(said: Heartbeat, agent: Agent) -> frozenset[str]:
    """The deployments that an instance names and its key speaks for."""
    return frozenset(one for one in said.revisions if covers(agent.deployments, one))
