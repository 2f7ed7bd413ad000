"""What agents go on believing: states outlive people and policies, and never what was retired or revoked."""

from __future__ import annotations

import msgspec
import pytest
from doubting import DAY_MS, Agent, stood, swapped, unapproved
from msgspec.structs import replace
from office import PASS, Office
from signed import NOW_MS, command, key, model, person, plain, policy, signed, trust

from driftline.agents.control import moves
from driftline.agents.control.grants import asked
from driftline.agents.control.history import History
from driftline.agents.control.lifecycle import At
from driftline.agents.control.verify_state import StateError, verify_state
from driftline.schemas.control.command import ModelRef, Plan
from driftline.schemas.control.envelope import STATE
from driftline.schemas.control.serving_state import ServingState, Tier


def test_what_is_retired_stays_retired() -> None:
    """After a person's retire nothing comes back, and without one nothing is retired."""
    office = Office("low")
    office.promoted()
    agent, before = Agent(office), office.state
    agent.refuses("is shown for the retired", is_retired=True, champion=None, previous=None, basis=())
    office.does("retire", "ann")
    agent.sees(office.published())
    agent.refuses("stays retired", is_retired=False, champion=model("2"), basis=before.basis)
    agent.refuses("serves nothing", champion=model("2"))


def test_a_state_stays_true_when_people_leave(high: Agent) -> None:
    """After a trust-set without Ann, Bob and Cat a fresh agent still believes what they asked for and approved."""
    office = high.office
    people = [one for one in trust().persons if one.id not in ("ann", "bob", "cat")]
    asked = command(
        "trust-set", "", at_ms=office.now_ms + 3_600_000, expected_revision=1,
        trust={**plain(trust()), "persons": plain(people)},
    )  # fmt: skip
    office.now_ms += 3_600_000
    assert office.send(signed(asked, "root-1", "root-2").to_bytes())[0].event == "decided"
    fresh = verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())
    assert fresh.state.champion == model("2")


def test_what_a_revoked_key_approved_is_believed_no_more(high: Agent) -> None:
    """A fresh agent refuses a champion that stands by a revoked key, until it is affirmed by keys that count."""
    office = high.office
    asked = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key("cat").keyid)
    office.send(signed(asked, "root-1", "root-2").to_bytes())
    with pytest.raises(StateError, match="with 1 approvals"):
        verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())
    office.does("promote", "ann", approvers=("bob", "eve"), model=model("2"))
    office.now_ms = office.state.bake_until_ms + DAY_MS
    for _ in range(2):
        office.desk.move(moves.baked(office.state, office.desk.at(office.now_ms)), "baked", office.now_ms)
    fresh = verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())
    assert fresh.state.champion == model("2")


@pytest.mark.parametrize(("tier", "who"), [("low", "ann"), ("medium", "bob"), ("high", "cat")])
def test_what_stands_by_a_revoked_key_is_halted_and_gone_back_from(tier: Tier, who: str) -> None:
    """Whoever believed it before believes halts and rollbacks after the key is revoked, and nothing new by that key."""
    office = Office(tier)
    office.promoted()
    office.registered("3")
    agent = Agent(office)
    approvers = {"low": (), "medium": ("bob",), "high": ("bob", "cat")}[tier]
    stolen = unapproved(office, *approvers)
    asked = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key(who).keyid)
    office.send(signed(asked, "root-1", "root-2").to_bytes())
    agent.refuses(
        "nobody whose key|approvals", champion=model("3"), basis=swapped(office.state, "champion", stolen)
    )
    office.does("halt-serving", "oli")
    assert agent.sees(office.published()).state.halt is not None
    office.does("rollback", "oli", model=model("1"))
    assert agent.sees(office.published()).state.champion == model("1")


