"""Trust: what cannot hold, and what k root keys may make of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from signed import INSTALLATION, NOW_MS, command, key, person, plain, policy, text, trust

from driftline.agents.control.trust import Keyring, changed, covers, first_state
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command
from driftline.schemas.control.trust import Revocation, Root, Trust, TrustState, Witness

STATE = first_state(trust(), policy().text)


def root(*words: str) -> frozenset[str]:
    """Return the ids of keys."""
    return frozenset(key(word).keyid for word in words)


def asked(op: Any, **fields: Any) -> Command:
    """Return a command of the installation that expects version 1."""
    return command(op, "", **{"expected_revision": 1, **fields})


def after(asked_for: Command, *words: str, state: TrustState = STATE) -> TrustState | Refusal:
    """Apply a command that the keys of these words signed."""
    return changed(state, asked_for, root(*words), NOW_MS)


def code(result: TrustState | Refusal) -> str:
    """Return the code of a refusal."""
    assert isinstance(result, Refusal), result
    return result.code


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"root": Root(threshold=3, keys=(text("a"), text("b")))}, "asks for 3 of 2"),
        ({"controllers": (text("ann"),)}, "named twice"),
        ({"persons": (person("ann", "x"), person("ann", "y", keys=("z",)))}, "person ann is named twice"),
        ({"persons": (person("root", "x", keys=("y",)),)}, "the person root has the name of a machine"),
        (
            {"persons": (person("controller", "x", keys=("z",)),)},
            "the person controller has the name of a machine",
        ),
        ({"persons": (person("a", "x", keys=("k",)), person("b", "x", keys=("k",)))}, "one holder's alone"),
        ({"witnesses": (Witness(name="w", key=text("w")), Witness(name="w", key=text("v")))}, "witness w"),
    ],
)
def test_a_trust_that_contradicts_itself_cannot_hold(fields: dict[str, Any], said: str) -> None:
    """A threshold that nobody reaches, a key of two holders, an id twice: each is a sentence."""
    with pytest.raises(ValueError, match=said):
        first_state(trust(**fields), policy().text)


def test_one_key_has_one_spelling() -> None:
    """Base64 leaves bits open at its end; the same key written otherwise is none."""
    spelled = text("ann")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = spelled[:-2] + letters[letters.index(spelled[-2]) + 1] + "="
    with pytest.raises(ValueError, match="is no public key"):
        first_state(trust(controllers=(other,)), policy().text)


def test_a_key_is_known_by_what_it_is_for() -> None:
    """Persons, agents, controllers and root have rings of their own, and two keys of a person have one holder."""
    ring = Keyring(STATE)
    assert ring.holders[key("bob").keyid] is ring.holders[key("bob-2").keyid]
    assert ring.serving[key("serving-1").keyid].id == "serving-1"
    assert set(ring.controllers) == {key("controller").keyid}
    assert key("controller").keyid not in ring.askers
    assert key("root-1").keyid in ring.askers
    assert set(ring.witnesses) == {"witness.example/1"}


def test_a_revoked_key_is_in_no_ring() -> None:
    """After its revocation a key is nobody's, while the person's other key still is theirs."""
    found = after(asked("key-revoke", key=key("bob").keyid, compromised_since_ms=5), "root-1", "root-2")
    assert isinstance(found, TrustState)
    assert found.revocations == (
        Revocation(key=key("bob").keyid, revoked_at_ms=NOW_MS, compromised_since_ms=5),
    )
    ring = Keyring(found)
    assert key("bob").keyid not in ring.holders
    assert ring.holders[key("bob-2").keyid].id == "bob"
    assert (found.version, found.digest != STATE.digest) == (2, True)


@pytest.mark.parametrize(
    "asked_for",
    [
        asked("trust-set", trust=plain(trust())),
        asked("key-revoke", key=key("bob").keyid),
        asked("policy-set", policy="permit (principal, action, resource);"),
    ],
    ids=lambda one: one.op,
)
def test_changes_of_trust_need_k_root_keys(asked_for: Command) -> None:
    """One of two root keys, the same one with a person's, or none, are not enough; any two are."""
    for words in ((), ("root-1",), ("root-1", "ann"), ("ann", "bob", "cat")):
        assert code(after(asked_for, *words)) == "approvals_missing"
    for words in (("root-1", "root-2"), ("root-3", "root-1"), ("root-1", "root-2", "root-3")):
        assert isinstance(after(asked_for, *words), TrustState)


