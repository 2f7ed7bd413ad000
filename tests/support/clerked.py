"""A clerk in memory: topics as lists, turns that are committed or lost, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlled import INSTANCES, PROFILE, package, serving_trust
from signed import INSTALLATION, NOW_MS, command, key, number, policy, signed

from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.writer import begin
from driftline.agents.control.admission import Arrived
from driftline.agents.control.controller.clerk import Clerk
from driftline.agents.control.controller.keys import Keys
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.controller.outside import Outside
from driftline.agents.control.controller.turn import Turn
from driftline.agents.control.controller.vouched import Vouched
from driftline.agents.control.pending import LIMITS_MS
from driftline.agents.control.signing import sign
from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.command import Op
from driftline.schemas.control.envelope import ACK, HEARTBEAT, Envelope
from driftline.schemas.control.serving_state import ServingState, Tier

TOPICS = {"deployment-control": "topic-a", "acks": "topic-b"}
KEYS = Keys(key("controller"), key("checkpoint"))


class Room:
    """One installation: what lies in its topics, and the clerk that is at work.

    Attributes:
        now_ms: the time.
        limits_ms: how long commands wait for approvals, of the clerk that begins next.
        audit, states, notes: what was committed.
        commands, acks: what was sent, and how far it was read.
        clerk: at work.
    """

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.limits_ms: Mapping[Tier, int] = LIMITS_MS
        _, first = begin(serving_trust(), policy().text, NOW_MS)
        self.audit, self.notes = [first], list[bytes]()
        self.states: list[tuple[str, bytes]] = []
        self.commands: list[Arrived] = []
        self.acks: list[Arrived] = []
        self.heard = 0
        self.clerk = self.begun()
        self.commit(self.clerk.inherit({}, self.now_ms))

    def begun(self) -> Clerk:
        """Return a clerk that stands where the audit ends."""
        outside = Outside(lambda: TOPICS["deployment-control"], None)
        vouched = Vouched(self.notes)
        ledger = Ledger(
            iter(self.audit), digest(self.audit[0]), outside.look, vouched=vouched, limits_ms=self.limits_ms
        )
        outside.ring = lambda: ledger.desk.history.now.ring
        return Clerk(ledger, KEYS, outside, TOPICS)

    def crash(self) -> None:
        """Lose whatever was not committed, and begin again."""
        self.clerk = self.begun()
        self.clerk.ledger.members.grace(self.now_ms)

    def commit(self, turn: Turn) -> None:
        """Let a turn be there."""
        self.audit += turn.audit
        self.states += turn.states
        self.notes += turn.notes

    def turn(self, *, is_lost: bool = False) -> list[AuditRecord]:
        """Let the clerk decide what came; return what it tells."""
        place = self.clerk.ledger.place
        turn = self.clerk.turn(self.commands[place.offset :], self.acks[self.heard :], self.now_ms)
        if is_lost:
            self.crash()
            return []
        self.heard = len(self.acks)
        self.commit(turn)
        return [AuditRecord.from_bytes(one) for one in turn.audit]

    def put(self, value: bytes) -> None:
        """Let bytes come as a command."""
        self.commands.append(Arrived(value, len(self.commands), self.now_ms))

    def send(self, op: Op, *words: str, **fields: Any) -> Envelope:
        """Let somebody ask."""
        if op in ("create", "canary", "promote", "rollback", "shadow", "resume", "retire"):
            held = self.state
            fields.setdefault("expected_revision", 0 if held is None else held.revision)
        envelope = signed(command(op, **{"at_ms": self.now_ms, **fields}), *words)
        self.put(envelope.to_bytes())
        return envelope

    def ask(self, op: Op, *words: str, **fields: Any) -> list[AuditRecord]:
        """Let somebody ask and the clerk decide."""
        self.send(op, *words, **fields)
        return self.turn()

    def registered(self, *versions: str) -> None:
        """Let versions be registered and validated."""
        for version in versions:
            made = package(version)
            self.ask("register", "ann", model=made.model, manifest=made.manifest, profile=PROFILE)
            self.ask("validate", "val", model=made.model, evidence="ef" * 32)

    def beat(self, *names: str, **fields: Any) -> None:
        """Let instances say that they live."""
        for name in names or INSTANCES:
            said = Heartbeat(
                **{
                    "installation": INSTALLATION,
                    "instance": name,
                    "boot_id": number(f"boot of {name}"),
                    "at_ms": self.now_ms,
                    "revisions": {"churn": 0},
                    "free_bytes": 1,
                    **fields,
                }
            )
            self._say(sign(HEARTBEAT, said.to_bytes(), key(name)))

    def ack(self, name: str, outcome: str, *, word: str = "", **fields: Any) -> None:
        """Let an instance answer the newest revision."""
        state = self.state
        said = Ack(
            **{
                "installation": INSTALLATION,
                "deployment": "churn",
                "revision": 0 if state is None else state.revision,
                "instance": name,
                "boot_id": number(f"boot of {name}"),
                "outcome": outcome,
                "at_ms": self.now_ms,
                **fields,
            }
        )
        self._say(sign(ACK, said.to_bytes(), key(word or name)))

    @property
    def state(self) -> ServingState | None:
        """What is so in `churn`."""
        return self.clerk.ledger.desk.states.get("churn")

    def _say(self, envelope: Envelope) -> None:
        self.acks.append(Arrived(envelope.to_bytes(), len(self.acks), self.now_ms))


def created() -> Room:
    """Return a room whose three instances serve the first champion."""
    room = Room()
    room.registered("1", "2")
    room.beat()
    room.turn()
    room.ask("create", "ann", model=package("1").model)
    for outcome in ("prepared", "activated"):
        for name in INSTANCES:
            room.ack(name, outcome)
        room.turn()
    assert room.state is not None
    assert room.state.champion == package("1").model
    return room
