"""The clerk: changes in two phases, live instances, settings, and what a record of the state holds."""

from __future__ import annotations

from clerked import Room, created
from controlled import INSTANCES, PROFILE, package
from rollout_windows import advised_to
from signed import number

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.notes import Note
from driftline.agents.audit.record import AuditRecord
from driftline.agents.control.controller.phases import progress
from driftline.agents.control.verify_state import verify_state
from driftline.schemas.alert import Alert, State
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.deployment_state import read_record, serving_of

ONE, TWO = package("1").model, package("2").model


def events(room: Room, last: int) -> list[str]:
    """Return the events of the last records."""
    return [one.event for one in told(room)[-last:]]


def told(room: Room) -> list[AuditRecord]:
    """Return the audit, read."""
    return [AuditRecord.from_bytes(one) for one in room.audit]


def test_a_change_is_so_once_all_live_instances_have_prepared_it() -> None:
    """Prepared by two of three it waits; by the third it is activated; acked by all it is applied."""
    room = Room()
    room.registered("1")
    room.beat()
    room.turn()
    room.ask("create", "ann", model=ONE)
    for name in INSTANCES[:2]:
        room.ack(name, "prepared")
        room.turn()
        assert room.state is not None
        assert room.state.phase == "prepare"
    room.ack(INSTANCES[2], "prepared")
    room.turn()
    assert room.state is not None
    assert (room.state.phase, room.state.champion) == ("activate", ONE)
    ledger = room.clerk.ledger
    said = progress(room.state, ledger.answers.round("churn"), ledger.members.of("churn"))
    assert said == "converging 0/3"
    for name in INSTANCES:
        room.ack(name, "activated")
    room.turn()
    assert events(room, 4) == ["acked", "acked", "acked", "applied"]


def test_what_one_cannot_load_is_cancelled_everywhere() -> None:
    """The state after it says what the one before said, one revision on, and the audit names who failed and why."""
    room = created()
    before = room.state
    room.ask("promote", "ann", model=TWO)
    room.ack(INSTANCES[0], "prepared")
    room.ack(INSTANCES[1], "failed", reason="no memory: 3 GB are lacking")
    record = room.turn()[-1]
    after = room.state
    assert before is not None
    assert after is not None
    assert (after.champion, after.phase, after.prepares) == (ONE, "activate", ())
    assert after.versions == before.versions
    assert record.reasons == (
        "revision 7 is cancelled: not all could prepare: serving-2: no memory: 3 GB are lacking",
    )


def test_what_is_not_prepared_in_time_is_cancelled() -> None:
    """Past the time of its plan a preparation ends, and those who did not answer are named."""
    room = created()
    room.ask("promote", "ann", model=TWO)
    room.ack(INSTANCES[0], "prepared")
    for _ in range(13):
        room.now_ms += 10_000
        room.beat()
        room.turn()
    record = next(one for one in told(room) if one.revision_after == 8)
    assert record.reasons == ("revision 7 is cancelled: not prepared in 120 s: serving-2, serving-3",)


def test_a_silent_instance_is_waited_for_no_longer_and_told() -> None:
    """After 30 s without a heartbeat it leaves the set, and the others' change goes on without it."""
    room = created()
    room.ask("promote", "ann", model=TWO)
    for name in INSTANCES[:2]:
        room.ack(name, "prepared")
    room.turn()
    for _ in range(4):
        room.now_ms += 10_000
        room.beat(*INSTANCES[:2])
        room.turn()
    assert [one.agent for one in told(room) if one.event == "silent"] == [INSTANCES[2]]
    assert room.state is not None
    assert room.state.champion == TWO


def test_a_change_waits_for_instances_that_were_there_once() -> None:
    """With all of them silent nothing is activated unprepared: the change is cancelled when its time is over."""
    room = created()
    room.now_ms += 31_000
    room.turn()
    room.ask("promote", "ann", model=TWO)
    room.now_ms += 119_000
    room.turn()
    assert room.state is not None
    assert room.state.phase == "prepare"
    room.now_ms += 2_000
    assert room.turn()[0].reasons == (
        "revision 7 is cancelled: not prepared in 120 s: any instance, of which none is live",
    )
    assert room.state.champion == ONE


def test_an_instance_that_started_again_answers_again() -> None:
    """What it prepared before it died counts no more."""
    room = created()
    room.ask("promote", "ann", model=TWO)
    room.ack(INSTANCES[0], "prepared")
    room.turn()
    room.now_ms += 1_000
    room.beat(INSTANCES[0], boot_id=number("another boot"))
    for name in INSTANCES[1:]:
        room.ack(name, "prepared")
    room.turn()
    assert room.state is not None
    assert room.state.phase == "prepare"
    room.ack(INSTANCES[0], "prepared", boot_id=number("another boot"))
    room.turn()
    assert room.state.phase == "activate"


def test_acks_of_others_count_nothing() -> None:
    """An ack that another key signed in an instance's name, or for an older revision, or twice, is not told."""
    room = created()
    room.ask("promote", "ann", model=TWO)
    size = len(room.audit)
    room.ack(INSTANCES[0], "failed", word="ann")
    room.ack(INSTANCES[0], "failed", revision=3)
    room.ack(INSTANCES[0], "failed", installation=number("elsewhere"))
    assert room.turn() == []
    room.ack(INSTANCES[0], "prepared")
    room.ack(INSTANCES[0], "prepared")
    room.turn()
    assert len(room.audit) == size + 1