def test_a_change_expects_the_version_that_is() -> None:
    """A change that was made for another version is a conflict, so that no revocation is lost by it."""
    for expected in (0, 2, None):
        found = after(
            asked("trust-set", trust=plain(trust()), expected_revision=expected), "root-1", "root-2"
        )
        assert code(found) == "revision_conflict"


def test_a_policy_is_set_by_its_digest() -> None:
    """The state names the sha256 of the new text, and nothing else of it changed."""
    found = after(asked("policy-set", policy=policy().text + " "), "root-1", "root-2")
    assert isinstance(found, TrustState)
    assert found.policy != STATE.policy
    assert found.trust == STATE.trust


def test_installation_and_origin_never_change() -> None:
    """A trust of another installation or another log is refused."""
    for fields in ({"installation": INSTALLATION[:-1] + "b"}, {"origin": "elsewhere"}):
        found = after(asked("trust-set", trust=plain(trust(**fields))), "root-1", "root-2")
        assert code(found) == "precondition_failed"


def test_a_new_root_is_signed_by_both() -> None:
    """The old root alone could install one that nobody holds; the new one alone is nobody yet."""
    new = trust(root=Root(threshold=2, keys=(text("new-1"), text("new-2"))))
    asked_for = asked("trust-set", trust=plain(new))
    assert code(after(asked_for, "root-1", "root-2")) == "approvals_missing"
    assert code(after(asked_for, "new-1", "new-2")) == "approvals_missing"
    found = after(asked_for, "root-1", "root-2", "new-1", "new-2")
    assert isinstance(found, TrustState)
    assert code(after(asked("key-revoke", key=key("bob").keyid, expected_revision=2), "root-1", "root-2",
                      state=found)) == "approvals_missing"  # fmt: skip


def test_a_revoked_key_never_comes_back() -> None:
    """A trust that names a revoked key is refused."""
    gone = after(asked("key-revoke", key=key("bob").keyid), "root-1", "root-2")
    assert isinstance(gone, TrustState)
    back = asked("trust-set", trust=plain(trust()), expected_revision=2)
    assert code(after(back, "root-1", "root-2", state=gone)) == "precondition_failed"


def test_the_last_root_keys_are_not_revoked() -> None:
    """A revocation that leaves fewer root keys than the threshold would lock everybody out."""
    once = after(asked("key-revoke", key=key("root-3").keyid), "root-1", "root-2")
    assert isinstance(once, TrustState)
    twice = after(
        asked("key-revoke", key=key("root-2").keyid, expected_revision=2), "root-1", "root-2", state=once
    )
    assert code(twice) == "precondition_failed"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"op": "trust-set"}, "malformed"),
        ({"op": "trust-set", "trust": {"root": 1}}, "malformed"),
        ({"op": "key-revoke"}, "malformed"),
        ({"op": "policy-set"}, "malformed"),
        ({"op": "key-revoke", "key": "ab" * 32}, "precondition_failed"),
        ({"op": "trust-set", "trust": plain(trust(controllers=(text("ann"),)))}, "precondition_failed"),
    ],
)
def test_a_change_that_says_nothing_is_refused(fields: dict[str, Any], wanted: str) -> None:
    """No trust, no key, no policy, an unknown key, a trust that cannot hold: each has its code."""
    assert code(after(asked(**fields), "root-1", "root-2")) == wanted


def test_a_key_is_revoked_once() -> None:
    """A second revocation of the same key changes nothing and says so."""
    once = after(asked("key-revoke", key=key("bob").keyid), "root-1", "root-2")
    assert isinstance(once, TrustState)
    again = asked("key-revoke", key=key("bob").keyid, expected_revision=2)
    assert code(after(again, "root-1", "root-2", state=once)) == "precondition_failed"


def test_a_state_of_trust_says_the_same_after_its_way_through_bytes() -> None:
    """What comes back has the same digest, and an unknown field of a trust is an error."""
    assert TrustState.from_bytes(STATE.to_bytes()).digest == STATE.digest
    with pytest.raises(msgspec.ValidationError, match="surprise"):
        msgspec.convert({**plain(trust()), "surprise": 1}, type=Trust)


def test_scopes_name_deployments_or_all() -> None:
    """Only `*` covers the installation itself."""
    assert covers(("*",), "")
    assert not covers(("churn",), "")
    assert covers(("a", "churn"), "churn")
