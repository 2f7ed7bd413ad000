"""What signed envelopes may fill: a state that no agent would read, and a record that no topic takes, are refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from clerked import KEYS, TOPICS, Room
from controlled import package
from signed import command, key

from driftline.agents.audit.record import MAX_RECORD_BYTES, AuditRecord, digest
from driftline.agents.control.controller.clerk import Clerk
from driftline.agents.control.controller.configured import INHERITED, inherited
from driftline.agents.control.controller.errors import ControllerError
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.controller.outside import Outside
from driftline.agents.control.judge import Facts
from driftline.agents.control.signing import sign
from driftline.agents.control.verify_state import verify_state
from driftline.schemas.control.command import Op
from driftline.schemas.control.envelope import COMMAND
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.deployment_state import DeploymentState, defaults, next_state, serving_of

PADDING = b" " * 40_000
"""Behind a command: JSON allows it, and its envelope is almost as large as any may be."""


class Lengthy(Room):
    """A room in which people sign large commands."""

    def lengthy(self, op: Op, word: str, **fields: Any) -> AuditRecord:
        """Let somebody ask in a large envelope; return what is told of it."""
        if op not in ("halt-serving", "halt-rollout"):
            fields["expected_revision"] = self.so.revision
        asked = command(op, **{"at_ms": self.now_ms, **fields})
        envelope = sign(COMMAND, asked.to_bytes() + PADDING, key(word))
        self.put(envelope.to_bytes())
        return next(one for one in self.turn() if one.command == envelope.digest)

    @property
    def so(self) -> ServingState:
        """What is so."""
        assert self.state is not None
        return self.state

    def is_read(self) -> bool:
        """Whether an agent that knows nothing yet believes what was published last."""
        name, record = self.states[-1]
        serving = serving_of(name.encode(), record)
        assert serving is not None
        history = self.clerk.ledger.desk.history
        return verify_state(serving, name, None, history, self.now_ms, {}, ()).state == self.so


def test_a_command_that_lets_the_state_outgrow_what_agents_read_is_refused() -> None:
    """Promotion after promotion in large envelopes ends in `too_large`, in words; what was so stays so, and is read."""
    room = Lengthy()
    room.registered("1", "2", "3", "4", "5", "6")
    said = [room.lengthy("create", "ann", model=package("1").model)]
    for version in ("2", "3", "4", "5", "6"):
        said.append(room.lengthy("promote", "ann", model=package(version).model))
        assert room.is_read()
    assert [one.event for one in said] == ["effective", "effective", *["rejected"] * 4]
    assert {one.reject for one in said[2:]} == {"too_large"}
    assert "give shorter reasons, or retire shadows first" in said[2].reasons[0]
    assert room.so.champion == package("2").model


def test_halts_and_rollbacks_find_room_after_all_other_commands() -> None:
    """Where a promotion finds no room any more, a large halt and a large rollback take effect, and are read."""
    room = Lengthy()
    room.registered("1", "2", "3")
    for op, version in (("create", "1"), ("promote", "2"), ("promote", "3")):
        room.lengthy(op, "ann", model=package(version).model)  # type: ignore[arg-type]
    assert room.lengthy("halt-serving", "oli").event == "effective"
    assert room.is_read()
    assert room.lengthy("rollback", "oli", model=package("1").model).event == "effective"
    assert room.is_read()
    assert room.so.halt is not None
    assert room.so.champion == package("1").model
    # What makes the state smaller is not refused for its size.
    resumed = room.ask("resume", "ann", target="serving")[0]
    assert (resumed.event, resumed.reject) == ("effective", None)


def test_inherited_settings_of_any_size_are_taken_over() -> None:
    """More than one record may hold of settings published before there was a controller: several tell of them."""
    room = Room()
    revisions: dict[str, tuple[DeploymentState, ...]] = {}
    for number in range(300):
        name = f"deployment-{number}"
        made: list[DeploymentState] = []
        for _ in range(8):
            last = made[-1] if made else None
            made.append(next_state(last, defaults(name).settings, changed_by="ann", now_ms=room.now_ms))
        revisions[name] = tuple(made)
    first = room.audit[:1]
    outside = Outside(lambda: TOPICS["deployment-control"], None)
    clerk = Clerk(Ledger(first, digest(first[0]), outside.look), KEYS, outside, TOPICS)
    told = clerk.inherit(revisions, room.now_ms).audit
    events = [AuditRecord.from_bytes(one).event for one in told]
    assert len(events) > 1
    assert set(events) == {INHERITED}
    assert sum(map(len, told)) > MAX_RECORD_BYTES
    again = Ledger([*first, *told], digest(first[0]), lambda _: Facts())
    assert again.configured.revisions == revisions
    assert again.configured.has_inherited


def test_inherited_settings_that_leave_no_room_are_refused_in_words() -> None:
    """Beside them a state could not be published; the sentence says whose they are, and what to do."""
    room = Room()
    weights = {f"a feature with quite a long name, number {number}": 1.0 for number in range(10_000)}
    settings = msgspec.structs.replace(defaults("churn").settings, feature_importance=weights)
    held = next_state(None, settings, changed_by="ann", now_ms=room.now_ms)
    with pytest.raises(ControllerError, match="the settings of churn take 5"):
        list(inherited({"churn": (held,)}))
