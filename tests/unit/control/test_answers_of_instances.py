"""What instances answer to a revision: told once, and bounded whatever one of them says."""

from __future__ import annotations

import pytest
from clerked import Room
from controlled import INSTANCES, package

from driftline.agents.control.controller import answers


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
