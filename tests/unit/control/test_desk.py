"""The desk: what is refused whoever signed it, what waits for whom, and what takes effect when."""

from __future__ import annotations

import dataclasses
from typing import Any

from office import EVIDENCE, PLAN, PROFILE, Office, code, rolled_out, shadowed
from signed import command, key, model, plain, signed, text, trust

from driftline.agents.control.desk import Desk
from driftline.agents.control.judge import Facts
from driftline.agents.control.pending import LIMIT_MS, MAX_WAITING, MAX_WAITING_OF_ONE
from driftline.agents.control.verdicts import Refusal


def test_a_promotion_waits_for_two_persons_of_a_high_tier() -> None:
    """One approval is not enough, a second person's is; then the command takes effect with both of them told."""
    office = rolled_out("high")
    asked = office.ask("promote", "ann", model=model("2"))
    assert (asked.event, asked.lacking) == ("waits", 2)
    assert office.approve(asked, "bob").event == "approved"
    assert office.state.champion == model("1")
    decided = office.approve(asked, "cat")
    assert (decided.event, decided.approvers, decided.digest) == ("decided", ("bob", "cat"), asked.digest)
    assert office.state.champion == model("2")


def test_nobody_approves_what_they_asked_for() -> None:
    """Eve is engineer and approver at once; her word for her own command is forbidden."""
    office = shadowed()
    asked = office.ask("promote", "eve", model=model("2"))
    assert code(office.approve(asked, "eve")) == "forbidden"
    assert office.approve(asked, "bob").event == "decided"


def test_who_asked_takes_it_back() -> None:
    """By a denial, whatever their role; a system of another role may not, and no approval counts any more."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    assert code(office.approve(asked, "bot", op="deny")) == "forbidden"
    assert office.approve(asked, "ann", op="deny").event == "denied"
    assert code(office.approve(asked, "bob")) == "precondition_failed"
    assert office.state.champion == model("1")


def test_a_second_key_is_no_second_person() -> None:
    """Bob's other key says the same again, and that counts nothing."""
    office = Office("high")
    office.registered("1")
    asked = office.ask("create", "ann", model=model("1"))
    assert office.approve(asked, "bob").event == "approved"
    again = office.approve(asked, "bob-2")
    assert code(again) == "precondition_failed"
    assert "persons are counted, not keys" in (again.refusal.sentence if again.refusal else "")
    assert office.state.champion is None
    assert office.approve(asked, "eve").event == "decided"


def test_an_approval_of_another_digest_counts_nothing() -> None:
    """Approving what never was asked, or what was decided, is refused in words."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    for deployment in ("churn", ""):
        unknown = office.approve(asked, "bob", target="00" * 32, deployment=deployment)
        assert code(unknown) == "precondition_failed"
    assert office.approve(asked, "bob").event == "decided"
    assert code(office.approve(asked, "cat")) == "precondition_failed"


def test_an_approval_names_no_other_deployment() -> None:
    """A digest of `churn` with the name of another deployment beside it is refused."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    assert code(office.approve(asked, "bob", deployment="fraud")) == "precondition_failed"
    assert office.approve(asked, "bob", deployment="").event == "decided"


def test_one_denial_ends_it() -> None:
    """After a denial no approval helps."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    denied = office.approve(asked, "bob", op="deny")
    assert (denied.event, denied.target) == ("denied", asked.digest)
    assert code(office.approve(asked, "cat")) == "precondition_failed"
    assert office.state.champion == model("1")


def test_who_approved_may_still_deny() -> None:
    """Bob approves, sees harm and denies: no word of another person carries the command out any more."""
    office = Office("high")
    office.registered("1")
    waiting = office.ask("create", "ann", model=model("1"))
    assert office.approve(waiting, "bob").event == "approved"
    assert office.approve(waiting, "bob", op="deny").event == "denied"
    assert code(office.approve(waiting, "cat")) == "precondition_failed"
    assert office.state.champion is None


def test_who_may_not_approve_does_not() -> None:
    """The word of an engineer, an operator or a system without the role is forbidden."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    for word in ("oli", "val", "bot", "sue", "far"):
        assert code(office.approve(asked, word)) == "forbidden"
    assert len(list(office.desk.book)) == 1


