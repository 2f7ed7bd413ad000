"""Clerk: from what came, and the time, to what one transaction writes; pure, and all it remembers is the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.agents.audit.record import Source
from driftline.agents.control.controller import phases, rollouts
from driftline.agents.control.controller.answers import ACKED
from driftline.agents.control.controller.configured import INHERITED, inherited
from driftline.agents.control.controller.heard import heard
from driftline.agents.control.controller.members import JOINED, LEFT, SILENT, served
from driftline.agents.control.controller.news import ADVISED, ALERTED, advised
from driftline.agents.control.controller.resets import PASSED_OVER
from driftline.agents.control.controller.turn import Turn
from driftline.agents.control.controller.windows import Windows
from driftline.agents.control.moves import baked
from driftline.agents.control.signing import sign
from driftline.agents.control.telling import told, unread
from driftline.agents.control.withdrawn import without_withdrawn
from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.envelope import STATE, Envelope
from driftline.schemas.topics import ACKS, COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.agents.control.admission import Arrived
    from driftline.agents.control.controller.keys import Keys
    from driftline.agents.control.controller.ledger import Ledger
    from driftline.agents.control.controller.outside import Outside
    from driftline.agents.control.decisions import Decision
    from driftline.agents.control.flood import Flooded
    from driftline.agents.control.verdicts import Refusal
    from driftline.schemas.control.serving_state import ServingState
    from driftline.schemas.control.trust import Agent
    from driftline.schemas.deployment_state import DeploymentState

RESTATED: Final = "restated"
JUDGE_MS: Final = 1_000
"""How often rollouts are looked at, at most."""


class Clerk:
    """Writes the ledger.

    Args:
        ledger: where the audit ends.
        keys: those of this controller.
        outside: what commands bring and name.
        topics: ids of the topics that are read, by their names.

    Raises:
        ControllerError: trust names another key.
    """

    def __init__(self, ledger: Ledger, keys: Keys, outside: Outside, topics: Mapping[str, str]) -> None:
        self.ledger, self._keys, self._outside, self._topics = ledger, keys, outside, topics
        self._turn = Turn()
        self.windows = Windows()
        """What rollouts are judged by; whoever reads the topic fills it."""
        self._judged_ms = 0
        self.check_keys()

    def check_keys(self) -> None:
        """See that trust names both keys still; raises ControllerError when it does not."""
        self._keys.require(self.ledger.desk.history.now.ring)

    def inherit(self, revisions: Mapping[str, tuple[DeploymentState, ...]], now_ms: int) -> Turn:
        """Take over the settings that were published before there was a controller, once, and sign what is there.

        Raises:
            ControllerError: settings are too large to be taken over.
        """
        self._turn = Turn()
        if not self.ledger.configured.has_inherited:
            for detail in inherited(revisions):
                self._write(INHERITED, now_ms, detail=detail)
        self._sign()
        return self._turn

    @property
    def deployments(self) -> set[str]:
        """Those that have a record in `deployment-state`."""
        return self.ledger.desk.states.keys() | self.ledger.configured.revisions.keys()

    def restate(self, published: Mapping[str, bytes], names: Iterable[str], now_ms: int) -> Turn:
        """Say again what is so where `deployment-state` says something else: what is gone, or forged."""
        self._turn = Turn()
        for name in sorted(self.deployments.intersection(names)):
            value = self.value(name)
            if published.get(name) != value:
                lacks = "another record lies there" if published.get(name) else "its record is gone"
                self._write(RESTATED, now_ms, deployment=name, reasons=(lacks,))
                self._turn.states.append((name, value))
        self._sign()
        return self._turn

    def turn(
        self,
        commands: Sequence[Arrived],
        acks: Sequence[Arrived],
        now_ms: int,
        passed: Flooded | None = None,
    ) -> Turn:
        """Decide what came.

        Args:
            commands: the next records of `deployment-control`.
            acks: those of `acks`.
            now_ms: the controller's clock, ms since 1970.
            passed: what lies before a log-reset among the commands.

        Returns:
            What is to be written; when that fails, the clerk is of no use any more.

        Raises:
            AuditError: a record cannot be written.
        """
        self._turn, desk = Turn(), self.ledger.desk
        self.windows.follow({name for name, state in desk.states.items() if rollouts.is_under_way(state)})
        # First this: an approval that comes after the limit, as after an outage, is too late.
        for decision in desk.lapse(now_ms):
            self._tell(decision, None)
        is_told = False
        for one in commands:
            for decision in desk.take(one, now_ms):
                self._tell(decision, self._source(COMMANDS, one.offset))
                is_told = True
        # By what is told the audit says how far commands were read: what was held back before that is told with it.
        for decision in desk.flush(now_ms, at_once=is_told):
            self._tell(decision, None)
        if passed is not None:
            why = "came before the log-reset of their topic: whoever asked asks again"
            self._write(PASSED_OVER, now_ms, reasons=(why,), unread=unread(passed))
        for one in acks:
            self._hear(one, now_ms)
        for advice in self.ledger.news.fresh(desk.states, now_ms):
            self._write(ADVISED, now_ms, **advised(advice))
        for agent, name in self.ledger.members.silent(now_ms):
            self._write(SILENT, now_ms, agent=name, reasons=("not heard for 30 s",), detail={"agent": agent})
        self._all_go_on(now_ms)
        self._sign()
        return self._turn

    def move(self, made: ServingState | Refusal, reason: str, now_ms: int, **more: Any) -> None:  # noqa: ANN401 - fields of AuditRecord
        """Tell of a revision that the controller makes of its own accord."""
        for decision in self.ledger.desk.move(made, reason, now_ms):
            self._tell(decision, None, **more)

    def value(self, deployment: str) -> bytes:
        """The record of `deployment-state` that says what is so."""
        state = self.ledger.desk.states.get(deployment)
        serving = None if state is None else sign(STATE, state.to_bytes(), self._keys.states).to_bytes()
        return self.ledger.configured.record(deployment, serving)

    def _all_go_on(self, now_ms: int) -> None:
        """Do what is due in every deployment."""
        states = self.ledger.desk.states
        for deployment in sorted(states):
            self._go_on(deployment, now_ms)
        if abs(now_ms - self._judged_ms) >= JUDGE_MS:  # the clock may be set back
            self._judged_ms = now_ms
            for deployment in sorted(self.windows.followed & states.keys()):
                self._judge(deployment, now_ms)

    def _go_on(self, deployment: str, now_ms: int) -> None:
        """Do for a deployment what is due."""
        desk, ledger = self.ledger.desk, self.ledger
        state, members = desk.states[deployment], ledger.members.of(deployment)
        is_served = ledger.members.had(deployment)
        answers = ledger.answers.round(deployment)
        due = phases.next_phase(state, answers, members, desk.history, desk.at(now_ms), is_served=is_served)
        if due is not None:
            self.move(*due, now_ms)
        gone = without_withdrawn(desk.states[deployment], desk.history, desk.at(now_ms))
        if gone is not None:
            self.move(*gone, now_ms)
        state = desk.states[deployment]
        if state.previous is not None and now_ms >= state.bake_until_ms:
            self.move(baked(state, desk.at(now_ms)), "the bake time is over", now_ms)
        found = phases.convergence(desk.states[deployment], ledger.answers.round(deployment), members, now_ms)
        if found is not None:
            event, reasons = found
            revision = desk.states[deployment].revision
            self._write(event, now_ms, deployment=deployment, reasons=reasons, detail={"revision": revision})

    def _judge(self, deployment: str, now_ms: int) -> None:
        """Let windows move a rollout on, or take it back."""
        desk = self.ledger.desk
        settings = self.ledger.configured.newest(deployment).settings
        due = rollouts.next_move(desk.states[deployment], self.windows, settings, desk.at(now_ms))
        if due is not None:
            self.move(due.state, due.reason, now_ms, checks=due.checks)

    def _tell(self, decision: Decision, source: Source | None, **more: Any) -> None:  # noqa: ANN401 - fields of AuditRecord
        """Write a decision, and what follows from it."""
        event, fields = told(decision, source)
        self._write(event, decision.at_ms, **{**fields, **more})
        command = decision.command if decision.event == "decided" else None
        deployment = decision.after.deployment if decision.after is not None else ""
        if command is not None and command.op == "configure":
            deployment = command.deployment
        if deployment:
            self._turn.states.append((deployment, self.value(deployment)))
        firing = self.ledger.news.firing(deployment)
        if decision.after is not None and firing and _changes(decision):
            detail = {"alerts": firing, "revision": decision.after.revision}
            self._write(ALERTED, decision.at_ms, deployment=deployment, detail=detail)
        if command is not None and command.op == "register" and command.model is not None:
            profile = self._outside.profile(command)
            if profile is not None:
                self._turn.profiles.append((f"{command.deployment}/{command.model.version}", profile))

    def _hear(self, one: Arrived, now_ms: int) -> None:
        """Hear an ack or a heartbeat; whatever no agent's key signed counts nothing, nor what another agent's did."""
        found = heard(one, self.ledger.desk.history.now.ring)
        if found is None:
            return
        said, agent, envelope = found
        if isinstance(said, Heartbeat):
            self._beat(said, agent, one, now_ms)
        elif self.ledger.members.speaks(
            agent, said.instance, said.deployment
        ) and self.ledger.answers.is_news(said):
            self._acked(said, agent, envelope, one, now_ms)

    def _beat(self, said: Heartbeat, agent: Agent, one: Arrived, now_ms: int) -> None:
        news = self.ledger.members.beat(said, agent, one.at_ms)
        detail = {
            "agent": agent.id,
            "boot_id": said.boot_id,
            "deployments": sorted(served(said, agent)),
            "heard_ms": one.at_ms,
        }
        if news == JOINED:
            self._write(JOINED, now_ms, agent=said.instance, detail=detail)
        elif news == LEFT:
            left = {"agent": agent.id}
            self._write(LEFT, now_ms, agent=said.instance, reasons=("it drains",), detail=left)

    def _acked(self, said: Ack, agent: Agent, envelope: Envelope, one: Arrived, now_ms: int) -> None:
        self._write(
            ACKED,
            now_ms,
            envelope=envelope.to_bytes().decode(),
            deployment=said.deployment,
            agent=said.instance,
            reasons=(said.reason,) if said.reason else (),
            source=self._source(ACKS, one.offset),
            detail={
                "agent": agent.id,
                "at_ms": said.at_ms,
                "boot_id": said.boot_id,
                "outcome": said.outcome,
                "revision": said.revision,
                "seconds": said.seconds,
                **({"refused_state": said.state} if said.state else {}),
            },
        )

    def _sign(self) -> None:
        """Sign the end: a turn that adds records ends with a checkpoint, or no controller would go on from it."""
        if not self.ledger.log.is_signed:
            self._turn.notes.append(self.ledger.log.checkpoint(self._keys.checkpoints).to_bytes())

    def _write(self, event: str, now_ms: int, **fields: Any) -> None:  # noqa: ANN401 - fields of AuditRecord
        _, data = self.ledger.write(event, now_ms, **fields)
        self._turn.audit.append(data)

    def _source(self, topic: str, offset: int) -> Source:
        return Source(topic=topic, topic_id=self._topics[topic], partition=0, offset=offset)


def _changes(decision: Decision) -> bool:
    """Whether what serves is another after it, or is to be."""
    before, after = decision.before, decision.after
    if before is None or after is None:
        return after is not None and after.champion is not None
    what = ("champion", "rollout", "halt", "shadows", "prepares", "is_retired")
    return any(getattr(before, name) != getattr(after, name) for name in what)
