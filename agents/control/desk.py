"""Desk: where commands are decided, one after another; pure, and nothing but the sum of its decisions.

`take` and the other verbs give decisions and apply each; `apply` alone changes the desk. So a desk that applies the
decisions which the audit tells of stands where the one stood that made them, and decides nothing anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.agents.control.admission import Admitted, Arrived, Rejected, Unsigned, admit
from driftline.agents.control.decisions import Decision, Event, history_after
from driftline.agents.control.flood import Flood
from driftline.agents.control.judge import Facts, judge, may_vote, policy_fault
from driftline.agents.control.lifecycle import AT_ONCE, At, activate
from driftline.agents.control.pending import LIMITS_MS, REVIEW_MS, Approval, Book, Review, Waiting
from driftline.agents.control.replays import Seen
from driftline.agents.control.trust import CONTROLLER, changed
from driftline.agents.control.verdicts import UNSEEN, Refusal
from driftline.agents.control.withdrawn import withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.agents.control.history import History
    from driftline.schemas.control.command import Command
    from driftline.schemas.control.serving_state import ServingState, Tier
    from driftline.schemas.control.trust import Person


class Desk:
    """Trust, states, and what waits.

    Args:
        history: of trust, from the first record of the audit.
        look: looks at what a command brings or names outside the desk: the manifest of a register, the settings of a
            configure, the topic of a log-reset, the id of a forget. It gives facts, or why the command cannot be.
        seq: place of the next decision in the audit.
        limits_ms: how long a command waits for approvals, by the tier that it has when it is first judged, ms. It is
            needed where commands are decided alone: until when one waits, its decision tells.
    """

    def __init__(
        self,
        history: History,
        look: Callable[[Command], Facts | Refusal],
        seq: int = 1,
        limits_ms: Mapping[Tier, int] = LIMITS_MS,
    ) -> None:
        self.history = history
        self.states: dict[str, ServingState] = {}
        self.book = Book()
        self.seen = Seen()
        self.seq = seq
        self._flood = Flood()
        self._look, self._limits_ms = look, limits_ms

    def take(self, record: Arrived, now_ms: int) -> list[Decision]:
        """Decide a record of `deployment-control`; `now_ms` the controller's clock. A flooded one gives none."""
        found = admit(record, self.history.now.ring, self.seen, now_ms)
        if isinstance(found, Unsigned | Rejected):
            return self._refused(found, record, now_ms)
        if found.asker is None:
            # By a clock that is behind trust would have changed before what was asked for under it.
            return self._done(self._root(found, max(now_ms, record.at_ms)))
        if found.command.op in ("approve", "deny"):
            return self._vote(found, found.asker, now_ms)
        new = Waiting(
            found.command, found.envelope, found.digest, found.asker.id, found.signers, now_ms, now_ms
        )
        return self._done(self._judged(new, now_ms, "rejected"))

    def flush(self, now_ms: int, *, at_once: bool = True) -> list[Decision]:
        """Tell of the flood since the last call: at once where anything behind it was told of, else once it is due."""
        flooded = self._flood.told() if at_once or self._flood.is_due(now_ms) else None
        return (
            []
            if flooded is None
            else self._done(replace(self._new(now_ms), event="flooded", flooded=flooded))
        )

    def lapse(self, now_ms: int) -> list[Decision]:
        """End what waited too long."""
        made: list[Decision] = []
        for one in self.book.lapsed(now_ms):
            why = Refusal(
                "approvals_missing",
                f"it waited {round((now_ms - one.since_ms) / 3_600_000, 1):,g} h for approvals",
            )
            made += self._done(replace(self._about(one, now_ms), event="lapsed", refusal=why))
        return made

    def move(self, made: ServingState | Refusal, reason: str, now_ms: int) -> list[Decision]:
        """Tell of a revision that the controller made of its own accord, with `at`; a refusal is no decision."""
        if isinstance(made, Refusal):
            return []
        before = self.states.get(made.deployment)
        moved = replace(
            self._new(now_ms), event="moved", by=CONTROLLER, before=before, after=made, reason=reason
        )
        return self._done(moved)

    def at(self, now_ms: int) -> At:
        """When the next decision is made."""
        return At(now_ms, self.seq)

    def apply(self, decision: Decision) -> None:
        """Take a decision in, whoever made it."""
        self.seq = decision.seq + 1
        command, refusal = decision.command, decision.refusal
        if command is not None and decision.by and (refusal is None or refusal.code not in UNSEEN):
            if decision.event != "lapsed":
                # It was decided within minutes of the broker's time: a clock that runs ahead would forget too much.
                self.seen.forget(decision.at_ms)
            self.seen.take(command, decision.by)
        if decision.event == "waits":
            self.book.wait(_waiting(decision))
        elif decision.event == "approved" and decision.envelope is not None:
            self.book.approve(decision.target, Approval(decision.by, decision.signers, decision.envelope))
        elif decision.event in ("denied", "reviewed"):
            self.book.let_go(decision.target)
        elif decision.event in ("decided", "lapsed", "failed"):
            self.book.let_go(decision.digest)
        if decision.after is not None:
            self.states[decision.after.deployment] = decision.after
        if decision.event == "decided" and command is not None and command.break_glass:
            review = Review(decision.digest, command.deployment, decision.by, decision.until_ms)
            self.book.look_at(review)
        self.history = history_after(self.history, decision)

    def _judged(self, waiting: Waiting, now_ms: int, otherwise: Event) -> Decision:
        """Judge a command, new or after it waited; `otherwise` is what a refusal of it is called."""
        found = judge(
            waiting, self.history.now, self.states, self.book, self._look(waiting.command), self.at(now_ms)
        )
        base = replace(self._about(waiting, now_ms), rules=found.rules)
        refusal = found.refusal or self._withdrawn(waiting.command, found.after, now_ms)
        if refusal is None and found.lacking and otherwise == "rejected":
            refusal = self.book.no_room(waiting.by)
        if refusal is not None:
            return replace(base, event=otherwise, refusal=refusal)
        if found.lacking:
            until_ms = waiting.since_ms + self._limits_ms[found.tier]
            return replace(base, event="waits", lacking=found.lacking, until_ms=until_ms)
        before = None if found.after is None else self.states.get(found.after.deployment)
        until_ms = now_ms + REVIEW_MS if waiting.command.break_glass else 0
        return replace(
            base,
            event="decided",
            approvers=found.approvers,
            approvals=found.approvals,
            before=before,
            after=found.after,
            until_ms=until_ms,
        )

    def _withdrawn(self, command: Command, after: ServingState | None, now_ms: int) -> Refusal | None:
        """Why agents would not believe what a command leads to: what it goes back to leans on a revoked key."""
        if after is None or (command.op in AT_ONCE and command.model is None):
            return None
        made = activate(after, self.at(now_ms)) if after.phase == "prepare" else after
        if isinstance(made, Refusal):
            return made
        why = withdrawn(self.states.get(after.deployment), made, self.history)
        return None if why is None else Refusal("precondition_failed", why)

    def _vote(self, found: Admitted, voter: Person, now_ms: int) -> list[Decision]:
        """Count an approval or a denial, and decide the command that it was about."""
        command, target = found.command, found.command.target
        said = replace(self._about(found, now_ms), target=target)
        refusal = may_vote(command, voter, self.history.now, self.states, self.book)
        if refusal is not None:
            return self._done(replace(said, event="rejected", refusal=refusal))
        if self.book.waiting(target) is None:
            return self._done(replace(said, event="reviewed"))
        if command.op == "deny":
            return self._done(
                replace(said, event="denied", refusal=Refusal("forbidden", f"{voter.id} denied it"))
            )
        made = self._done(replace(said, event="approved"))
        waiting = self.book.waiting(target)
        judged = None if waiting is None else self._judged(waiting, now_ms, "failed")
        # One that still lacks approvals waits on; that is no news.
        return made if judged is None or judged.event == "waits" else made + self._done(judged)

    def _root(self, found: Admitted, now_ms: int) -> Decision:
        """Decide what root keys ask for."""
        state, command = self.history.now.ring.state, found.command
        base = replace(self._about(found, now_ms), event="decided")
        if command.op == "log-reset":
            facts = self._look(command)
            return replace(base, event="rejected", refusal=facts) if isinstance(facts, Refusal) else base
        made = changed(state, command, found.signers, now_ms)
        if not isinstance(made, Refusal) and command.op == "policy-set":
            made = policy_fault(command.policy or "") or made
        if isinstance(made, Refusal):
            return replace(base, event="rejected", refusal=made)
        return replace(base, trust=made)

    def _refused(self, found: Unsigned | Rejected, record: Arrived, now_ms: int) -> list[Decision]:
        """Tell of what is not decided; of what anybody may send without end, by itself no more than a flood lets."""
        new = replace(self._new(now_ms), refusal=found.refusal)
        if isinstance(found, Unsigned):
            return self._done(replace(new, unsigned=found)) if self._flood.is_single(record) else []
        # It is not taken in as seen: every copy of it is refused again.
        if not self._flood.is_single(record, is_signed=True):
            return []
        return self._done(
            replace(
                new,
                event="rejected",
                by="" if found.asker is None else found.asker.id,
                command=found.command,
                envelope=found.envelope,
                digest=found.envelope.digest,
                signers=found.signers,
            )
        )

    def _about(self, found: Admitted | Waiting, now_ms: int) -> Decision:
        """A decision about a command that just came, or waits."""
        return replace(
            self._new(now_ms),
            by=found.by,
            command=found.command,
            envelope=found.envelope,
            digest=found.digest,
            signers=found.signers,
        )

    def _new(self, now_ms: int) -> Decision:
        return Decision(seq=self.seq, at_ms=now_ms, event="unsigned", held=self.history.now.ring.state)

    def _done(self, decision: Decision) -> list[Decision]:
        self.apply(decision)
        return [decision]


def _waiting(decision: Decision) -> Waiting:
    """What waits, as the decision tells of it."""
    if decision.command is None or decision.envelope is None:
        raise ValueError("a decision that a command waits carries no command")
    return Waiting(
        decision.command,
        decision.envelope,
        decision.digest,
        decision.by,
        decision.signers,
        decision.at_ms,
        decision.until_ms,
    )
