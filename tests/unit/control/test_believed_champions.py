"""What agents believe: nothing of whoever writes the topic, and of a stolen controller key only what a plan allows."""

from __future__ import annotations

from typing import Any

import pytest
from doubting import DAY_MS, Agent, stood, swapped, text, unapproved
from msgspec.structs import replace
from office import PLAN, Office, broken
from signed import NOW_MS, key, model, number, signed

from driftline.agents.control import moves
from driftline.agents.control.signing import sign
from driftline.agents.control.verdicts import Refusal
from driftline.agents.control.verify_state import Believed, StateError, verify_state
from driftline.schemas.control.command import ModelRef, Plan
from driftline.schemas.control.envelope import ACK, STATE, Envelope
from driftline.schemas.control.serving_state import Grant, Rollout


def test_what_the_controller_publishes_is_believed_and_stored(high: Agent) -> None:
    """The belief holds the newest state, survives its way through bytes, and a fresh agent comes to the same state."""
    assert high.believed is not None
    assert high.believed.state == high.office.state
    assert Believed.from_bytes(high.believed.to_bytes()) == high.believed
    fresh = verify_state(
        high.office.published(), "churn", None, high.office.desk.history, NOW_MS + DAY_MS, {}, ()
    )
    assert fresh.state == high.office.state
    assert fresh.marks.champion == high.believed.marks.champion > 0


def test_a_writer_of_the_topic_is_not_believed(high: Agent) -> None:
    """Bytes, another key's signature, a person's, a false one of the controller's, another type: each is refused."""
    office = high.office
    state = replace(office.state, revision=office.state.revision + 1)
    body = state.to_bytes()
    good = sign(STATE, body, key("controller"))
    for data, said in (
        (b"", "no envelope"),
        (b"x" * 600_000, "are allowed"),
        (sign(STATE, body, key("thief")).to_bytes(), "no key of a controller"),
        (
            sign(STATE, body, key("ann"), key("bob"), key("root-1"), key("root-2")).to_bytes(),
            "no key of a controller",
        ),
        (sign(STATE, body, key("serving-1")).to_bytes(), "no key of a controller"),
        (broken(good), "does not hold"),
        (sign(ACK, body, key("controller")).to_bytes(), "holds no state"),
        (sign(STATE, b"{}", key("controller")).to_bytes(), "missing required field"),
        (Envelope(sign(STATE, b"{}", key("a")).payload, STATE, good.signatures).to_bytes(), "does not hold"),
    ):
        with pytest.raises(StateError, match=said):
            high.sees(data)


def test_states_go_only_forward(high: Agent) -> None:
    """The same revision, an older one, one of another deployment, one decided after now: each is refused."""
    office = high.office
    for decision in office.told:
        if decision.after is not None:
            with pytest.raises(StateError, match="not above"):
                high.sees(office.published(decision.after))
    high.refuses("is that of fraud", deployment="fraud")
    high.refuses("after now", decided_at_ms=office.now_ms + 60_001)
    high.is_shown(decided_at_ms=office.now_ms + 60_000)


def test_a_stolen_controller_key_makes_no_champion(high: Agent) -> None:
    """Another model, with no grant, another's grant, or its own manifest exchanged, answers nobody."""
    state = high.office.state
    forged = ModelRef(name="churn", version="2", manifest="00" * 32)
    versions = tuple(replace(one, model=forged) if one.model == model("2") else one for one in state.versions)
    high.refuses("of version 3 is shown for the champion", champion=model("3"))
    high.refuses("is shown for the champion", champion=model("3"), basis=())
    high.refuses("no known version", champion=forged)
    high.refuses("of version 2 is shown for the champion", champion=forged, versions=versions)
    high.refuses("has none", champion=None, previous=None, basis=())


@pytest.mark.parametrize(
    ("approvals", "said"),
    [
        ((), "with 0 approvals"),
        (("bob",), "with 1 approvals"),
        (("bob", "bob-2"), "with 1 approvals"),
        (("bob", "ann"), "with 1 approvals"),
        (("bob", "val"), "with 2 approvals"),
        (("bob", "thief"), "with 1 approvals"),
        (("bob", "controller"), "with 1 approvals"),
    ],
)
def test_approvals_are_counted_by_the_agent_itself(
    high: Agent, approvals: tuple[str, ...], said: str
) -> None:
    """None, one, one person twice, the one who asked, one without the role, unknown keys: never enough for two."""
    state = high.office.state
    grant = unapproved(high.office, *approvals)
    high.refuses(said, champion=model("3"), previous=None, basis=swapped(state, "champion", grant))


