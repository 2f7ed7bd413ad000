"""What the audit lets be forgotten, and what whoever may write its topic cannot have forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from forging import OTHER, added, claimed, edited, granted, rewritten, root_change, told, wish
from msgspec.structs import replace
from office import Office
from office_audit import lines
from signed import INSTALLATION, command, key, plain, signed, text, trust

from driftline.agents.audit.errors import AuditError
from driftline.agents.control.forgets import Forgets
from driftline.agents.control.history import History
from driftline.agents.control.policy import default_policy
from driftline.agents.control.trust import first_state
from driftline.schemas.control.command import Command

ID = "order-7"
FORBIDDING = (
    default_policy().text + '\n@id("nothing")\nforbid (principal, action == Action::"forget", resource);'
)
BY_TIER = default_policy().text.replace(
    'context.approvers < 1 };\n\n@id("medium-needs-one',
    'context.tier != "low" && context.approvers < 1 };\n\n@id("medium-needs-one',
)


def asked(office: Office, target: str = ID) -> None:
    """Let Sue ask that a prediction be forgotten, and Bob approve."""
    waiting = office.ask("forget", "sue", target=target)
    assert waiting.event == "waits"
    assert office.approve(waiting, "bob").event == "decided"


def policy_set(policy: str, version: int = 1) -> Command:
    """Return a command that sets a policy."""
    return command("policy-set", "", policy=policy, expected_revision=version)


@pytest.fixture
def office() -> Office:
    """An office with a champion, where one prediction was forgotten."""
    made = Office()
    made.created()
    asked(made)
    return made


def test_what_persons_asked_and_approved_is_forgotten(office: Office) -> None:
    """The controller's own record tells of it once, with the place where that stands; hearing it again is the same."""
    records = lines(office)
    found, wrong, _ = told(records)
    (one,) = found
    assert (one.deployment, one.target, one.seq) == ("churn", ID, len(records) - 1)
    assert wrong == []
    assert told(records)[0] == found


def test_a_wish_that_was_signed_as_it_must_be_is_believed(office: Office) -> None:
    """The forgeries below differ from this one in what each names, and in nothing else."""
    assert [one.target for one in told(claimed(lines(office), *wish("sue")))[0]] == [ID, OTHER]


