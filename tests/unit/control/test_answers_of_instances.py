"""What instances answer to a revision: told once, and bounded whatever one of them says."""

from __future__ import annotations

import hashlib

import pytest
from clerked import Room, created
from controlled import INSTANCES, package

from driftline.agents.control.controller import answers

TWO = package("2").model


def test_answers_to_a_revision_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that says now this and now that fills no audit: past the bound of a revision nothing is told."""
    monkeypatch.setattr(answers, "MAX_ANSWERS", 3)
    room = Room()
    room.beat()
    room.registered("1")
    room.ask("create", "ann", model=package("1").model)
    before = len(room.audit)
    for number in range(8):
        room.now_ms += 1_000
        room.ack(INSTANCES[0], "prepared" if number % 2 else "activated")
        room.turn()
    assert len(room.audit) == before + 3


def test_nobody_but_who_decided_it_has_a_change_refused() -> None:
    """A refusal cancels when it names the state that is so; of one that somebody forged under its number it is told."""
    room = created()
    room.ask("promote", "ann", model=TWO)
    state = room.state
    assert state is not None
    for place, digest in enumerate((None, "ab" * 32)):
        room.ack(INSTANCES[place], "prepared")
        room.ack(INSTANCES[place], "refused", reason="no controller signed it", state=digest)
    assert [one.event for one in room.turn()] == ["acked"] * 4
    assert room.state == state
    room.ack(
        INSTANCES[2], "refused", state=hashlib.sha256(state.to_bytes()).hexdigest(), reason="it is too old"
    )
    record = room.turn()[-1]
    assert record.reasons == ("revision 7 is cancelled: not all could prepare: serving-3: it is too old",)


def test_who_is_not_live_holds_up_nothing() -> None:
    """An instance that never said that it lives cannot fail a change for those that do."""
    room = created()
    room.ask("promote", "ann", model=TWO)
    room.ack("serving-9", "failed", word=INSTANCES[0], reason="no memory")
    for name in INSTANCES:
        room.ack(name, "prepared")
    room.turn()
    assert room.state is not None
    assert room.state.champion == TWO