@pytest.mark.parametrize("who", ["oli", "ann"])
def test_what_answers_instead_by_a_revoked_key_is_gone_back_to(who: str) -> None:
    """Whoever halted may have left, and whoever once made champion what answers meanwhile: nobody is kept from it."""
    office = Office("low")
    office.created("1")
    for version in ("2", "3"):
        office.registered(version)
        office.does("promote", "eve", model=model(version))
    agent = Agent(office)
    office.does("halt-serving", "oli", model=model("1"))
    agent.sees(office.published())
    asked = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key(who).keyid)
    office.send(signed(asked, "root-1", "root-2").to_bytes())
    office.does("rollback", "eve", model=model("1"))
    assert agent.sees(office.published()).state.champion == model("1")
    office.does("resume", "eve", target="serving")
    assert agent.sees(office.published()).state.halt is None


def test_what_an_older_champion_stood_by_keeps_no_newer_one_away() -> None:
    """Of the champions before, the grant of that one alone must count that windows may go back to."""
    office = Office("low")
    office.created("1")
    for version in ("2", "3"):
        office.registered(version)
        office.does("promote", "eve", model=model(version))
    asked = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key("ann").keyid)
    office.send(signed(asked, "root-1", "root-2").to_bytes())
    fresh = verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())
    assert fresh.state.previous == model("2")


def test_a_stricter_policy_lets_stand_what_stands(high: Agent) -> None:
    """A grant is judged by the policy of its time; a laxer policy of later helps no grant that lapsed before it."""
    office = high.office
    stricter = policy().text + (
        'forbid (principal, action == Action::"promote", resource) when { context.approvers < 3 };'
    )
    office.now_ms += 30 * DAY_MS
    asked = command("policy-set", "", at_ms=office.now_ms, expected_revision=1, policy=stricter)
    office.send(signed(asked, "root-1", "root-2").to_bytes())
    assert verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())
    office.now_ms += 61_000
    grant = unapproved(office, "bob", "cat")
    high.refuses("with 2 approvals", champion=model("3"), basis=swapped(office.state, "champion", grant))


def test_a_key_may_become_known_on_the_way() -> None:
    """A command that a new person signed just before the trust-set that brings them is believed as it was decided."""
    first = History.of(Office().history.now.ring.state, policy().text)
    wider = replace(
        first.now.ring.state, version=2, trust=trust(persons=(*trust().persons, person("new", "engineer")))
    )
    office = Office("low", history=first.then(NOW_MS + 30_000, wider, policy().text))
    office.registered("1")
    office.does("create", "new", model=model("1"))
    assert Agent(office).believed is not None


def test_a_refused_state_changes_nothing(rolling: Agent) -> None:
    """After any refusal the next true state is believed as if nothing had been."""
    rollout = rolling.office.state.rollout
    assert rollout is not None
    for fields in (
        {"champion": model("3")},
        {"rollout": None, "champion": model("2")},
        {"rollout": replace(rollout, weight=10_000)},
        {"tier": "low"},
    ):
        with pytest.raises(StateError):
            rolling.is_shown(**fields)
    rolling.office.stepped()
    assert rolling.sees(rolling.office.published()).state.rollout is not None


def test_a_state_is_no_larger_than_its_topic_takes() -> None:
    """With all that a state can hold, reasons and tickets at their longest, its envelope fits the bound of a state."""
    office = Office("high")
    office.created("0")
    for version in ("1", "2", "3"):
        office.promoted(version)
    for version in (str(number) for number in range(10, 60)):
        office.registered(version)
    long = "ü" * 2_000
    for version in ("10", "11", "12", "13"):
        office.does("shadow", "ann", approvers=("bob",), model=model(version), reason=long, ticket=long)
    assert len(office.published()) < 512 * 1024
    assert msgspec.json.decode(office.published())["payloadType"] == STATE


def test_moves_are_made_at_their_place() -> None:
    """A step that passes carries the place of its record in the audit and its time."""
    office = Office("low")
    office.canary()
    made = moves.next_step(office.state, PASS, At(office.now_ms + 61_000, 77))
    assert isinstance(made, ServingState)
    assert (made.audit_seq, made.decided_at_ms) == (77, office.now_ms + 61_000)


