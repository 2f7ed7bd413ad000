"""Commands whose change instances prepare first: they wait for what comes of it, and say it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from memory_wire import MemoryWire, Say
from signed_package import package

from driftline.agents.control.lifecycle import cancel
from driftline.schemas.control.serving_state import ServingState


@pytest.fixture
def shadowed(wire: MemoryWire, say: Say, tmp_path: Path) -> MemoryWire:
    """Have a validated version that can be a shadow."""
    (tmp_path / "report").write_text("fine")
    assert say("register", "churn", str(package(tmp_path, "2")))[0] == 0
    assert say("validate", "churn", "2", str(tmp_path / "report"), by="val")[0] == 0
    return wire


def test_what_instances_prepare_is_waited_for(shadowed: MemoryWire, say: Say) -> None:
    """A change that instances load first is told once it is so, with the revision in which it is."""
    code, out, _ = say("shadow", "churn", "2")
    revision = shadowed.office.state.revision
    assert code == 0
    assert f"decided: revision {revision} is so: prepared by all (audit record" in out


def test_what_is_cancelled_is_told_as_a_refusal(
    shadowed: MemoryWire, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that an instance cannot load ends with 1 and its reason, for programs too."""
    office = shadowed.office

    def cancelled() -> ServingState:
        why = f"revision {office.state.revision} is cancelled: not prepared in 120 s: agent-1"
        office.told += office.desk.move(
            cancel(office.state, office.desk.at(office.now_ms)), why, office.now_ms
        )
        return office.state

    monkeypatch.setattr(office, "prepared", cancelled)
    prepares = office.state.revision + 1
    code, _, err = say("shadow", "churn", "2")
    assert (code, err.count("\n")) == (1, 1)
    assert f"revision {prepares} is cancelled: not prepared in 120 s: agent-1 (audit record" in err
    code, out, err = say("shadow", "churn", "2", "--json")
    end = json.loads(out)["outcome"]["ended"]
    assert (code, end["event"], end["revision"]) == (1, "cancelled", prepares + 3)
    assert f"revision {prepares + 2} is cancelled: not prepared in 120 s: agent-1 (audit record" in err
    assert err.count("\n") == 1


def test_what_is_still_prepared_is_not_told_as_done(
    shadowed: MemoryWire, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked hears after their time-out where it is told what comes of it; another's command may end it."""
    office = shadowed.office
    monkeypatch.setattr(office, "prepared", lambda: office.state)
    code, out, _ = say("shadow", "churn", "2", "--timeout", "0.2")
    revision = office.state.revision
    said = f"revision {revision} prepares it on every instance: 'driftline history' tells what comes of it"
    assert (code, said in out) == (0, True)

    def interrupted() -> ServingState:
        office.ask("halt-serving", "oli")
        return office.state

    office.told += office.desk.move(cancel(office.state, office.desk.at(office.now_ms)), "", office.now_ms)
    shadowed.catch_up()
    monkeypatch.setattr(office, "prepared", interrupted)
    code, _, err = say("shadow", "churn", "2")
    assert (code, "decided: another command ended it (audit record" in err) == (1, True), err
