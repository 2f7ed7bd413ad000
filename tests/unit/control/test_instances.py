"""Which instances live, how far they have come, and what a controller does next; nobody speaks for another."""

from __future__ import annotations

from typing import Any

import pytest
from office import Office
from signed import INSTALLATION, NOW_MS, key, model, number, policy, text, trust

from driftline.agents.control.instances import CONVERGE_MS, FORGET_MS, MAX_INSTANCES, Instances
from driftline.agents.control.signing import sign
from driftline.agents.control.trust import Keyring, first_state
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.ack import LIVE_MS, Ack, Heartbeat
from driftline.schemas.control.command import Plan
from driftline.schemas.control.envelope import ACK, COMMAND, HEARTBEAT
from driftline.schemas.control.trust import Agent

RING = Keyring(
    first_state(
        trust(agents=(
            Agent(id="serving-1", keys=(text("serving-1"),)),
            Agent(id="serving-2", keys=(text("serving-2"),), deployments=("fraud",)),
        )),
        policy().text,
    )
)  # fmt: skip


def beat(instance: str = "i-1", word: str = "serving-1", at_ms: int = NOW_MS, **fields: Any) -> bytes:
    """Return a heartbeat of an instance; arguments replace fields."""
    whole: dict[str, Any] = {
        "installation": INSTALLATION, "instance": instance, "boot_id": number(instance), "at_ms": at_ms,
        "revisions": {"churn": 0}, "free_bytes": 1, **fields,
    }  # fmt: skip
    return sign(HEARTBEAT, Heartbeat(**whole).to_bytes(), key(word)).to_bytes()


def ack(revision: int, outcome: Any, instance: str = "i-1", word: str = "serving-1", **fields: Any) -> bytes:
    """Return an ack of an instance; arguments replace fields."""
    whole: dict[str, Any] = {
        "installation": INSTALLATION, "deployment": "churn", "revision": revision, "instance": instance,
        "boot_id": number(instance), "outcome": outcome, "at_ms": NOW_MS, **fields,
    }  # fmt: skip
    return sign(ACK, Ack(**whole).to_bytes(), key(word)).to_bytes()


def hearing(*values: bytes, at_ms: int = NOW_MS) -> Instances:
    """Return instances that said all this, and hold that all of it counted."""
    made = Instances()
    for value in values:
        found = made.hear(value, at_ms, RING)
        assert not isinstance(found, Refusal), found
    return made


def preparing(plan: Plan | None = None) -> Office:
    """Return an office whose second version is being prepared."""
    office = Office("low")
    office.created()
    office.registered("2")
    office.ask("promote", "ann", model=model("2"), plan=plan)
    assert office.state.phase == "prepare"
    return office


def test_all_live_ones_prepare_before_it_is_so() -> None:
    """While one of two lacks, the controller waits; then it activates, and the sentence says how many."""
    state = preparing().state
    made = hearing(beat("i-1"), beat("i-2"), ack(state.revision, "prepared"))
    found = made.progress(state, NOW_MS)
    assert (found.done, found.lacking) == (("serving-1/i-1",), ("serving-1/i-2",))
    assert found.next(state, NOW_MS) == ("wait", "")
    made.hear(ack(state.revision, "prepared", "i-2"), NOW_MS, RING)
    assert made.progress(state, NOW_MS).next(state, NOW_MS) == (
        "activate",
        "prepared by 2 of 2 live instances",
    )


@pytest.mark.parametrize("outcome", ["failed", "refused"])
def test_one_that_cannot_cancels_it_for_all(outcome: str) -> None:
    """Its reason stands in the sentence."""
    state = preparing().state
    made = hearing(
        beat("i-1"),
        beat("i-2"),
        ack(state.revision, "prepared"),
        ack(state.revision, outcome, "i-2", reason="no memory"),
    )
    assert made.progress(state, NOW_MS).next(state, NOW_MS) == ("cancel", "serving-1/i-2: no memory")


def test_what_takes_longer_than_its_plan_is_cancelled() -> None:
    """After `prepare_s` of the signed plan; the sentence names who lacks, or that nobody lives."""
    state = preparing(Plan(prepare_s=10.0)).state
    later = NOW_MS + 10_001
    made = hearing(beat("i-1"))
    assert made.progress(state, NOW_MS + 10_000).next(state, NOW_MS + 10_000)[0] == "wait"
    assert made.progress(state, later).next(state, later) == (
        "cancel", "it was not prepared within 10 s by serving-1/i-1"
    )  # fmt: skip
    assert "none that serves it is live" in Instances().progress(state, later).next(state, later)[1]


def test_an_instance_lives_for_thirty_seconds() -> None:
    """Silent, it leaves the set and is named; an hour later it is forgotten."""
    made = hearing(beat("i-1"))
    assert [one.title for one in made.live("churn", NOW_MS + LIVE_MS)] == ["serving-1/i-1"]
    assert made.live("churn", NOW_MS + LIVE_MS + 1) == ()
    assert [one.title for one in made.silent(NOW_MS + LIVE_MS + 1)] == ["serving-1/i-1"]
    made.forget(NOW_MS + FORGET_MS + 1)
    assert list(made) == []


