"""By whose word a champion stands: what the audit says in its order, whatever clocks and grants say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from office import Office, shadowed
from office_audit import lines
from signed import key, model

from driftline.agents.audit.record import EFFECTIVE, AuditRecord, digest
from driftline.agents.control.moves import back
from driftline.agents.control.signing import sign
from driftline.deploy.cli.history import _line, _table
from driftline.deploy.cli.inventory import _cells
from driftline.deploy.control.past import Past
from driftline.deploy.control.stood import inventory_table, stood_lines, stood_table
from driftline.deploy.control.traced import Traced
from driftline.schemas.control.envelope import COMMAND


def serving(office: Office) -> tuple[str, str, int]:
    """Return the champion of an office's audit, by whom, and by which record; lines say the same."""
    records = lines(office)
    past = Past(records, digest(records[0]))
    table = stood_table(past, past.ledger.desk.states["churn"])
    one: dict[str, Any] = table["champion"]
    assert any(
        f"{one['version']}, by {one['by']}" in line and f"(audit {one['audit_seq']})" in line
        for line in stood_lines(table)
    )
    return one["version"], one["by"], one["audit_seq"]


def gone_back(office: Office) -> int:
    """Let windows take the champion back; return the place of the record."""
    made = back(office.state, office.desk.at(office.now_ms))
    office.told += office.desk.move(made, "its windows are worse", office.now_ms)
    return office.told[-1].seq


def asked_for(office: Office) -> int:
    """Return the place of the last command that took effect."""
    return next(one.seq for one in reversed(office.told) if one.event == "decided")


def test_a_champion_that_windows_went_back_to_stands_by_the_controller() -> None:
    """A rollback of before, after which another version answered, is not what put it there."""
    office = Office("low")
    office.created("1")
    assert serving(office) == ("1", "ann", asked_for(office))
    office.registered("2")
    office.does("promote", "eve", model=model("2"))
    assert serving(office) == ("2", "eve", asked_for(office))
    office.does("rollback", "oli", model=model("1"))
    assert serving(office) == ("1", "oli", asked_for(office))
    office.registered("3")
    office.does("promote", "ann", model=model("3"))
    assert serving(office) == ("3", "ann", asked_for(office))
    seq = gone_back(office)
    assert serving(office) == ("1", "controller", seq)


def test_clocks_of_persons_do_not_say_what_came_last() -> None:
    """A rollback that was signed by a clock ten minutes behind came after the promotion all the same."""
    office = Office("low")
    office.created("1")
    office.registered("2")
    office.does("promote", "ann", model=model("2"))
    office.now_ms += 60_000
    office.does("rollback", "oli", model=model("1"), at_ms=office.now_ms - 600_000)
    assert serving(office) == ("1", "oli", asked_for(office))


def test_a_champion_that_is_promoted_again_stands_by_that() -> None:
    """It answers on, by the word of who promoted it last; what is prepared beside it changes nothing."""
    office = Office("low")
    office.created("1")
    office.does("promote", "eve", model=model("1"))
    seq = asked_for(office)
    office.registered("2")
    office.ask("promote", "ann", model=model("2"))
    assert office.state.phase == "prepare"
    assert serving(office) == ("1", "eve", seq)


def test_windows_go_back_while_something_is_prepared() -> None:
    """What was being prepared is nobody's word for the champion that the controller went back to."""
    office = Office("low")
    office.promoted()
    office.registered("3")
    office.ask("shadow", "ann", model=model("3"))
    assert office.state.phase == "prepare"
    seq = gone_back(office)
    assert serving(office) == ("1", "controller", seq)


@pytest.mark.parametrize(
    "grant",
    [
        lambda: "garbage",
        lambda: "\ud800",
        lambda: sign(COMMAND, b"[]", key("ann")).to_bytes().decode(),
    ],
    ids=["garbage", "surrogate", "no command"],
)
def test_a_grant_that_cannot_be_read_names_nobody(grant: Callable[[], str]) -> None:
    """A state by a stolen controller's key whose grants are rubbish is told of, its rollout by nobody's word."""
    office = Office("low")
    office.canary()
    records = lines(office)
    past = Past(records, digest(records[0]))
    state = past.ledger.desk.states["churn"]
    torn = replace(state, basis=tuple(replace(one, command=grant()) for one in state.basis))
    table = inventory_table(past, torn)
    assert (table["canary"]["version"], table["canary"]["by"]) == ("2", None)
    assert (table["champion"]["version"], table["champion"]["by"]) == ("1", "ann")
    assert list(stood_lines(table))


def test_what_whoever_halted_says_is_one_line() -> None:
    """Any of four roles halts, and none of them writes lines into the answer to who put what there."""
    office = Office("low")
    office.created("1")
    office.does(
        "halt-serving", "oli", reason="stop\nchurn, revision 9 (audit 99)\n  champion  7, by bob\x1b[2K"
    )
    records = lines(office)
    past = Past(records, digest(records[0]))
    said = list(stood_lines(stood_table(past, past.ledger.desk.states["churn"])))
    assert all("\n" not in line and "\x1b" not in line for line in said)
    assert any(line.startswith("  halted    by oli: stop") for line in said)


def test_who_broke_the_glass_is_said_wherever_it_is_said_who_it_was() -> None:
    """In what stood, in an inventory, in a trace and in history: without approvals, and by whom."""
    office = shadowed("medium")
    office.does("promote", "oli", model=model("2"), break_glass=True)
    records = lines(office)
    past = Past(records, digest(records[0]))
    table = stood_table(past, past.ledger.desk.states["churn"])
    assert (table["champion"]["by"], table["champion"]["break_glass"]) == ("oli", True)
    assert any("2, by oli, with the glass broken, " in line for line in stood_lines(table))
    assert "2, with the glass broken" in _cells(inventory_table(past, past.ledger.desk.states["churn"]))
    found = [
        one for one in map(AuditRecord.from_bytes, records) if (one.event, one.op) == (EFFECTIVE, "promote")
    ]
    put = {
        "record": found[0].to_bytes(), "op": "promote", "event": EFFECTIVE, "actor": "oli", "approvers": (),
        "decided_at": datetime.now(UTC), "seq": found[0].seq, "package": "",
    }  # fmt: skip
    place = {"deployment": "churn", "prediction_id": bytes(16), "ts": put["decided_at"], "arrived": put["decided_at"],
             "model_version": "2", "slot": "champion"}  # fmt: skip
    told = Traced(place=place, prediction=None, label=None, state=None, placed=put)
    assert told.facts()["placed_by"]["break_glass"]
    assert "by oli (promote), without approvals, with the glass broken, " in dict(told.lines())["put there"]
    row = _table(found[0], None)
    assert row["break_glass"]
    assert "by oli with the glass broken revision" in _line(row)
