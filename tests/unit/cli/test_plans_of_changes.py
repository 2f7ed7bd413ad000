"""The plan that a command signs: what its options say, nothing where they say nothing, and all of it shown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from memory_wire import MemoryWire, Say
from signed import command, model

from driftline.deploy.control.shown import command_lines
from driftline.schemas.control.command import Command, Plan, Step
from driftline.schemas.control.envelope import Envelope

OPS = ("create churn 2", "shadow churn 2", "canary churn 2 --step 5%", "promote churn 2", "rollback churn 2")
OTHERS: dict[str, Any] = {
    "steps": (Step(weight=500),),
    "max_wait_s": 60.0,
    "bake_s": 61.0,
    "prepare_s": 62.0,
    "cold_rollback": True,
    "automatic_rollback": False,
}


@pytest.fixture
def signs(wire: MemoryWire, say: Say) -> Say:
    """Return what runs a command line about a version 2 that is validated, and gives the plan that it signed."""
    wire.office.registered("2")
    wire.catch_up()

    def run(line: str) -> Plan | None:
        say(*line.split())
        return Command.from_bytes(Envelope.from_bytes(wire.published[-1][1]).body).plan

    return run


@pytest.mark.parametrize("line", OPS)
def test_whatever_loads_a_version_may_be_given_more_time(signs: Say, line: str) -> None:
    """`--prepare` is the plan's time to prepare, and changes nothing else in the plan."""
    usual = signs(line) or Plan()
    assert signs(f"{line} --prepare 20m") == msgspec.structs.replace(usual, prepare_s=1_200.0)


@pytest.mark.parametrize("line", OPS[1:4])
def test_a_previous_champion_may_be_let_go_of(signs: Say, line: str) -> None:
    """`--cold-rollback` says so in the plan, and leaves bake time and automatic rollback as they were."""
    usual = signs(line) or Plan()
    assert signs(f"{line} --cold-rollback") == msgspec.structs.replace(usual, cold_rollback=True)


@pytest.mark.parametrize("line", [OPS[0], OPS[4]])
def test_a_first_champion_and_a_rollback_let_go_of_nothing(wire: MemoryWire, say: Say, line: str) -> None:
    """Before the first there is none to let go of, and a rollback takes all the room that it needs."""
    assert say(*line.split(), "--cold-rollback")[0] == 2
    assert wire.published == []


@pytest.mark.parametrize("line", [one for one in OPS if "--step" not in one])
def test_a_change_of_which_nothing_is_said_has_no_plan(signs: Say, line: str) -> None:
    """The usual plan is not signed: it is what holds without one."""
    assert signs(line) is None


def test_a_time_to_prepare_beyond_an_hour_is_refused(wire: MemoryWire, say: Say) -> None:
    """It is one sentence, and nothing is signed."""
    wire.office.registered("2")
    wire.catch_up()
    code, _, err = say("shadow", "churn", "2", "--prepare", "2h")
    assert (code, "this plan is not allowed" in err, wire.published) == (1, True, [])


@pytest.mark.parametrize("name", Plan.__struct_fields__)
def test_whoever_approves_is_shown_all_that_a_plan_says(name: str) -> None:
    """Each field of a plan that is not as usual changes what is shown of the command."""
    usual, other = (
        list(command_lines(command("canary", model=model("2"), plan=plan), "d", "ann"))
        for plan in (Plan(), Plan(**{name: OTHERS[name]}))
    )
    assert usual != other
