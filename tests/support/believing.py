"""A controlled agent without Kafka: an office that publishes signed states, and what the agent says to it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from office import Office
from office_audit import HERE
from served import Kept, Package, Shelf, settings
from signed import key, policy, signed, trust

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.record import GENESIS, NO_HASH, AuditRecord, Genesis
from driftline.agents.audit.writer import resumed
from driftline.agents.control.decisions import Decision
from driftline.agents.control.telling import told
from driftline.agents.serving.agent import Agent
from driftline.agents.serving.controlled import Controlled
from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.command import Op
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.settings import Control

FIRST = AuditRecord(
    seq=0,
    prev_hash=NO_HASH,
    event=GENESIS,
    decided_at_ms=0,
    genesis=Genesis(trust=trust(), policy=policy().text),
).to_bytes()
PIN = hashlib.sha256(FIRST).hexdigest()


def followed(office: Office) -> list[bytes]:
    """Return what the audit tells behind its first record of all that an office decided."""
    chain = Chain(PIN)
    chain.take(FIRST)
    log, found = resumed(chain), list[bytes]()
    for decision in office.told:
        event, fields = told(decision, HERE)
        found.append(log.append(event, decision.at_ms, **fields))
    return found


class Post:
    """What an agent said: acks and commands."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, bytes]] = []

    def say(self, topic: str, name: str, value: bytes) -> None:
        """Keep a record."""
        self.said.append((topic, name, value))

    @property
    def acks(self) -> list[Ack]:
        """Acks, in order."""
        return [
            Ack.from_bytes(Envelope.from_bytes(value).body)
            for topic, _, value in self.said
            if topic == "acks"
        ]


class Life:
    """One life of a controlled agent in a folder; make another one for a restart."""

    def __init__(
        self,
        folder: Path,
        office: Office,
        *packages: Package,
        word: str = "serving-1",
        keeps: bool = True,
        **fields: Any,
    ) -> None:
        self.office, self.post, self.kept = office, Post(), Kept(whole=keeps)
        whole = msgspec.structs.replace(settings(**fields), control=Control(genesis=PIN))
        self.agent = Agent(whole, "test-0", Shelf(*packages).fetch, folder, self.kept.make)
        self.controlled = Controlled(self.agent, key(word), folder, self.post.say, lambda: office.now_ms)

    def hears(self) -> None:
        """Let it hear the audit from its first record on, as from Kafka."""
        self.controlled.anew()
        self.controlled.audit(FIRST)
        self._heard = 0
        self.follows()

    def follows(self, seq: int | None = None) -> bool:
        """Let it hear what the office decided since, or up to a record; say whether trust changed."""
        records = followed(self.office)[self._heard : seq]
        self._heard += len(records)
        changed = [self.controlled.audit(one) for one in records]
        return any(changed)

    async def sees(self, *decisions: Decision) -> None:
        """Show it the states of decisions, each carried out before the next; there are no others."""
        for decision in decisions:
            self.follows(decision.seq)
            if decision.after is not None:
                self.controlled.state("churn", self.office.published(decision.after))
                await self.settled()
        self.controlled.news()
        await asyncio.sleep(0)

    async def catches_up(self) -> None:
        """Show it the newest state, as a compacted topic does."""
        self.follows()
        self.controlled.state("churn", self.office.published())
        await self.settled()

    async def settled(self) -> None:
        """Wait until all is carried out."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await self.controlled.settled()

    async def end(self) -> None:
        """Stop."""
        await self.controlled.close()
        await self.agent.close()

    @property
    def slots(self) -> Any:
        """What serves in `churn`."""
        return self.agent.swappers["churn"].deployment.slots

    def outcomes(self) -> list[tuple[int, str]]:
        """Revisions and outcomes that were acked."""
        return [(one.revision, one.outcome) for one in self.post.acks]


def lived(
    folder: Path, begin: Callable[[Office], None], whole: Callable[[Office, Life], Awaitable[None]]
) -> None:
    """Run a test with an agent of low tier that caught up with what began; it has packages of versions 1 to 3."""

    async def bounded() -> None:
        office = Office("low")
        life = Life(folder, office, *(Package(version, tier="low") for version in "123"))
        life.hears()
        begin(office)
        await life.catches_up()
        async with asyncio.timeout(60):
            await whole(office, life)
        await life.end()

    asyncio.run(bounded())


async def says(office: Office, life: Life, op: Op, **fields: Any) -> str:
    """Give the agent a command of Oli's itself, a second later; return its envelope."""
    office.now_ms += 1_000
    asked = signed(office.build(op, **fields), "oli").to_bytes().decode()
    life.controlled.command(msgspec.json.encode({"command": asked}))
    await life.settled()
    return asked


def beat(value: bytes) -> Heartbeat:
    """Read a heartbeat."""
    return Heartbeat.from_bytes(Envelope.from_bytes(value).body)
