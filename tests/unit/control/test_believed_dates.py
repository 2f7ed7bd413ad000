"""States that a thief of the controller's key dates back, and grants that he exchanges for older ones."""

from __future__ import annotations

from doubting import DAY_MS, Agent, stood, swapped
from msgspec.structs import replace
from office import Office
from signed import model

from driftline.schemas.control.command import ModelRef, Plan


def test_a_state_that_is_dated_back_brings_back_no_command_that_lapsed() -> None:
    """Ten days after a halt, in which version 1 answered, was resumed: it answers no more, whatever stands between."""
    office = Office("high")
    office.promoted("2")
    state = office.does("halt-serving", "oli", model=model("1"))
    halt, grants = state.halt, (stood(state, "halt"), stood(state, "earlier"))
    office.does("resume", "ann", approvers=("bob",), target="serving")
    office.now_ms += 10 * DAY_MS
    office.registered("3")
    agent = Agent(office)
    again = {"halt": halt, "basis": (*(one for one in office.state.basis if one.of != "earlier"), *grants)}
    agent.refuses("lapsed before the last state was decided", **again)
    dated = office.state.revision + 1
    agent.is_shown(revision=dated, decided_at_ms=0)
    agent.refuses("lapsed before the last state was decided", revision=dated + 1, **again)


def test_a_champion_goes_on_by_its_last_promotion_alone() -> None:
    """By an older one, whose plan lets windows go back, it would be gone back from where the last one forbids that."""
    office = Office("high")
    office.promoted("2")
    old = stood(office.state, "champion")
    office.now_ms += 600_000
    plan = Plan(automatic_rollback=False)
    office.does("promote", "ann", approvers=("bob", "cat"), model=model("2"), plan=plan)
    agent = Agent(office)
    agent.refuses(
        "is champion by an older command than the last", basis=swapped(office.state, "champion", old)
    )
    # Beside the true one, and before it: the promotion of another version, whose plan lets windows go back.
    earlier, state = stood(office.state, "earlier"), office.state
    agent.is_shown(basis=(replace(earlier, of="champion"), *state.basis))
    back = (*swapped(state, "champion", earlier), stood(state, "champion"))
    at = state.revision + 2
    agent.refuses("nobody went back", revision=at, champion=model("1"), previous=None, basis=back)


def test_a_retired_deployment_prepares_nothing() -> None:
    """Agents would load and try what nobody asked for."""
    office = Office("low")
    office.created()
    office.does("retire", "ann")
    other = ModelRef(name="other", version="9", manifest="ab" * 32)
    Agent(office).refuses("prepares nothing", phase="prepare", prepares=(other,), change="00" * 32)
