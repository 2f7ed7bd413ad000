"""The controller's parts by themselves: its place in the topic, members, what commands bring, what others published."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from clerked import KEYS, TOPICS, Room
from controlled import INSTANCES, PROFILE, package, serving_trust
from counting import batch, profile_of
from packaged import about, packed
from signed import INSTALLATION, NOW_MS, command, key, number, plain, policy, signed, text, trust

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord, Source, digest
from driftline.agents.audit.writer import begin
from driftline.agents.control.admission import Arrived
from driftline.agents.control.controller.clerk import Clerk
from driftline.agents.control.controller.errors import ControllerError
from driftline.agents.control.controller.heard import heard
from driftline.agents.control.controller.keys import Keys
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.controller.members import MAX_OF_AGENT, Members
from driftline.agents.control.controller.outside import Outside
from driftline.agents.control.controller.place import Place
from driftline.agents.control.controller.resets import is_reset
from driftline.agents.control.judge import Facts
from driftline.agents.control.pending import LIMIT_MS
from driftline.agents.control.signing import sign
from driftline.agents.control.trust import Keyring, first_state
from driftline.agents.control.verdicts import Refusal
from driftline.agents.serving.package.store import Store
from driftline.agents.serving.package.stores import folder_store
from driftline.agents.serving.package.verify import verify
from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.command import ModelRef
from driftline.schemas.control.envelope import ACK
from driftline.schemas.control.trust import Agent
from driftline.schemas.profile import Profile


def record(event: str = "rejected", offset: int = 0, topic_id: str = "a", **fields: Any) -> AuditRecord:
    """Return a record with a command for its cause."""
    source = Source(topic="deployment-control", topic_id=topic_id, partition=0, offset=offset)
    whole: dict[str, Any] = {
        "seq": 1,
        "prev_hash": "0" * 64,
        "event": event,
        "decided_at_ms": 0,
        "source": source,
    }
    return AuditRecord(**{**whole, **fields})


def test_an_approval_that_comes_after_the_limit_is_too_late() -> None:
    """A controller that was away while a command lapsed tells of that first, and then refuses the approval."""
    room = Room()
    waiting = room.ask("forget", "sue", target="p-1")[-1]
    assert waiting.event == "waits"
    room.now_ms += LIMIT_MS + 1
    made = room.ask("approve", "bob", target=waiting.command)
    assert [(one.event, one.reject) for one in made] == [
        ("lapsed", "approvals_missing"),
        ("rejected", "precondition_failed"),
    ]


def test_a_place_knows_its_topic_and_how_far_it_was_read() -> None:
    """Another id, an end before what the audit tells of, or a beginning behind it, is a fault; a log-reset ends it."""
    place = Place()
    assert place.fault("a", 5, 8) is None
    place.take(record(offset=6))
    assert (place.topic_id, place.offset, place.fault("a", 7, 7)) == ("a", 7, None)
    assert place.fault("b", 0, 9) == "it has the id b, and the audit knows a: it was made anew"
    assert place.fault("a", 0, 3) == "it ends at offset 3, and the audit tells of 7: records are gone"
    gone = "it begins at offset 8, and the audit tells of 7: records are gone undecided"
    assert place.fault("a", 8, 9) == gone
    place.take(record("effective", 2, "b", op="log-reset"))
    assert (place.topic_id, place.offset) == ("b", 3)


def test_a_clerk_takes_no_key_that_trust_does_not_name() -> None:
    """With another key for states or checkpoints it does not begin."""
    _, first = begin(serving_trust(), policy().text, NOW_MS)
    outside = Outside(lambda: "a", None)
    ledger = Ledger([first], digest(first), outside.look)
    for keys, what in (
        (Keys(key("ann"), KEYS.checkpoints), "states"),
        (Keys(KEYS.states, key("ann")), "checkpoints"),
    ):
        with pytest.raises(ControllerError, match=f"trust names no key {key('ann').keyid[:16]} for {what}"):
            Clerk(ledger, keys, outside, TOPICS)


def test_a_clerk_whose_key_is_revoked_goes_on_no_more() -> None:
    """With another one beside it the revocation is told, and then the controller ends, and says what helps."""
    room = Room()
    wider = {**plain(serving_trust()), "controllers": [text("controller"), text("new-1")]}
    asked = {"deployment": "", "expected_revision": 1}
    assert room.ask("trust-set", "root-1", "root-2", **asked, trust=wider)[-1].event == "effective"
    asked["expected_revision"] = 2
    revoked = room.ask("key-revoke", "root-1", "root-2", **asked, key=KEYS.states.keyid)
    assert revoked[-1].event == "effective"
    with pytest.raises(
        ControllerError, match="for states: it was revoked, and never counts again; name another"
    ):
        room.clerk.check_keys()


def test_an_audit_that_was_changed_is_not_gone_on_with() -> None:
    """A ledger of a changed, an empty or another audit is none."""
    room = Room()
    room.registered("1")
    changed = [*room.audit[:2], room.audit[2].replace(b"churn", b"chorn"), *room.audit[3:]]
    for records, why in ((changed, "does not follow"), ([], "the audit is empty")):
        with pytest.raises(AuditError, match=why):
            Ledger(records, digest(room.audit[0]), lambda _: Facts())
    with pytest.raises(AuditError, match="is pinned"):
        Ledger(room.audit, "ab" * 32, lambda _: Facts())


def test_members_are_bounded_and_belong_to_their_agent() -> None:
    """Within a deployment a name is the agent's that named it first; a heartbeat of another time says nothing."""
    members, one = Members(), Agent(id="one", keys=("A" * 43 + "=",))
    said = Heartbeat(
        installation=number("x"),
        instance="i",
        boot_id=number("b"),
        at_ms=5,
        revisions={"churn": 1},
        free_bytes=0,
    )
    assert members.beat(said, one, 70_006) is None
    assert members.beat(said, one, 6) == "joined"
    members.take(
        record(
            "joined",
            agent="i",
            detail={"agent": "one", "boot_id": number("a"), "deployments": ["churn"], "heard_ms": 6},
        )
    )
    assert members.beat(said, Agent(id="two", keys=one.keys), 2_000) is None
    assert members.beat(said, one, 7) is None
    assert members.beat(said, one, 2_000) == "joined"
    for at in range(MAX_OF_AGENT - 1):
        detail = {"agent": "one", "boot_id": said.boot_id, "deployments": ["churn"], "heard_ms": 6}
        members.take(record("joined", agent=f"i{at}", detail=detail))
    stranger = Heartbeat(**{**{n: getattr(said, n) for n in said.__struct_fields__}, "instance": "new"})
    assert members.beat(stranger, one, 2_000) is None
    assert members.beat(stranger, Agent(id="two", keys=one.keys), 2_000) == "joined"


