"""Belief: what this process believes of trust and of states, and why; nothing that Kafka says is taken on faith.

The audit is followed from its pinned first record, so that trust changes only as its roots signed; a state is believed
as `verify_state` says. Local halts and rollbacks are held against the same trust. Time is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord
from driftline.agents.control.ended import Ended
from driftline.agents.control.trust import covers
from driftline.agents.control.verify_state import Believed, StateError, signed_state, verify_state
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.halts import Halts
from driftline.agents.serving.learned import Learned
from driftline.agents.serving.memory import Kept
from driftline.agents.serving.newest import Newest
from driftline.agents.serving.orders import Local, impossible, ordered, over, with_one
from driftline.agents.serving.settled import settled
from driftline.agents.serving.told import said
from driftline.schemas.control.command import is_name
from driftline.schemas.control.serving_state import ServingState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.agents.control.history import History
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import Tier

_NO_TRUST: Final = "no record of the audit was heard yet, so that no key is known"
MOST_LOCAL: Final = 1_000
"""Ids of local commands that are remembered, so that none is obeyed twice; and commands that wait to be told."""


class Belief:
    """What is believed.

    Args:
        genesis: pinned digest of record 0 of the audit.
        key: id of the agent's own key, which says for which deployments it acts.
        kept: of an earlier life.

    Raises:
        ServingError: what was kept is that of another installation.
    """

    def __init__(self, genesis: str, key: str, kept: Kept | None = None) -> None:
        kept = kept or Kept()
        self._genesis, self._key = genesis, key
        self._learned: Learned | None = None
        self._records: list[str] = []
        self.believed: dict[str, Believed] = dict(kept.believed)
        self.local: dict[str, tuple[Local, ...]] = dict(kept.local)
        self._seen: list[str] = list(kept.seen)
        self.halts, self.newest = Halts(), Newest()
        self.untold: tuple[str, ...] = kept.untold
        """Envelopes of local commands that the controller was not told of, also of those that no longer hold."""
        for text in kept.records:
            self._learn(text)
        self.restart()

    def restart(self) -> None:
        """Begin to hear the audit from its first record again; until it is heard, what was kept holds."""
        self._chain, self._ended = Chain(self._genesis), Ended()
        self.newest.restart()
        self._heard = 0

    @property
    def kept(self) -> Kept:
        """What to keep."""
        return Kept(
            records=tuple(self._records),
            believed=self.believed,
            local=self.local,
            seen=tuple(self._seen),
            untold=self.untold,
        )

    @property
    def history(self) -> History | None:
        """Trust and policy; None before the first record was heard."""
        return None if self._learned is None else self._learned.history

    @property
    def installation(self) -> str:
        """Id of the installation; empty before the first record was heard."""
        return "" if self.history is None else self.history.now.ring.state.trust.installation

    def package_keys(self, ref: ModelRef) -> Mapping[str, bytes]:
        """Who may have signed a package: every person who ever could; which package serves is for commands to say.

        A key that was revoked counts only for what serves by what is believed: else no agent could start again.
        """
        if self.history is None:
            return {}
        history, serves = self.history, any(ref in one.state.loaded for one in list(self.believed.values()))
        known = (one for rule in history.rules for one in rule.ring.persons.items())
        return {keyid: public for keyid, public in known if serves or not history.is_revoked(keyid)}

    @property
    def is_known(self) -> bool:
        """Whether trust names this agent's key, as far as it was heard."""
        return self.history is None or self._key in self.history.now.ring.serving

    def serves(self, deployment: str) -> bool:
        """Whether this agent's key is for a deployment."""
        agent = None if self.history is None else self.history.now.ring.serving.get(self._key)
        return agent is not None and covers(agent.deployments, deployment) and is_name(deployment)

    def silenced(self, deployment: str, silent_s: float) -> str | None:
        """Why nobody is to be answered by what is believed; None when all are."""
        found = self.believed.get(deployment)
        return self.halts.silenced(deployment, None if found is None else found.state, silent_s)

    def hear(self, data: bytes) -> bool:
        """Take the next record of the audit; say whether trust changed.

        Raises:
            AuditError: it does not follow the one before, or claims what the roots did not sign.
        """
        before = self._chain.believed if self._chain.has_begun else None
        self._ended.take(self._chain.take(data).event, data)
        self.newest.hear(data)
        if before is self._chain.believed:
            return False
        wrong = None if before is None else self._ended.fault(AuditRecord.from_bytes(data))
        if wrong is not None:
            raise AuditError(f"the audit changes trust as nobody decided: {wrong}")
        text, at = data.decode(), self._heard
        self._heard += 1
        if at < len(self._records):
            # What was heard once is not unheard: a log that leaves a revocation out is another log.
            if self._records[at] != text:
                raise AuditError(
                    "the audit changes trust otherwise than it did when this agent heard it before"
                )
            return False
        self._learn(text)
        self.newest.again()
        return True

    def unsigned(self, deployment: str, data: bytes) -> str | None:
        """Why no controller whose key counts now signed the envelope of a state; None when one did."""
        if self.history is None:
            return _NO_TRUST
        try:
            signed_state(data, deployment, self.history)
        except StateError as error:
            return str(error)
        return None

    def believe(
        self, deployment: str, data: bytes, now_ms: int, tiers: Mapping[str, Tier]
    ) -> ServingState | None:
        """Look at the envelope of a state.

        Returns:
            What is to serve from now on; None when it says nothing new.

        Raises:
            StateError: it is not believed.
        """
        if self.history is None:
            raise StateError(_NO_TRUST)
        before, state = self.believed.get(deployment), said(data)
        is_newest = self.newest.told.is_newest(deployment, data)
        if before is not None and state == before.state:
            if is_newest:
                self.newest.believed(deployment, data)
                self.halts.lift(deployment)
            return None
        try:
            found = self._verified(deployment, data, before, self.history, now_ms, tiers)
        except StateError as error:
            if is_newest and state is not None and self.unsigned(deployment, data) is None:
                self.halts.heed(state, str(error))
            raise
        self.halts.lift(deployment)
        self.newest.believed(deployment, data)
        self.believed[deployment] = found
        self._settle(deployment, found.state)
        return found.state

    def is_behind(self, deployment: str) -> bool:
        """Whether the audit names a newer state of a deployment than what is believed, which never came."""
        found = self.believed.get(deployment)
        return found is not None and self.newest.is_behind(deployment, found.state)

    def fault(
        self,
        deployment: str,
        data: bytes,
        before: Believed | None,
        now_ms: int,
        tiers: Mapping[str, Tier],
    ) -> str | None:
        """Why the envelope of a state would not be believed after another state; None when it would."""
        if self.history is None or (before is not None and said(data) == before.state):
            return None
        try:
            self._verified(deployment, data, before, self.history, now_ms, tiers, is_past=True)
        except StateError as error:
            return str(error)
        return None

    def effective(self, deployment: str) -> ServingState | None:
        """What is to serve: the state that is believed, with what was commanded here over it."""
        found = self.believed.get(deployment)
        if found is None:
            return None
        return over(found.state, self.local.get(deployment, ()))

    def command(self, data: bytes, now_ms: int) -> tuple[str, Local]:
        """Take a command that was given here.

        Args:
            data: JSON of `{"command": ENVELOPE, "approvals": [ENVELOPE, ...]}`, envelopes as texts.
            now_ms: ms since 1970.

        Returns:
            The deployment, and what holds there now.

        Raises:
            ServingError: it is not obeyed; the sentence says why.
        """
        if self.history is None:
            raise ServingError("this agent knows no trust yet: it never heard the audit")
        given, found, before = ordered(data, self.history, self.believed, now_ms)
        command, deployment = found.command, found.command.deployment
        wrong = "it was obeyed before" if command.command_id in self._seen else None
        wrong = wrong or impossible(given, found, before, self.history)
        if found.is_over(self._ended.digests):
            wrong = "it was denied, refused or lapsed, as the audit tells: ask again with a new one"
        if wrong is not None:
            raise ServingError(f"the command is not obeyed: {wrong}")
        local = Local(
            command=given.command,
            approvals=given.approvals,
            by=found.by,
            revision=before.revision,
            rollout=over(before, self.local.get(deployment, ())).rollout,
        )
        if (why := settled(local, before, self.history, self._ended.digests)) is not None:
            raise ServingError(f"the command is not obeyed: {why}")
        self._seen = [*self._seen, command.command_id][-MOST_LOCAL:]
        self.local[deployment] = with_one(self.local.get(deployment, ()), local)
        self.untold = (*self.untold, given.command)[-MOST_LOCAL:]
        return deployment, local

    def told(self, command: str) -> None:
        """Say that a local command was put on `deployment-control`."""
        self.untold = tuple(one for one in self.untold if one != command)

    def _verified(
        self,
        deployment: str,
        data: bytes,
        before: Believed | None,
        history: History,
        now_ms: int,
        tiers: Mapping[str, Tier],
        *,
        is_past: bool = False,
    ) -> Believed:
        """Check a state for itself, and that it was decided; raises StateError."""
        found = verify_state(data, deployment, before, history, now_ms, tiers, self._ended.digests)
        wrong = self.newest.told.fault(deployment, data, is_past=is_past)
        if wrong is not None:
            raise StateError(f"revision {found.state.revision} {wrong}")
        return found

    def _settle(self, deployment: str, state: ServingState) -> None:
        """Let go of local commands that the state took over, or that a person ended later."""
        now, ended, held = self.history, self._ended.digests, self.local.get(deployment, ())
        left = tuple(one for one in held if now is None or settled(one, state, now, ended) is None)
        self.local = {name: some for name, some in (self.local | {deployment: left}).items() if some}

    def _learn(self, text: str) -> None:
        """Take a record that changes trust into the history."""
        before = self._learned
        self._learned = Learned.first(text, self._genesis) if before is None else before.after(text)
        self._records.append(text)
