"""A desk with a clock, for tests: people ask, approve and wait; states are signed as the controller signs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace
from signed import NOW_MS, command, key, model, plain, policy, signed, trust

from driftline.agents.control.admission import Arrived
from driftline.agents.control.decisions import Decision
from driftline.agents.control.desk import Desk
from driftline.agents.control.grants import without
from driftline.agents.control.history import History
from driftline.agents.control.judge import Facts
from driftline.agents.control.lifecycle import At, activate, cancel
from driftline.agents.control.moves import Evidence, next_step
from driftline.agents.control.pending import LIMITS_MS
from driftline.agents.control.signing import sign
from driftline.agents.control.trust import CONTROLLER, first_state
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command, Op, Plan, Step
from driftline.schemas.control.envelope import STATE, Envelope
from driftline.schemas.control.serving_state import Halt, ServingState, Tier
from driftline.schemas.control.trust import Person

PROFILE = "cd" * 32
EVIDENCE = "ef" * 32
NEEDS_REVISION = ("create", "shadow", "canary", "promote", "rollback", "resume", "retire")
PLAN = Plan(steps=(Step(weight=500, bake_s=60, min_rows=100), Step(weight=5_000, bake_s=60, min_rows=100)))
PASS = Evidence("pass", 1_000, PROFILE)


class Office:
    """A desk whose deployment `churn` is of one tier, and a clock that tests move; its own may be ahead of it."""

    def __init__(
        self,
        tier: Tier = "medium",
        history: History | None = None,
        limits_ms: Mapping[Tier, int] = LIMITS_MS,
        ahead_ms: int = 0,
    ) -> None:
        self.tier: Tier = tier
        self.now_ms, self.ahead_ms = NOW_MS, ahead_ms
        self.offset = 0
        self.told: list[Decision] = []
        self.history = history or History.of(first_state(trust(), policy().text), policy().text)
        self.desk = Desk(self.history, self.look, limits_ms=limits_ms)

    def look(self, asked: Command) -> Facts | Refusal:
        """Return what a real controller would find: every manifest is of the office's tier."""
        return Facts(self.tier if asked.op == "register" else None)

    @property
    def clock_ms(self) -> int:
        """Return the time by the controller's clock."""
        return self.now_ms + self.ahead_ms

    @property
    def state(self) -> ServingState:
        """Return the newest state of `churn`."""
        return self.desk.states["churn"]

    def send(self, value: bytes, *, late_ms: int = 0) -> list[Decision]:
        """Let bytes come now, and be decided `late_ms` later."""
        self.offset += 1
        made = self.desk.take(Arrived(value, self.offset, self.now_ms), self.clock_ms + late_ms)
        self.told += made
        return made

    def trusts(self, other: Callable[[Person], Person], *added: Person, late_ms: int = 0) -> None:
        """Let the roots change what trust says of each person, and add some; it is decided `late_ms` later."""
        state = self.desk.history.now.ring.state
        persons = (*map(other, state.trust.persons), *added)
        asked = command(
            "trust-set",
            "",
            at_ms=self.now_ms,
            expected_revision=state.version,
            trust=plain(replace(state.trust, persons=persons)),
        )
        made = self.send(signed(asked, "root-1", "root-2").to_bytes(), late_ms=late_ms)
        assert made[-1].event == "decided", made[-1]

    def build(self, op: Op, **fields: Any) -> Command:
        """Return a command that expects what is so."""
        if op in NEEDS_REVISION and "churn" in self.desk.states:
            fields.setdefault("expected_revision", self.state.revision)
        return command(op, **{"at_ms": self.now_ms, **fields})

    def ask(self, op: Op, *words: str, **fields: Any) -> Decision:
        """Let somebody ask; return the last decision that it led to."""
        return self.send(signed(self.build(op, **fields), *words).to_bytes())[-1]

    def approve(self, waiting: Decision, *words: str, op: Op = "approve", **fields: Any) -> Decision:
        """Let somebody approve, or deny, what waits; return the last decision."""
        return self.ask(op, *words, **{"target": waiting.digest, **fields})

    def prepared(self) -> ServingState:
        """Let all instances have prepared; return the state that is active."""
        if self.state.phase == "prepare":
            made = activate(self.state, self.desk.at(self.clock_ms))
            assert not isinstance(made, Refusal), made
            self.told += self.desk.move(made, "prepared by all", self.clock_ms)
        return self.state

    def does(self, op: Op, *words: str, approvers: tuple[str, ...] = (), **fields: Any) -> ServingState:
        """Let something be asked, approved and prepared; fails unless it took effect."""
        decision = asked = self.ask(op, *words, **fields)
        for word in approvers:
            decision = self.approve(asked, word)
        assert decision.event == "decided", decision
        return self.prepared()

    def registered(self, version: str) -> ServingState:
        """Let Ann register a model, and Val validate it."""
        self.does("register", "ann", model=model(version), manifest="e30=", profile=PROFILE)
        return self.does("validate", "val", model=model(version), evidence=EVIDENCE)

    def created(self, version: str = "1") -> ServingState:
        """Let the deployment have its first champion."""
        self.registered(version)
        approvers = {"low": (), "medium": ("bob",), "high": ("bob", "cat")}[self.tier]
        return self.does("create", "ann", approvers=approvers, model=model(version))

    def canary(self, version: str = "2", plan: Plan = PLAN) -> ServingState:
        """Let a canary be on its first step, beside a champion."""
        if "churn" not in self.desk.states:
            self.created()
        self.registered(version)
        one = () if self.tier == "low" else ("bob",)
        shadowing = ("bob",) if self.tier == "high" else ()
        self.does("shadow", "ann", approvers=shadowing, model=model(version))
        return self.does("canary", "ann", approvers=one, model=model(version), plan=plan)

    def stepped(self) -> ServingState:
        """Let time go on, and a step of the rollout pass."""
        self.now_ms += 61_000
        made = next_step(self.state, PASS, self.desk.at(self.clock_ms))
        assert not isinstance(made, Refusal), made
        self.told += self.desk.move(made, "its windows passed", self.clock_ms)
        return self.state

    def passed(self, version: str = "2") -> ServingState:
        """Let a canary pass all of its steps."""
        self.canary(version)
        self.stepped()
        return self.stepped()

    def promoted(self, version: str = "2", plan: Plan | None = None) -> ServingState:
        """Let a canary pass all of its steps and become champion."""
        self.passed(version)
        approvers = {"low": (), "medium": ("bob",), "high": ("bob", "cat")}[self.tier]
        return self.does("promote", "ann", approvers=approvers, model=model(version), plan=plan)

    def published(self, state: ServingState | None = None, word: str = "controller") -> bytes:
        """Return a state as it lies in `deployment-state`."""
        return sign(STATE, (state or self.state).to_bytes(), key(word)).to_bytes()