def test_who_serves_other_deployments_takes_no_name_from_an_agent() -> None:
    """It names an instance that drains: that joins again all the same, answers, and leaves by its own word alone."""
    members, boot, word = Members(), number("b"), "A" * 43 + "="
    one, two = (
        Agent(id="one", keys=(word,), deployments=("churn",)),
        Agent(id="two", keys=(word,), deployments=("fraud",)),
    )

    def beats(agent: Agent, at_ms: int, *, is_draining: bool = False) -> str | None:
        said = Heartbeat(
            installation=number("x"), instance="i", boot_id=boot, at_ms=at_ms, free_bytes=0,
            revisions={"churn": 1, "fraud": 1}, is_draining=is_draining,
        )  # fmt: skip
        news = members.beat(said, agent, at_ms)
        if news is not None:
            served = [*agent.deployments]
            detail = {"agent": agent.id, "boot_id": boot, "deployments": served, "heard_ms": at_ms}
            members.take(record(news, agent="i", detail=detail))
        return news

    assert beats(one, 1) == "joined"
    assert beats(one, 2, is_draining=True) == "left"
    assert [beats(two, 3), beats(one, 4)] == ["joined", "joined"]
    assert [*members.of("churn")] == [*members.of("fraud")] == ["i"]
    assert members.speaks(one, "i", "churn")
    assert not members.speaks(two, "i", "churn")
    assert beats(two, 5, is_draining=True) == "left"
    assert [members.names(), [*members.of("churn")]] == [["i"], ["i"]]
    assert members.silent(40_000) == [("one", "i")]
    members.take(record("silent", agent="i"))
    assert members.names() == []


@pytest.fixture
def store(tmp_path: Path) -> tuple[Store, ModelRef, str, str]:
    """Return a store with a package, its name, its manifest and its profile's digest."""
    profile = profile_of(batch({"age": [1.0, 2.0]}), has_times=False, provenance="none")
    packed(
        tmp_path,
        about=about(name="churn", version=profile.model_version),
        profile=profile,
        signers=(key("ann"),),
    )
    kept = folder_store(tmp_path / "store", make=True)
    checked = verify(tmp_path / "package", {key("ann").keyid: key("ann").public})
    kept.push(tmp_path / "package", checked)
    text = base64.b64encode((tmp_path / "package" / "manifest.json").read_bytes()).decode()
    return kept, checked.ref, text, profile.digest()