def test_enough_approvals_are_believed(high: Agent) -> None:
    """The same grant with two approvers makes the champion: this is how the controller itself does it."""
    grant = unapproved(high.office, "bob", "cat")
    basis = swapped(high.office.state, "champion", grant)
    assert high.is_shown(champion=model("3"), previous=None, basis=basis).state.champion == model("3")


def test_a_command_warrants_what_it_asks_for_and_nothing_else(high: Agent) -> None:
    """An approved shadow or canary makes no champion, and a promotion no canary."""
    office, state = high.office, high.office.state
    for op, fields in (("shadow", {}), ("canary", {"plan": PLAN})):
        asked = signed(office.build(op, model=model("3"), **fields), "ann")  # type: ignore[arg-type]
        approvals = [
            text(signed(office.build("approve", target=asked.digest), word)) for word in ("bob", "cat")
        ]
        grant = Grant(of="champion", command=text(asked), approvals=tuple(approvals))
        basis = swapped(state, "champion", grant)
        high.refuses("no create or promote of version 3", champion=model("3"), previous=None, basis=basis)
    promotion = replace(unapproved(office, "bob", "cat"), of="rollout")
    rollout = Rollout(
        rollout_id=number("x"), model=model("3"), weight=500, step=0, step_since_ms=office.now_ms, plan=PLAN
    )
    high.refuses("no canary of version 3", rollout=rollout, basis=(*state.basis, promotion))


def test_approvals_of_something_else_are_refused(high: Agent) -> None:
    """Of another digest, deployment or installation, a denial, no command at all: each is an error."""
    office = high.office
    asked = signed(office.build("promote", model=model("3")), "ann")
    for fields, op, said in (
        ({"target": "00" * 32}, "approve", "for another command"),
        ({"target": asked.digest}, "deny", "for another command"),
        ({"target": asked.digest, "deployment": "fraud"}, "approve", "for another deployment"),
        (
            {"target": asked.digest, "audience": "01890000-0000-7000-8000-00000000000b"},
            "approve",
            "another installation",
        ),
    ):
        false = text(signed(office.build(op, **fields), "cat"))  # type: ignore[arg-type]
        good = text(signed(office.build("approve", target=asked.digest), "bob"))
        grant = Grant(of="champion", command=text(asked), approvals=(good, false))
        high.refuses(said, champion=model("3"), basis=swapped(office.state, "champion", grant))
    for junk in ("", "{}", text(sign(ACK, b"{}", key("bob")))):
        grant = Grant(of="champion", command=text(asked), approvals=(junk,))
        high.refuses("holds no command", champion=model("3"), basis=swapped(office.state, "champion", grant))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"deployment": "fraud"}, "for fraud is shown for churn"),
        ({"audience": "01890000-0000-7000-8000-00000000000b"}, "another installation"),
        ({"expected_revision": 10_000}, "later revision"),
        ({"settings": {"a": 1}}, "takes no settings"),
        ({"break_glass": True}, "does not let ann promote"),
    ],
)
def test_a_command_for_elsewhere_warrants_nothing(high: Agent, fields: dict[str, Any], said: str) -> None:
    """Another deployment or installation, a revision to come, fields it has not, glass that Ann may not break."""
    grant = unapproved(high.office, "bob", "cat", **fields)
    high.refuses(said, champion=model("3"), basis=swapped(high.office.state, "champion", grant))


def test_a_grant_that_nobody_signed_warrants_nothing(high: Agent) -> None:
    """A command with a false signature, of an unknown key, of root keys, of two persons: each is refused."""
    office = high.office
    asked = office.build("promote", model=model("3"))
    for envelope, said in (
        (signed(asked, "thief"), "nobody whose key counts"),
        (signed(asked, "root-1", "root-2"), "nobody whose key counts"),
        (signed(asked, "ann", "eve"), "2 persons signed"),
        (Envelope.from_bytes(broken(signed(asked, "ann"))), "does not hold"),
    ):
        grant = Grant(of="champion", command=text(envelope), approvals=())
        high.refuses(said, champion=model("3"), basis=swapped(office.state, "champion", grant))