def halted(state: ServingState, at: At) -> ServingState | Refusal:
    """Return a state with a halt that no person asked for: no controller makes one, and agents obey it."""
    if state.champion is None or state.halt is not None:
        return Refusal("precondition_failed", "there is nothing to halt")
    made = cancel(state, at)
    halt = Halt(reason="why", by=CONTROLLER, revision=made.revision)
    return replace(made, halt=halt, basis=without(made.basis, "resumed-serving"))


def broken(envelope: Envelope) -> bytes:
    """Return an envelope whose first signature is that of other bytes."""
    first = sign(envelope.payload_type, b"other", key("ann")).signatures[0]
    wrong = type(first)(envelope.signatures[0].keyid, first.sig)
    return Envelope(envelope.payload, envelope.payload_type, (wrong, *envelope.signatures[1:])).to_bytes()


def code(decision: Decision) -> str:
    """Return the code of a refusal; fails when there is none."""
    assert decision.refusal is not None, decision
    return decision.refusal.code


def refused(decision: Decision, *said: str) -> None:
    """Hold that something was refused, and what the sentence says."""
    assert decision.refusal is not None, decision
    for word in said:
        assert word in decision.refusal.sentence


def stages(state: ServingState) -> dict[str, str]:
    """Return the stage of each version."""
    return {one.model.version: one.stage for one in state.versions}


def rolled_out(tier: Tier = "medium") -> Office:
    """Return an office whose canary may be promoted."""
    office = Office(tier)
    office.passed()
    return office


def shadowed(tier: Tier = "medium") -> Office:
    """Return an office whose second version is a shadow."""
    office = Office(tier)
    office.created()
    office.registered("2")
    office.does("shadow", "ann", approvers=("bob",) if tier == "high" else (), model=model("2"))
    return office