def test_who_drains_or_serves_something_else_is_not_waited_for() -> None:
    """A draining instance, and one of another deployment, are none of the live ones."""
    made = hearing(beat("i-1", is_draining=True), beat("i-2", revisions={"fraud": 3}))
    assert made.live("churn", NOW_MS) == ()


def test_what_was_acknowledged_before_a_start_counts_no_more() -> None:
    """With a new boot id an instance has to converge again before it is done."""
    state = preparing().state
    made = hearing(beat("i-1"), ack(state.revision, "prepared"))
    made.hear(beat("i-1", boot_id=number("again")), NOW_MS, RING)
    assert made.progress(state, NOW_MS).done == ()
    old = made.hear(ack(state.revision, "prepared"), NOW_MS, RING)
    assert isinstance(old, Refusal)
    assert old.code == "precondition_failed"


def test_an_active_revision_is_applied_converging_or_degraded() -> None:
    """Applied once all live ones say so, or serve it; degraded after a minute, or when one failed."""
    office = preparing()
    state = office.prepared()
    made = hearing(beat("i-1"), beat("i-2", revisions={"churn": state.revision}))
    found = made.progress(state, NOW_MS)
    assert (found.word(state, NOW_MS), found.lacking) == ("converging", ("serving-1/i-1",))
    assert found.word(state, NOW_MS + CONVERGE_MS + 1) == "degraded"
    made.hear(ack(state.revision, "failed"), NOW_MS, RING)
    assert made.progress(state, NOW_MS).word(state, NOW_MS) == "degraded"
    made.hear(ack(state.revision, "activated"), NOW_MS, RING)
    assert made.progress(state, NOW_MS).word(state, NOW_MS) == "applied"


def test_an_old_ack_does_not_undo_a_newer_one() -> None:
    """What is said of an earlier revision, coming late, changes nothing."""
    state = preparing().state
    made = hearing(beat("i-1"), ack(state.revision, "prepared"))
    for late in (ack(state.revision - 1, "failed"), ack(state.revision, "failed", at_ms=NOW_MS - 1)):
        found = made.hear(late, NOW_MS, RING)
        assert isinstance(found, Refusal)
        assert found.code == "replayed"
    assert made.progress(state, NOW_MS).done == ("serving-1/i-1",)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"junk", "malformed"),
        (sign(COMMAND, b"{}", key("serving-1")).to_bytes(), "malformed"),
        (sign(ACK, b"{}", key("serving-1")).to_bytes(), "malformed"),
        (beat(word="ann"), "unknown_key"),
        (beat(word="controller"), "unknown_key"),
        (beat(word="serving-2"), "forbidden"),
        (ack(1, "prepared", word="serving-2"), "forbidden"),
        (beat(installation=number("other")), "wrong_audience"),
        (beat(at_ms=NOW_MS - 60_001), "expired"),
        (beat(at_ms=NOW_MS + 60_001), "expired"),
        (ack(1, "prepared"), "precondition_failed"),
    ],
)
def test_what_counts_nothing_has_its_code(value: bytes, code: str) -> None:
    """Junk, no agent's key, a deployment that is not the agent's, another installation, an old message sent again."""
    made = Instances()
    found = made.hear(value, NOW_MS, RING)
    assert isinstance(found, Refusal)
    assert (found.code, list(made)) == (code, [])


def test_a_heartbeat_sent_again_keeps_nobody_alive() -> None:
    """One that is older than what was heard since is a replay, whoever sends it."""
    made = hearing(beat(at_ms=NOW_MS), beat(at_ms=NOW_MS + 10))
    found = made.hear(beat(at_ms=NOW_MS), NOW_MS + 20_000, RING)
    assert isinstance(found, Refusal)
    assert found.code == "replayed"


def test_an_ack_may_come_after_a_later_heartbeat() -> None:
    """Threads of an instance overtake one another; only acks of one deployment have an order."""
    state = preparing().state
    made = hearing(beat(at_ms=NOW_MS + 5), ack(state.revision, "prepared", at_ms=NOW_MS))
    assert made.progress(state, NOW_MS).done == ("serving-1/i-1",)


def test_no_agent_speaks_for_another_ones_instance() -> None:
    """The same name under another agent's key is another instance."""
    made = hearing(beat("i-1"), beat("i-1", word="serving-2", revisions={"fraud": 1}))
    assert [one.title for one in made] == ["serving-1/i-1", "serving-2/i-1"]
    assert [one.title for one in made.live("churn", NOW_MS)] == ["serving-1/i-1"]


def test_the_number_of_instances_is_bounded() -> None:
    """Beyond it a new one is refused, and known ones go on."""
    made = hearing(beat("i-1"))
    (known,) = made
    for count in range(MAX_INSTANCES - 1):
        made._known["x", str(count)] = known
    found = made.hear(beat("i-2"), NOW_MS, RING)
    assert isinstance(found, Refusal)
    assert not isinstance(made.hear(beat("i-1"), NOW_MS, RING), Refusal)