def test_what_waits_lapses_at_its_limit() -> None:
    """A ms before its limit it waits, a ms after it is `approvals_missing`."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    office.now_ms = asked.at_ms + LIMIT_MS
    assert office.desk.lapse(office.now_ms) == []
    (lapsed,) = office.desk.lapse(office.now_ms + 1)
    assert (lapsed.event, code(lapsed), lapsed.digest) == ("lapsed", "approvals_missing", asked.digest)
    assert code(office.approve(asked, "bob")) == "precondition_failed"


def test_the_stage_of_a_model_is_told_to_the_policy() -> None:
    """On the highest tier a shadow is not promoted, and what is validated is no canary, whoever would approve."""
    office = shadowed("high")
    office.registered("3")
    promotion = office.ask("promote", "ann", model=model("2"))
    canary = office.ask("canary", "ann", model=model("3"), plan=PLAN)
    assert [(code(one), one.rules[-1]) for one in (promotion, canary)] == [
        ("forbidden", "high-needs-two-approvers"), ("forbidden", "high-needs-a-human-approver")
    ]  # fmt: skip
    assert "high-is-a-canary-before-it-is-promoted" in promotion.rules
    assert "high-is-shadowed-before-it-is-a-canary" in canary.rules


def test_a_validation_is_by_another_person_than_the_registration() -> None:
    """Eve is engineer and validator at once, and validates only what somebody else registered."""
    office = Office()
    office.does("register", "eve", model=model("1"), manifest="e30=", profile=PROFILE)
    assert code(office.ask("validate", "eve", model=model("1"), evidence=EVIDENCE)) == "forbidden"
    office.does("validate", "val", model=model("1"), evidence=EVIDENCE)
    version = office.state.version(model("1"))
    assert version is not None
    assert (version.stage, version.registered_by, version.validated_by) == ("validated", "eve", "val")


def test_roles_end_at_other_deployments() -> None:
    """An engineer of `fraud` is forbidden to touch `churn`, and hears nothing of what it holds."""
    office = Office()
    office.created()
    for op, fields in (
        ("halt-serving", {}),
        ("promote", {"model": model("1")}),
        ("rollback", {"model": model("9")}),
    ):
        decision = office.ask(op, "far", **fields)
        assert code(decision) == "forbidden"
        assert "within-scope" in decision.rules


def test_a_command_of_one_deployment_is_none_of_another() -> None:
    """A model that `churn` knows is unknown in `fraud`, and one of another manifest is unknown in `churn`."""
    office = Office()
    office.created()
    asked = command("promote", "fraud", at_ms=office.now_ms, model=model("1"), expected_revision=0)
    assert code(office.send(signed(asked, "ann").to_bytes())[0]) == "precondition_failed"
    other = type(model("1"))(name="churn", version="1", manifest="00" * 32)
    assert code(office.ask("promote", "ann", model=other)) == "precondition_failed"


def test_commands_out_of_order_conflict() -> None:
    """Of two commands for one revision the one that comes second is a conflict, whichever it is."""
    for turn in (1, -1):
        office = Office("low")
        office.created()
        office.registered("2")
        office.registered("3")
        two = [signed(office.build("shadow", model=model(v)), "ann").to_bytes() for v in ("2", "3")][::turn]
        assert office.send(two[0])[0].event == "decided"
        assert code(office.send(two[1])[0]) == "revision_conflict"


def test_a_halt_takes_one_signer_and_no_approval() -> None:
    """On the highest tier one approver halts at once, whatever is being prepared or waits."""
    office = shadowed("high")
    office.registered("3")
    asked = office.ask("shadow", "ann", model=model("3"))
    office.approve(asked, "bob")
    assert office.state.phase == "prepare"
    halted = office.ask("halt-serving", "cat", reason="it answers nonsense")
    assert halted.event == "decided"
    assert office.state.halt is not None
    assert (office.state.halt.by, office.state.phase, office.state.prepares) == ("cat", "activate", ())


def test_what_is_known_outside_is_looked_at() -> None:
    """A manifest that cannot be is refused with the sentence of whoever looked, but only to those who may ask."""
    office = Office()
    why = Refusal("precondition_failed", "the manifest is not the one that the model names")
    office.look = lambda asked: why if asked.op == "register" else Facts()  # type: ignore[method-assign]
    office.desk = Desk(office.history, office.look)
    fields: dict[str, Any] = {"model": model("1"), "manifest": "e30=", "profile": PROFILE}
    assert office.ask("register", "ann", **fields).refusal == why
    assert code(office.ask("register", "bob", **fields)) == "forbidden"


def test_one_person_does_not_fill_the_book() -> None:
    """Beyond 50 commands of one person that wait, the next is refused, and another person's waits."""
    office = shadowed()
    for _ in range(MAX_WAITING_OF_ONE):
        assert office.ask("promote", "ann", model=model("2")).event == "waits"
    assert code(office.ask("promote", "ann", model=model("2"))) == "precondition_failed"
    assert office.ask("promote", "eve", model=model("2")).event == "waits"