FORGED: dict[str, tuple[Callable[[Office], tuple[Any, ...]], dict[str, Any], str]] = {
    "no envelope": (lambda _: (None,), {}, "a grant holds no command"),
    "no json": (lambda _: (None,), {"envelope": "{"}, "a grant holds no command"),
    "nobody's key": (lambda _: wish("mallory"), {}, "nobody whose key counts"),
    "an agent's key": (lambda _: wish("serving-1"), {}, "nobody whose key counts"),
    "a controller's key": (lambda _: wish("controller"), {}, "nobody whose key counts"),
    "another payload": (lambda o: (edited(granted(o)[0]), *granted(o)[1:]), {}, "does not hold"),
    "another op": (lambda _: (signed(command("acknowledge", target="a"), "sue"),), {}, "another command"),
    "another deployment": (granted, {"deployment": "fraud"}, "its command is about churn"),
    "another digest": (lambda _: wish("sue"), {"command": "ab" * 32}, "another command"),
    "no digest": (lambda _: wish("sue"), {"command": None}, "another command"),
    "another asker": (lambda _: wish("sue"), {"actor": "ann"}, "names ann as who asked"),
    "another approver": (lambda _: wish("sue"), {"approvers": ("bob", "cat")}, "names cat as who approved"),
    "no approval": (lambda _: wish("sue", by=()), {}, "with 0 approvals"),
    "approved by oneself": (lambda _: wish("sue", by=("sue",)), {}, "with 0 approvals"),
    "approved by an engineer": (lambda _: wish("sue", by=("ann",)), {}, "the policy does not let sue"),
    "an approval of another": (lambda o: (*wish("sue", by=()), granted(o)[1]), {}, "for another command"),
    "no steward": (lambda _: wish("ann"), {}, "the policy does not let ann"),
    "another installation": (
        lambda _: wish("sue", audience=INSTALLATION.replace("a", "b")),
        {},
        "another installation",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_is_forged_is_not_obeyed(office: Office, name: str) -> None:
    """A record that follows, is whole, and claims what nobody with the leave signed lets nothing be forgotten."""
    made, over, why = FORGED[name]
    found, wrong, forgets = told(claimed(lines(office), *made(office), **over))
    assert [one.target for one in found] == [ID]
    assert len(wrong) == 1
    assert wrong[0].startswith("forget: ")
    assert why in wrong[0]
    assert forgets.doubt is None


def test_what_was_carried_out_once_is_shown_again_in_vain(office: Office) -> None:
    """The same envelope under another number names the same prediction; the record cannot say another one."""
    found, wrong, _ = told(claimed(lines(office), *granted(office), detail={"target": OTHER}))
    assert [one.target for one in found] == [ID, ID]
    assert wrong == []


def test_what_was_denied_is_not_forgotten(office: Office) -> None:
    """Cat had signed an approval when Bob denied it: with her word alone it would be believed."""
    waiting = office.ask("forget", "sue", target=OTHER)
    assert office.approve(waiting, "bob", op="deny").event == "denied"
    assert waiting.envelope is not None
    kept = signed(command("approve", target=waiting.digest), "cat")
    found, wrong, _ = told(claimed(lines(office), waiting.envelope, kept))
    assert [one.target for one in found] == [ID]
    assert "denied, refused or lapsed" in wrong[0]


@pytest.mark.parametrize("came", ["in time", "never"])
def test_an_approval_that_counted_nothing_when_it_came_counts_nothing_later(
    office: Office, came: str
) -> None:
    """Val gets the role two days after she approved: nothing is forgotten by that, whatever time a record claims."""
    waiting = office.ask("forget", "sue", target=OTHER)
    assert waiting.envelope is not None
    vote = signed(office.build("approve", target=waiting.digest), "val")
    if came == "in time":
        assert office.send(vote.to_bytes())[-1].event == "rejected"
    office.now_ms += 2 * 86_400_000
    office.trusts(lambda one: replace(one, roles=("approver",)) if one.id == "val" else one)
    found, wrong, _ = told(claimed(lines(office), waiting.envelope, vote, approvers=("val",)))
    assert [one.target for one in found] == [ID]
    assert "denied, refused or lapsed" in wrong[0]


@pytest.mark.parametrize("word", ["sue", "bob"])
def test_a_revoked_key_counts_no_more(office: Office, word: str) -> None:
    """Of whoever asks and of whoever approves; what was forgotten before the revocation stays so."""
    signed_before = wish("sue")
    version = office.desk.history.now.ring.state.version
    revoke = command("key-revoke", "", key=key(word).keyid, expected_revision=version)
    (decision,) = office.send(signed(revoke, "root-1", "root-2").to_bytes())
    assert decision.event == "decided"
    found, wrong, _ = told(claimed(lines(office), *signed_before))
    assert [one.target for one in found] == [ID]
    assert len(wrong) == 1


@pytest.mark.parametrize("policy", [FORBIDDING, "no policy at all"])
def test_the_policy_of_the_record_decides(office: Office, policy: str) -> None:
    """What roots forbade since is not forgotten, though it was allowed when signed; a policy that errs denies."""
    before = wish("sue")
    records, state = root_change(lines(office), office.desk.history.now.ring.state, policy_set(policy))
    found, wrong, _ = told(claimed(records, *before))
    assert [one.target for one in found] == [ID]
    assert "forget: " in wrong[-1]
    records, _ = root_change(records, state, policy_set(default_policy().text, 2))
    assert [one.target for one in told(claimed(records, *before))[0]] == [ID, OTHER]


def test_trust_changes_by_its_roots_alone(office: Office) -> None:
    """Whoever writes a trust of their own into the chain brings in no key."""
    more = replace(
        trust(), persons=(*trust().persons, replace(trust().persons[6], id="mal", keys=(text("mallory"),)))
    )
    said = command("trust-set", "", trust=plain(more), expected_revision=1)
    envelope = signed(said, "mallory")
    fields = {"op": "trust-set", "command": envelope.digest, "envelope": envelope.to_bytes().decode()}
    records = added(lines(office), **fields)
    found, wrong, _ = told(claimed(records, *wish("mallory")))
    assert [one.target for one in found] == [ID]
    assert [one.partition(":")[0] for one in wrong] == ["trust", "forget"]


def test_a_tier_that_somebody_lowers_stays(office: Office) -> None:
    """Where policy asks for less at tier low, a state of tier low that somebody adds does not make it ask for less."""
    assert 'context.tier != "low"' in BY_TIER
    records, _ = root_change(lines(office), office.desk.history.now.ring.state, policy_set(BY_TIER))
    lowered = replace(office.state, revision=99, tier="low")
    records = added(records, "moved", deployment="churn", detail={"state": lowered.to_bytes().decode()})
    found, wrong, _ = told(claimed(records, *wish("sue", by=())))
    assert [one.target for one in found] == [ID]
    assert "at tier medium" in wrong[-1]
    low = Office("low", History.of(first_state(trust(), BY_TIER), BY_TIER))
    low.created()
    assert low.ask("forget", "sue", target=ID).event == "decided"


@pytest.mark.parametrize("change", [{"seq": 99}, {"prev_hash": "0" * 64}])
def test_what_does_not_follow_is_not_obeyed(office: Office, change: dict[str, Any]) -> None:
    """A signed wish in a record of another number, or after another record, is no record of the chain."""
    *records, last = claimed(lines(office), *wish("sue"))
    name, value = next(iter(change.items()))
    broken = rewritten(last, name, value)
    found, wrong, _ = told([*records, broken])
    assert [one.target for one in found] == [ID]
    assert wrong[0].startswith("chain: ")


def test_another_audit_is_not_obeyed(office: Office) -> None:
    """Nothing of a chain that begins with another record than the pinned one counts."""
    forgets = Forgets("ab" * 32)
    for data in lines(office):
        with pytest.raises(AuditError):
            forgets.hear(data)
    assert forgets.mark is None


def test_a_restart_trusts_no_less(office: Office) -> None:
    """With the mark of an earlier life the same log tells all of it again, once it has come so far."""
    asked(office, "order-9")
    records = lines(office)
    mark = told(records)[2].mark
    assert mark is not None
    asked(office, OTHER)
    found, wrong, forgets = told(lines(office), mark)
    assert ([one.target for one in found], wrong, forgets.doubt) == ([ID, "order-9", OTHER], [], None)
    short, _, behind = told(records[:-1], mark)
    assert (short, behind.mark) == ([], None)
    assert "were followed before" in str(behind.doubt)


def test_a_log_without_a_revocation_is_another_one(office: Office) -> None:
    """Whoever cuts the log off before a revocation, and goes on with the stolen key, is not obeyed after a restart."""
    cut = lines(office)
    revoke = command("key-revoke", "", key=key("sue").keyid, expected_revision=1)
    office.send(signed(revoke, "root-1", "root-2").to_bytes())
    mark = told(lines(office))[2].mark
    forged = claimed(claimed(cut, *wish("sue")), *wish("sue"))
    assert [one.target for one in told(forged)[0]] == [ID, OTHER, OTHER]
    found, _, forgets = told(forged, mark)
    assert found == []
    assert "is another one than was followed before" in str(forgets.doubt)


def test_states_of_other_records_are_passed_over(office: Office) -> None:
    """A record that tells of half a state is told of, and what follows it is judged as before."""
    records = added(lines(office), "moved", deployment="churn", detail={"state": "no json"})
    found, wrong, _ = told(claimed(records, *wish("sue")))
    assert [one.target for one in found] == [ID, OTHER]
    assert wrong[0].startswith("trust: ")
