"""Placing: which record of an audit put a version where it answers, by the order of the audit alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.agents.audit.record import EFFECTIVE, AuditRecord
from driftline.agents.control.grants import CHAMPIONS, is_glass_broken
from driftline.agents.control.telling import BACK
from driftline.agents.control.trust import CONTROLLER
from driftline.schemas.control.serving_state import ServingState
from driftline.streams.clickhouse.trace_reads import INSTEAD, OPS

if TYPE_CHECKING:
    from driftline.schemas.control.command import ModelRef


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done: where it stands in the audit, when, who asked and approved, and what it makes champion, if any.

    `break_glass` says that it was asked for without approvals, as an emergency.
    """

    seq: int
    at_ms: int
    by: str
    approvers: tuple[str, ...] = ()
    champion: ModelRef | None = None
    break_glass: bool = False


class Champions:
    """Follows who is champion of each deployment, and by what.

    Attributes:
        deeds: commands that took effect, by the digest of their payload.
        placed: by what the champion of each deployment was put there last.
    """

    def __init__(self) -> None:
        self.deeds: dict[str, Deed] = {}
        self.placed: dict[str, Deed] = {}
        self._stood: dict[str, ServingState] = {}

    def take(self, record: AuditRecord) -> ServingState | None:
        """Take in the next record; give the state after it where it puts a champion there, or the same one anew."""
        if record.event == EFFECTIVE:
            self.deeds[record.command or ""] = Deed(
                record.seq,
                record.decided_at_ms,
                record.actor,
                record.approvers,
                record.model if record.op in (*CHAMPIONS, "rollback") else None,
                is_glass_broken(record.envelope),
            )
        text = (record.detail or {}).get("state") if record.event in BACK else None
        return None if text is None else self._place(record, ServingState.from_bytes(text.encode()))

    def _place(self, record: AuditRecord, state: ServingState) -> ServingState | None:
        before = self._stood.get(state.deployment)
        self._stood[state.deployment] = state
        is_same = before is not None and before.champion == state.champion
        # What windows go back to is never what was being prepared: it is loaded already.
        prepared = None if before is None else before.change
        change = record.command if record.event == EFFECTIVE else prepared
        deed = None if change is None else self.deeds.get(change)
        if deed is not None and deed.champion is not None and deed.champion == state.champion:
            if is_same and record.op != "promote":
                return None
            self.placed[state.deployment] = deed
        elif is_same:
            return None
        else:
            self.placed[state.deployment] = Deed(record.seq, record.decided_at_ms, CONTROLLER)
        return state


class Placing:
    """Finds the record that had put a version where it answered at a time.

    Args:
        deployment, version, slot: where it answered.
        at_ms: when, ms since 1970.

    Attributes:
        seq: of the record; -1 while there is none.
    """

    def __init__(self, deployment: str, version: str, slot: str, at_ms: int) -> None:
        self.deployment, self.version = deployment, version
        self._commands, self._at_ms = OPS.get(slot), at_ms
        self._champions = Champions()
        self.seq = -1

    def take(self, record: AuditRecord) -> None:
        """Take in the next record."""
        if record.deployment != self.deployment or record.decided_at_ms > self._at_ms:
            return
        names = record.model is not None and record.model.version == self.version
        if record.event == EFFECTIVE and names and record.op in (self._commands or INSTEAD):
            self.seq = record.seq
        if self._commands is not None:
            return
        state = self._champions.take(record)
        if state is not None and state.champion is not None and state.champion.version == self.version:
            self.seq = self._champions.placed[self.deployment].seq