def outside_of(store: Store | None) -> Outside:
    """Return what looks at commands, with the keys of the small installation."""
    made = Outside(lambda: "topic-a", store)
    made.ring = lambda: Keyring(first_state(serving_trust(), policy().text))
    return made


def test_a_register_is_held_against_its_manifest() -> None:
    """The model, the profile and whoever signed the manifest must be those that the command names."""
    outside, made = outside_of(None), package("1")
    fields = {"model": made.model, "manifest": made.manifest, "profile": PROFILE}
    assert outside.look(command("register", **fields)) == Facts("low")
    for over, why in (
        ({"model": package("2").model}, "the command names version 2"),
        ({"profile": "ab" * 32}, "the command names another"),
        ({"manifest": package("1", word="stranger").manifest}, "by none of the"),
        ({"manifest": "no base64!"}, "no base64"),
        ({"manifest": "e30="}, "cannot be read"),
    ):
        refused = outside.look(command("register", **{**fields, **over}))
        assert isinstance(refused, Refusal)
        assert why in refused.sentence


def test_a_profile_comes_out_of_the_package(store: tuple[Store, ModelRef, str, str], tmp_path: Path) -> None:
    """The profile that the controller publishes is the one in the store whose digest was signed, for its deployment."""
    kept, model, manifest, profile = store
    outside = outside_of(kept)
    asked = command("register", model=model, manifest=manifest, profile=profile)
    assert outside.look(asked) == Facts("medium")
    published = outside.profile(asked)
    assert published is not None
    assert Profile.from_bytes(published).digest() == profile
    elsewhere = outside.look(command("register", "d", model=model, manifest=manifest, profile=profile))
    assert isinstance(elsewhere, Refusal)
    assert "the profile is that of churn" in elsewhere.sentence
    empty = outside_of(folder_store(tmp_path / "empty", make=True))
    lacking = empty.look(asked)
    assert isinstance(lacking, Refusal)
    assert "cannot be had" in lacking.sentence


def test_a_log_reset_is_for_this_topic_and_of_the_roots() -> None:
    """Another id, too few roots, or another command is no reset."""
    room = Room()
    desk = room.clerk.ledger.desk

    def reset(*words: str, target: str = "topic-b", op: Any = "log-reset") -> bool:
        envelope = signed(command(op, "" if op == "log-reset" else "churn", target=target), *words)
        return is_reset(Arrived(envelope.to_bytes(), 0, NOW_MS), desk, "topic-b", NOW_MS)

    assert reset("root-1", "root-2")
    assert not reset("root-1", "root-2", target="topic-c")
    assert not reset("root-1")
    assert not reset("oli", target="serving", op="resume")
    assert not is_reset(Arrived(b"rubbish", 0, NOW_MS), desk, "topic-b", NOW_MS)


def test_an_agent_answers_for_its_own_instances_alone() -> None:
    """One key that says `prepared` in the name of all three makes nothing so, and cancels nothing by a failure."""
    room = Room()
    room.registered("1")
    room.beat()
    room.turn()
    room.ask("create", "ann", model=package("1").model)
    size = len(room.audit)
    for name in INSTANCES[1:]:
        room.ack(name, "failed", word=INSTANCES[0])
        room.ack(name, "prepared", word=INSTANCES[0])
    room.ack(INSTANCES[0], "prepared")
    room.turn()
    assert len(room.audit) == size + 1
    assert room.state is not None
    assert room.state.phase == "prepare"


def test_an_agent_answers_for_its_deployments_alone() -> None:
    """An ack of a deployment that the agent's key is not for counts nothing, signed as it is."""
    agent = Agent(id="serving-9", keys=(text("serving-9"),), deployments=("fraud",))
    ring = Keyring(first_state(trust(agents=(agent,)), policy().text))
    for deployment, is_heard in (("fraud", True), ("churn", False)):
        said = Ack(
            installation=INSTALLATION, deployment=deployment, revision=1, instance="i-1", boot_id=number("i-1"),
            outcome="failed", at_ms=NOW_MS,
        )  # fmt: skip
        value = sign(ACK, said.to_bytes(), key("serving-9")).to_bytes()
        assert (heard(Arrived(value, 0, NOW_MS), ring) is not None) == is_heard
