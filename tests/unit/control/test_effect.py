"""What is tested again when a command takes effect, policies that err, and what is done with the glass broken."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from office import PROFILE, Office, code, refused, shadowed
from signed import command, key, model, person, plain, policy, signed, text, trust

from driftline.agents.control.history import History
from driftline.agents.control.pending import MAX_REVIEWS, REVIEW_MS, Review
from driftline.agents.control.trust import first_state, policy_digest
from driftline.agents.control.verify_state import StateError, verify_state


def test_a_command_waits_longer_than_it_could_be_admitted() -> None:
    """Its expiry limits admission only: approved a day later it takes effect."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    office.now_ms += 24 * 3_600_000
    assert office.approve(asked, "bob").event == "decided"


def test_the_revision_is_tested_again_at_the_effect() -> None:
    """What changed meanwhile makes an approved command fail with a conflict, and it waits no more."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    office.registered("3")
    failed = office.approve(asked, "bob")
    assert (failed.event, code(failed), failed.digest) == ("failed", "revision_conflict", asked.digest)
    assert list(office.desk.book) == []


def test_keys_are_tested_again_at_the_effect() -> None:
    """The approval of a key that was revoked meanwhile counts no more; the asker's revoked key ends the command."""
    office = Office("high")
    office.registered("1")
    asked = office.ask("create", "ann", model=model("1"))
    office.approve(asked, "bob")
    revoke = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key("bob").keyid)
    assert office.send(signed(revoke, "root-1", "root-2").to_bytes())[0].event == "decided"
    assert office.approve(asked, "cat").event == "approved"
    assert office.state.champion is None
    revoke = command("key-revoke", "", at_ms=office.now_ms, expected_revision=2, key=key("ann").keyid)
    office.send(signed(revoke, "root-1", "root-2").to_bytes())
    failed = office.approve(asked, "eve")
    assert (failed.event, code(failed)) == ("failed", "unknown_key")


def test_roles_of_approvers_are_tested_again_at_the_effect() -> None:
    """An approver whose role was taken away meanwhile is counted no more, though the key still is theirs."""
    office = Office("high")
    office.registered("1")
    asked = office.ask("create", "ann", model=model("1"))
    office.approve(asked, "bob")
    people = [replace(one, roles=("engineer",)) if one.id == "bob" else one for one in trust().persons]
    change = command(
        "trust-set", "", at_ms=office.now_ms, expected_revision=1,
        trust={**plain(trust()), "persons": plain(people)},
    )  # fmt: skip
    assert office.send(signed(change, "root-1", "root-2").to_bytes())[0].event == "decided"
    assert office.approve(asked, "cat").event == "approved"
    assert office.state.champion is None
    assert office.approve(asked, "eve").approvers == ("cat", "eve")


def test_systems_alone_approve_nothing_of_high_risk() -> None:
    """Two systems that approve are no human: the command waits on, and who shows agents the two is not believed."""
    systems = tuple(person(name, "approver", kind="system") for name in ("tick", "tock"))
    state = first_state(trust(persons=(*trust().persons, *systems)), policy().text)
    office = Office("high", history=History.of(state, policy().text))
    office.registered("1")
    asked = office.ask("create", "ann", model=model("1"))
    assert [office.approve(asked, name).event for name in ("tick", "tock")] == ["approved", "approved"]
    assert office.state.champion is None
    assert office.approve(asked, "bob").event == "decided"
    office.prepared()
    (grant,) = (one for one in office.state.basis if one.of == "champion")
    shown = replace(office.state, basis=(replace(grant, approvals=grant.approvals[:2]),))
    with pytest.raises(StateError, match="with 2 approvals"):
        verify_state(office.published(shown), "churn", None, office.desk.history, office.now_ms, {}, ())
    assert verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())


def test_the_policy_is_tested_again_at_the_effect() -> None:
    """A policy that was set meanwhile, and forbids it, ends the command at its next approval."""
    office = shadowed()
    asked = office.ask("promote", "ann", model=model("2"))
    stricter = policy().text + '@id("freeze") forbid (principal, action == Action::"promote", resource);'
    asked_for = command("policy-set", "", at_ms=office.now_ms, expected_revision=1, policy=stricter)
    assert office.send(signed(asked_for, "root-1", "root-2").to_bytes())[0].event == "decided"
    failed = office.approve(asked, "bob")
    assert (failed.event, code(failed)) == ("failed", "forbidden")
    assert "'freeze'" in (failed.refusal.sentence if failed.refusal else "")


def test_what_is_no_sound_policy_is_not_set() -> None:
    """A text that is no Cedar, speaks of what there is not, or lets nobody halt is a `policy_error`."""
    office = shadowed()
    for wrong in ("permit (", "permit (principal, action, resource) when { context.no == 1 };", "// nothing"):
        asked = command("policy-set", "", at_ms=office.now_ms, expected_revision=1, policy=wrong)
        assert code(office.send(signed(asked, "root-1", "root-2").to_bytes())[0]) == "policy_error"
    assert office.desk.history.now.policy.digest == policy().digest