def test_a_tier_is_not_lowered(high: Agent) -> None:
    """Neither the deployment's, nor that of a version against the manifest that the agent holds, nor both at once."""
    state = high.office.state
    low = tuple(replace(one, tier="low") for one in state.versions)
    high.refuses("the tier low is below high", tier="low")
    high.refuses("the tier low is below high", tier="low", versions=low)
    high.refuses("longer than the tier allows", max_stale_s=30 * 86_400.0)
    fresh = replace(state, tier="low", max_stale_s=1.0, revision=state.revision + 1)
    with pytest.raises(StateError, match="the tier low is below high"):
        verify_state(
            high.office.published(fresh), "churn", None, high.office.desk.history, NOW_MS + DAY_MS, {}, ()
        )
    fresh = replace(fresh, versions=low)
    with pytest.raises(StateError, match="is of tier high, not low"):
        verify_state(
            high.office.published(fresh), "churn", None, high.office.desk.history, NOW_MS + DAY_MS,
            {model("2").manifest: "high"}, ()
        )  # fmt: skip


def test_an_old_promotion_is_not_shown_again(high: Agent) -> None:
    """After a rollback, by people or by windows, the promotion that was taken back makes nobody champion any more."""
    office = high.office
    before = office.state
    for going_back in ("people", "windows"):
        other = Agent(office) if going_back == "people" else high
        saved = dict(office.desk.states)
        if going_back == "people":
            office.does("rollback", "oli", model=model("1"))
        else:
            office.desk.move(moves.back(office.state, office.desk.at(office.now_ms)), "worse", office.now_ms)
        other.sees(office.published())
        versions, basis = before.versions, before.basis
        other.refuses("nobody went back", champion=model("2"), versions=versions, basis=basis)
        other.refuses(
            "nobody went back", champion=model("2"), previous=model("1"), versions=versions, basis=basis
        )
        office.desk.states = saved


def test_windows_go_back_where_a_plan_says_so() -> None:
    """With a plan that lets windows decide, going back is believed as the controller makes it."""
    office = Office("high")
    office.promoted(plan=Plan(bake_s=60.0, automatic_rollback=True))
    agent = Agent(office)
    office.desk.move(moves.back(office.state, office.desk.at(office.now_ms)), "worse", office.now_ms)
    assert agent.sees(office.published()).state.champion == model("1")


def test_windows_go_back_once_and_not_to_and_fro() -> None:
    """After that there is nothing more to go back to: whoever has the controller's key shows no previous champion."""
    office = Office("high")
    office.promoted()
    agent, fallen = Agent(office), office.state.champion
    made = moves.back(office.state, office.desk.at(office.now_ms))
    assert not isinstance(made, Refusal)
    grant = replace(stood(office.state, "champion"), of="earlier")
    data = office.published(replace(made, previous=fallen, basis=(*made.basis, grant)))
    with pytest.raises(StateError, match="after going back there is nothing more to go back to"):
        agent.sees(data)
    assert agent.sees(office.published(made)).state.previous is None


def test_going_back_stays_within_the_plan() -> None:
    """Windows may take a champion back to the previous one; not where the plan leaves that to people, nor further."""
    office = Office("high")
    office.created("0")
    office.promoted("1")
    office.promoted("2", plan=Plan(automatic_rollback=False))
    agent, state = Agent(office), office.state
    earlier = [one for one in state.basis if one.of == "earlier"]
    for version, grant in zip(("0", "1"), earlier, strict=True):
        basis = swapped(state, "champion", grant)
        agent.refuses("nobody went back", champion=model(version), previous=None, basis=basis)


def test_a_rollback_goes_where_a_person_said(high: Agent) -> None:
    """A rollback to version 1 makes no other version champion, and none to what never was champion counts."""
    office = high.office
    asked = Grant(of="rollback", command=text(signed(office.build("rollback", model=model("3")), "oli")))
    basis = (*office.state.basis, asked)
    high.refuses("of version 3 is shown for the champion", champion=model("3"), previous=None, basis=basis)
    nobody = Grant(of="rollback", command=text(signed(office.build("rollback", model=model("1")), "bob")))
    first = stood(office.state, "earlier")
    basis = (*swapped(office.state, "champion", first), nobody)
    high.refuses("does not let bob rollback", champion=model("1"), previous=None, basis=basis)


def test_a_lapsed_command_is_not_shown_later() -> None:
    """A low-tier promotion that needed no approval but never took effect is of no use to a thief four days later."""
    office = Office("low")
    office.created()
    office.registered("2")
    asked = office.build("promote", model=model("2"))
    grant = Grant(of="champion", command=text(signed(asked, "ann")))
    office.now_ms += 4 * DAY_MS
    office.registered("3")
    agent = Agent(office)
    agent.refuses("lapsed", champion=model("2"), basis=swapped(office.state, "champion", grant))