def test_what_is_not_served_is_degraded_with_names() -> None:
    """Two minutes after a revision those that do not serve it yet are named once; when they do, it is applied."""
    room = created()
    room.ask("halt-serving", "oli")
    for _ in range(14):
        room.now_ms += 10_000
        room.beat()
        room.ack(INSTANCES[0], "activated")
        room.turn()
    degraded = [one for one in told(room) if one.event == "degraded"]
    assert [one.reasons for one in degraded] == [("1/3, without serving-2, serving-3",)]
    for name in INSTANCES[1:]:
        room.ack(name, "activated")
    assert room.turn()[-1].event == "applied"


def test_agents_believe_what_the_clerk_publishes() -> None:
    """Each state in `deployment-state` is verified as an agent does it, one after another, with settings beside it."""
    room = created()
    room.ask("configure", "ann", settings={"deployment": "churn", "owner": "Ana"})
    room.ask("promote", "ann", model=TWO)
    for name in INSTANCES:
        room.ack(name, "prepared")
    room.turn()
    room.ask("rollback", "ann", model=ONE)
    believed = None
    for name, value in room.states:
        serving = serving_of(name.encode(), value)
        assert serving is not None
        revision = None if believed is None else believed.state.revision
        history = room.clerk.ledger.desk.history
        if revision == room_revision(serving):
            continue
        believed = verify_state(serving, "churn", believed, history, room.now_ms, {}, ())
    assert believed is not None
    assert believed.state == room.state
    assert [one.settings.owner for one in read_record(b"churn", room.states[-1][1])] == ["Ana"]


def room_revision(serving: bytes) -> int:
    """Return the revision in an envelope."""
    return ServingState.from_bytes(Envelope.from_bytes(serving, 1 << 20).body).revision


def test_settings_travel_with_those_before_them() -> None:
    """Two configures are two revisions by whoever signed; the same again is none; a wrong one is refused."""
    room = Room()
    room.registered("1")
    for owner in ("Ana", "Ben", "Ben"):
        room.ask("configure", "ann", settings={"deployment": "churn", "owner": owner})
        room.now_ms += 1_000
    read = read_record(b"churn", room.states[-1][1])
    assert [(one.revision, one.settings.owner, one.changed_by) for one in read] == [
        (1, "Ana", "ann"),
        (2, "Ben", "ann"),
    ]
    refused = room.ask("configure", "ann", settings={"deployment": "churn", "ownr": "Ana"})[-1]
    assert refused.reject == "precondition_failed"
    assert "unknown key ownr" in refused.reasons[0]


def test_a_forged_record_is_said_over() -> None:
    """What lies in `deployment-state` and is not what the audit says is published again, and told."""
    room = created()
    published = {"churn": b"something else"}
    turn = room.clerk.restate(published, published, room.now_ms)
    assert turn.states == [room.states[-1]]
    assert len(turn.audit) == 1
    room.commit(turn)
    assert room.clerk.restate(dict(room.states), room.clerk.deployments, room.now_ms).is_empty


def test_a_state_that_agents_refuse_is_told() -> None:
    """A refusal of a revision that the controller never made is told once, and cancels nothing."""
    room = created()
    room.ask("promote", "ann", model=TWO)
    for _ in range(2):
        room.ack(
            INSTANCES[0], "refused", revision=99, reason="no key of a controller that counts signed the state"
        )
        room.turn()
        room.crash()
    refused = [
        one for one in told(room) if one.event == "acked" and "no key of a controller" in str(one.reasons)
    ]
    assert len(refused) == 1
    assert room.state is not None
    assert room.state.phase == "prepare"


def test_every_turn_that_adds_records_ends_with_a_checkpoint() -> None:
    """What a clerk finds is signed before anything else, what it writes with it; a turn of no record signs nothing."""
    room = Room()
    assert len(room.notes) == 1
    room.ask("register", "ann", model=ONE, manifest=package("1").manifest, profile=PROFILE)
    assert len(room.notes) == 2
    room.now_ms += 60_000
    room.turn()
    room.commit(room.clerk.restate({"churn": b""}, {"churn"}, room.now_ms))
    assert [Checkpoint.of(Note.parse(one)).size for one in room.notes] == [2, 3, len(room.audit)]


def test_advice_is_told_once_and_alerts_beside_what_they_led_to() -> None:
    """An edge of advice is one record, also after a crash; what fires stands beside a change of what serves."""
    room = created()
    advice = advised_to("retrain", "edge-1").to_bytes()
    for _ in range(2):
        room.clerk.ledger.news.hear(advice)
        room.turn()
        room.crash()
    assert [one.detail["id"] for one in told(room) if one.event == "advised" and one.detail] == ["edge-1"]
    room.clerk.ledger.news.hear(firing("a1", "firing").to_bytes())
    room.ask("configure", "ann", settings={"deployment": "churn", "owner": "Ana"})
    assert "alerted" not in {one.event for one in told(room)}
    room.ask("halt-serving", "oli")
    beside = told(room)[-1]
    assert beside.event == "alerted"
    assert beside.detail is not None
    assert [one["alert"] for one in beside.detail["alerts"]] == ["a1"]
    room.clerk.ledger.news.hear(firing("a1", "resolved").to_bytes())
    assert room.clerk.ledger.news.firing("churn") == []


def firing(name: str, state: State) -> Alert:
    """Return an edge of an alert."""
    return Alert(
        id=f"{name}-1", alert_id=name, ordinal=1, deployment="churn", rule="windows", about="drift",
        state=state, severity="fail", importance="normal", priority=2, reason="psi is 0.4", since_ms=0, made_at_ms=1,
    )  # fmt: skip