@pytest.mark.parametrize("who", ["ann", "eve"])
def test_a_rollback_that_was_missed_and_whose_key_is_revoked_is_mended_by_people_that_count(who: str) -> None:
    """The agent that missed it believes nothing until they name the champion again; then it does, and goes on."""
    office = Office("low")
    office.created("1")
    office.registered("2")
    office.does("promote", "eve", model=model("2"))
    agent = Agent(office)
    office.does("rollback", "oli", model=model("1"))
    asked = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key("oli").keyid)
    office.send(signed(asked, "root-1", "root-2").to_bytes())
    with pytest.raises(StateError, match="nobody whose key counts signed a rollback"):
        agent.sees(office.published())
    office.does("promote", who, model=model("1"))
    assert agent.sees(office.published()).state.champion == model("1")
    office.registered("3")
    office.ask("promote", who, model=model("3"))
    assert agent.sees(office.published()).state.phase == "prepare"


@pytest.mark.parametrize("tier", ["low", "medium", "high"])
def test_windows_go_back_by_a_plan_that_an_agent_missed(tier: Tier) -> None:
    """The champion was promoted again by a plan that lets them, which the state that they made carries from then on.

    Before, that agent served for good what windows had judged worse.
    """
    approvers = {"low": (), "medium": ("bob",), "high": ("bob", "cat")}[tier]
    office = Office(tier)
    office.promoted("2", plan=Plan(automatic_rollback=False))
    old = stood(office.state, "champion")
    agent, thieved = Agent(office), Agent(office)
    office.now_ms += 600_000
    office.does("promote", "ann", approvers=approvers, model=model("2"), plan=Plan(automatic_rollback=True))
    made = moves.back(office.state, office.desk.at(office.clock_ms))
    office.told += office.desk.move(made, "worse", office.clock_ms)
    # By the plan that the agent knows nobody goes back but people, whatever it is called.
    basis = swapped(office.state, "fallen", old)
    for given in (basis, tuple(one for one in basis if one.of != "fallen")):
        thieved.refuses("nobody went back", basis=given)
    office.now_ms += 30 * DAY_MS
    believed = agent.sees(office.published())
    assert believed.state.champion == model("1")
    assert believed.marks.champion == Agent(office).believed.marks.champion  # type: ignore[union-attr]
    office.promoted("3")
    assert agent.sees(office.published()).state.champion == model("3")


def test_windows_go_back_twice_by_plans_that_an_agent_missed() -> None:
    """The state shows those of the last three that fell, whatever was promoted since."""
    office = Office("low")
    office.promoted("2", plan=Plan(automatic_rollback=False))
    agent = Agent(office)
    office.now_ms += 600_000
    office.does("promote", "ann", model=model("2"), plan=Plan(automatic_rollback=True))
    for version in "3456":
        made = moves.back(office.state, office.desk.at(office.clock_ms))
        office.told += office.desk.move(made, "worse", office.clock_ms)
        if version == "4":
            assert agent.sees(office.published()).state.champion == model("1")
        office.now_ms += 600_000
        office.promoted(version)
    assert fallen(office.state) == [model("3"), model("4"), model("5")]


def fallen(state: ServingState) -> list[ModelRef | None]:
    """Return which champions a state says that windows went back from."""
    return [asked(one.command).model for one in state.basis if one.of == "fallen"]


def test_windows_go_back_by_the_plan_that_is_known_where_a_later_one_counts_no_more() -> None:
    """The champion was promoted again by a key that was revoked since: the promotion that the agent knows counts."""
    office = Office("low")
    office.promoted("2")
    agent = Agent(office)
    office.now_ms += 600_000
    office.does("promote", "eve", model=model("2"))
    made = moves.back(office.state, office.desk.at(office.clock_ms))
    office.told += office.desk.move(made, "worse", office.clock_ms)
    version = office.desk.history.now.ring.state.version
    revoke = command("key-revoke", "", at_ms=office.now_ms, expected_revision=version, key=key("eve").keyid)
    assert office.send(signed(revoke, "root-1", "root-2").to_bytes())[-1].event == "decided"
    assert agent.sees(office.published()).state.champion == model("1")