def test_a_rule_that_errs_now_and_not_later_denies_now() -> None:
    """A rule that overflows without an approval, and would not with one, is no reason to wait."""
    office = shadowed()
    erring = policy().text + (
        "forbid (principal, action, resource) when { (2 - context.approvers) * 9223372036854775807 < 0 };"
    )
    state = replace(office.desk.history.now.ring.state, policy=policy_digest(erring))
    office.desk.history = office.desk.history.then(0, state, erring)
    assert code(office.ask("promote", "ann", model=model("2"))) == "policy_error"


def test_a_policy_that_errs_denies() -> None:
    """With a rule that comes to overflow an approved promotion is a `policy_error`; Cedar alone would allow it."""
    office = shadowed()
    erring = policy().text + (
        "forbid (principal, action, resource) when { context.age_s * 9223372036854775807 > 9 };"
    )
    state = replace(office.desk.history.now.ring.state, policy=policy_digest(erring))
    office.desk.history = office.desk.history.then(0, state, erring)
    asked = office.ask("promote", "ann", model=model("2"))
    assert asked.event == "waits"
    office.now_ms += 2_000
    failed = office.approve(asked, "bob")
    assert (failed.event, code(failed)) == ("failed", "policy_error")
    assert office.state.champion == model("1")


def test_broken_glass_is_reviewed_or_nothing_more_goes() -> None:
    """Unreviewed by another person after 72 h, the deployment takes only halts and rollbacks; a review ends that."""
    office = Office("high")
    office.canary()
    broke = office.ask("promote", "oli", model=model("2"), break_glass=True)
    assert (broke.event, broke.approvers, office.state.champion) == ("decided", (), model("2"))
    assert broke.until_ms == office.now_ms + REVIEW_MS
    office.now_ms += REVIEW_MS + 1
    held_up = office.ask("register", "ann", model=model("3"), manifest="e30=", profile=PROFILE)
    assert code(held_up) == "precondition_failed"
    refused(held_up, broke.digest)
    assert office.ask("halt-serving", "ann").event == "decided"
    assert office.ask("rollback", "ann", model=model("1")).event == "decided"
    assert code(office.approve(broke, "oli")) == "forbidden"
    assert office.approve(broke, "bob").event == "reviewed"
    office.does("register", "ann", model=model("3"), manifest="e30=", profile=PROFILE)


def test_nobody_reviews_their_own_broken_glass() -> None:
    """Oli may approve too, by another key as well; what he did with the glass broken another person reviews."""
    others = (one for one in trust().persons if one.id != "oli")
    twofold = trust(persons=(*others, person("oli", "operator", "approver", keys=("oli", "oli-2"))))
    office = Office("low", History.of(first_state(twofold, policy().text), policy().text))
    office.canary()
    broke = office.ask("promote", "oli", model=model("2"), break_glass=True)
    for word, op in (("oli", "approve"), ("oli-2", "approve"), ("oli", "deny")):
        refused(office.approve(broke, word, op=op), "oli asked for it; another person must")  # type: ignore[arg-type]
    assert len(office.desk.book.reviews) == 1
    assert office.approve(broke, "bob").event == "reviewed"


def test_broken_glass_is_for_those_whom_the_policy_lets() -> None:
    """An engineer who breaks the glass is forbidden to."""
    office = shadowed("high")
    assert code(office.ask("promote", "ann", model=model("2"), break_glass=True)) == "forbidden"
    assert office.desk.book.reviews == ()


def test_glass_is_broken_so_often_and_not_more() -> None:
    """Beyond 500 uses that nobody reviewed, the next one is refused."""
    office = shadowed()
    for number in range(MAX_REVIEWS):
        office.desk.book.look_at(Review(str(number), "other", "oli", office.now_ms + 1))
    assert code(office.ask("promote", "oli", model=model("2"), break_glass=True)) == "precondition_failed"


def test_a_review_holds_up_its_own_deployment_alone() -> None:
    """An overdue review of another deployment is no reason to refuse anything."""
    office = shadowed("low")
    office.desk.book.look_at(Review("00" * 32, "fraud", "oli", office.now_ms - 1))
    office.does("promote", "ann", model=model("2"))


def test_a_key_that_is_another_persons_now_speaks_for_nobody_before() -> None:
    """Bob approved; his key is then given to Val by a trust-set: the approval counts no more."""
    office = Office("high")
    office.registered("1")
    asked = office.ask("create", "ann", model=model("1"))
    office.approve(asked, "bob")
    people = [
        replace(one, keys=(text("bob-3"),)) if one.id == "bob"
        else replace(one, keys=(*one.keys, text("bob"), text("bob-2")), roles=("approver",)) if one.id == "val"
        else one
        for one in trust().persons
    ]  # fmt: skip
    change = command(
        "trust-set", "", at_ms=office.now_ms, expected_revision=1,
        trust={**plain(trust()), "persons": plain(people)},
    )  # fmt: skip
    assert office.send(signed(change, "root-1", "root-2").to_bytes())[0].event == "decided"
    assert office.approve(asked, "cat").event == "approved"
    assert office.state.champion is None