def test_the_book_is_bounded() -> None:
    """Beyond 500 commands that wait, the next one is refused whoever asks."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    (waiting,) = office.desk.book
    for number in range(MAX_WAITING - 1):
        office.desk.book.wait(dataclasses.replace(waiting, digest=str(number), by=str(number)))
    assert code(office.ask("promote", "eve", model=model("2"))) == "precondition_failed"
    assert office.approve(asked, "bob").event == "decided"


def test_ops_without_state_are_decided_and_change_none() -> None:
    """Configure, acknowledge and an approved forget are decided without a revision."""
    office = Office()
    office.created()
    before = office.state
    assert office.ask("configure", "ann", settings={"owner": "Ana"}).event == "decided"
    assert office.ask("acknowledge", "oli", target="alert").event == "decided"
    asked = office.ask("forget", "sue", target="01890000-0000-7000-8000-000000000001")
    assert asked.event == "waits"
    assert office.approve(asked, "bob").event == "decided"
    assert office.state is before


def test_a_log_is_reset_by_root_keys() -> None:
    """A person's word, and one root key, are not enough."""
    office = Office()
    for words, event in (
        (("oli",), "rejected"),
        (("root-1",), "rejected"),
        (("root-1", "root-2"), "decided"),
    ):
        asked = command("log-reset", "", target="topic-id")
        assert office.send(signed(asked, *words).to_bytes())[0].event == event


def test_trust_changes_hold_from_the_next_record_on() -> None:
    """A person who comes with a trust-set may ask right after it, and one who is gone may not."""
    office = Office()
    people = (*[one for one in trust().persons if one.id != "ann"], plain(trust().persons[0]) | {
        "id": "new", "keys": [text("new")]
    })  # fmt: skip
    asked = command("trust-set", "", expected_revision=1, trust=plain(trust()) | {"persons": plain(people)})
    assert office.send(signed(asked, "root-1", "root-3").to_bytes())[0].event == "decided"
    fields: dict[str, Any] = {"model": model("1"), "manifest": "e30=", "profile": PROFILE}
    assert office.ask("register", "new", **fields).event == "decided"
    assert code(office.ask("validate", "ann", model=model("1"), evidence=EVIDENCE)) == "unknown_key"


def test_a_desk_is_the_sum_of_its_decisions() -> None:
    """Another desk that applies what the first one decided stands where it stands, and refuses the same replays."""
    office = Office("high")
    office.promoted()
    waiting = office.ask("rollback", "oli", model=model("1"), break_glass=True)
    office.registered("3")
    waiting = office.ask("shadow", "ann", model=model("3"))
    revoke = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key("far").keyid)
    office.send(signed(revoke, "root-1", "root-2").to_bytes())
    other = Desk(office.history, office.look)
    for decision in office.told:
        other.apply(decision)
    assert other.states == office.desk.states
    assert tuple(other.book) == tuple(office.desk.book) != ()
    assert other.book.reviews == office.desk.book.reviews != ()
    assert other.history.now.ring.state == office.desk.history.now.ring.state
    assert other.seq == office.desk.seq
    replay = [one.envelope.to_bytes() for one in office.told if one.envelope is not None]
    office.desk = other
    assert {code(office.send(value)[-1]) for value in replay} <= {"replayed", "expired"}
    assert office.approve(waiting, "bob").event == "decided"
