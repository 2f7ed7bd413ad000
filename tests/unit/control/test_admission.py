"""Admission: every reject code that bytes alone can earn, each with its sentence; and floods."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from office import Office, broken
from signed import INSTALLATION, NOW_MS, command, key, model, plain, signed, text, trust

from driftline.agents.audit.tree import Frontier, leaf_hash
from driftline.agents.control.decisions import Decision
from driftline.agents.control.flood import A_MINUTE
from driftline.agents.control.replays import KEPT_MS, Seen
from driftline.agents.control.signing import sign
from driftline.schemas.control.command import Plan, Step
from driftline.schemas.control.envelope import ACK, COMMAND, MAX_BYTES
from driftline.schemas.control.trust import Root


def halt(**fields: Any) -> bytes:
    """Return a halt by Oli in its envelope; arguments replace fields."""
    return signed(command("halt-serving", **fields), "oli").to_bytes()


def code(decision: Decision) -> str:
    """Return the code of a refusal; fails when there is none, or no sentence with it."""
    assert decision.refusal is not None, decision
    assert len(decision.refusal.sentence) > 20
    return decision.refusal.code


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"x" * (MAX_BYTES + 1), "too_large"),
        (b"{}", "malformed"),
        (b"", "malformed"),
        (b"\xff\xfe", "malformed"),
        (sign(ACK, b"{}", key("oli")).to_bytes(), "malformed"),
        (signed(command("halt-serving"), "nobody").to_bytes(), "unknown_key"),
        (signed(command("halt-serving"), "serving-1").to_bytes(), "unknown_key"),
        (signed(command("halt-serving"), "controller").to_bytes(), "unknown_key"),
        (broken(signed(command("halt-serving"), "oli")), "bad_signature"),
        (broken(signed(command("halt-serving"), "oli", "bob")), "bad_signature"),
    ],
)
def test_bytes_that_no_known_key_answers_for_are_told_of_by_digest(value: bytes, wanted: str) -> None:
    """Each is refused with its code, and what is told holds digest, size and offset, never the bytes."""
    decision = Office().send(value)[0]
    assert decision.event == "unsigned"
    assert code(decision) == wanted
    assert decision.unsigned is not None
    told = decision.unsigned
    assert (told.sha256, told.size_bytes, told.offset) == (hashlib.sha256(value).hexdigest(), len(value), 1)
    assert (decision.envelope, decision.command, decision.by) == (None, None, "")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (sign(COMMAND, b"{}", key("oli")).to_bytes(), "malformed"),
        (sign(COMMAND, b"\xff", key("oli")).to_bytes(), "malformed"),
        (halt(reason="  "), "malformed"),
        (halt(expected_revision=3), "malformed"),
        (halt(key=key("bob").keyid), "malformed"),
        (halt(expires_at_ms=NOW_MS + 15 * 60_000 + 1), "malformed"),
        (halt(expires_at_ms=NOW_MS), "malformed"),
        (signed(command("halt-serving"), "oli", "ann").to_bytes(), "malformed"),
        (signed(command("resume", expected_revision=1, target="all"), "oli").to_bytes(), "malformed"),
        (signed(command("approve", target="that one"), "bob").to_bytes(), "malformed"),
        (signed(command("promote", model=model("1")), "ann").to_bytes(), "malformed"),
        (
            signed(command("trust-set", "", expected_revision=1, trust={"root": 1}), "root-1").to_bytes(),
            "malformed",
        ),
        (halt(audience=INSTALLATION[:-1] + "b"), "wrong_audience"),
        (halt(at_ms=NOW_MS - 600_001), "expired"),
        (halt(at_ms=NOW_MS + 60_001), "expired"),
        (signed(command("halt-serving"), "root-1").to_bytes(), "forbidden"),
    ],
)
def test_what_a_known_key_signed_is_told_of_whole(value: bytes, wanted: str) -> None:
    """A refused command of somebody known is told of with its envelope and who signed it."""
    decision = Office().send(value)[0]
    assert decision.event == "rejected"
    assert code(decision) == wanted
    assert decision.envelope is not None
    assert decision.envelope.to_bytes() == value
    assert decision.signers


@pytest.mark.parametrize(
    "weights",
    [(), (0,), (5_000, 500), (500, 500), tuple(range(1, 22))],
    ids=lambda weights: str(len(weights)),
)
def test_a_plan_has_steps_whose_weights_grow(weights: tuple[int, ...]) -> None:
    """No step, a weight of nothing, weights that fall or stay, and too many steps are malformed."""
    plan = Plan(steps=tuple(Step(weight=weight) for weight in weights))
    asked = command("canary", model=model("2"), expected_revision=1, plan=plan)
    assert code(Office().send(signed(asked, "ann").to_bytes())[0]) == "malformed"


def test_only_a_canary_has_steps() -> None:
    """A promotion with steps is malformed."""
    asked = command("promote", model=model("2"), expected_revision=1, plan=Plan(steps=(Step(weight=1),)))
    assert code(Office().send(signed(asked, "ann").to_bytes())[0]) == "malformed"


def test_a_command_that_nobody_decided_in_time_is_expired() -> None:
    """Over 15 minutes after the broker's time of the record, its first decision is a refusal."""
    office = Office()
    office.created()
    assert code(office.send(halt(), late_ms=15 * 60_000 + 1)[0]) == "expired"
    assert office.send(halt(), late_ms=15 * 60_000)[0].event == "decided"


def test_a_late_decision_makes_no_late_issue_good() -> None:
    """What was issued over a minute after it came is refused by the record's time, also when it is decided later."""
    office = Office()
    office.created()
    for ahead_ms, wanted in ((60_001, "expired"), (60_000, "decided")):
        decision = office.send(halt(at_ms=office.now_ms + ahead_ms), late_ms=5 * 60_000)[0]
        assert (code(decision) if decision.refusal else decision.event) == wanted


def test_the_broker_s_clock_decides_and_not_the_sender_s() -> None:
    """A command within its times is admitted up to the last ms of each bound."""
    for issued_ms in (NOW_MS - 600_000, NOW_MS + 60_000):
        office = Office()
        office.created()
        assert office.send(halt(at_ms=issued_ms))[0].event == "decided"


def test_a_replay_is_refused_and_undoes_nothing() -> None:
    """The same bytes again, and another command of the same id or nonce, are `replayed`; what waits goes on waiting."""
    office = Office()
    office.created()
    office.registered("2")
    office.does("shadow", "ann", model=model("2"))
    asked = office.build("promote", model=model("2"))
    first = office.send(signed(asked, "ann").to_bytes())[0]
    assert first.event == "waits"
    for value in (
        signed(asked, "ann").to_bytes(),
        signed(asked, "eve").to_bytes(),
        signed(office.build("shadow", model=model("2"), nonce=asked.nonce), "ann").to_bytes(),
        signed(office.build("shadow", model=model("2"), command_id=asked.command_id), "ann").to_bytes(),
    ):
        assert code(office.send(value)[0]) == "replayed"
    assert code(office.send(signed(asked, "root-1").to_bytes())[0]) == "forbidden"
    assert office.approve(first, "bob").event == "decided"


def test_what_is_refused_for_its_times_is_not_remembered() -> None:
    """Old commands that somebody sends again and again crowd out none of their signer's new ones."""
    office = Office()
    for _ in range(3):
        office.send(halt(at_ms=NOW_MS - 600_001))
        office.send(halt(audience=INSTALLATION[:-1] + "b"))
    assert len(office.desk.seen) == 0
    office.send(halt())
    assert len(office.desk.seen) == 1


def test_a_replay_is_known_until_it_would_be_expired() -> None:
    """What is forgotten could not be admitted again."""
    seen, asked = Seen(), command("halt-serving")
    seen.take(asked, "oli")
    seen.forget(asked.expires_at_ms + KEPT_MS)
    assert seen.holds(asked)
    seen.forget(asked.expires_at_ms + KEPT_MS + 1)
    assert (seen.holds(asked), len(seen)) == (False, 0)


def test_a_flood_is_told_of_as_one() -> None:
    """Past a hundred a minute: count, first and last offset, and the root of the tree over the values."""
    office, tree = Office(), Frontier()
    for number in range(A_MINUTE + 50):
        made = office.send(b"junk %d" % number)
        assert len(made) == (1 if number < A_MINUTE else 0)
        if number >= A_MINUTE:
            tree.push(leaf_hash(b"junk %d" % number))
    (told,) = office.desk.flush(office.now_ms)
    assert told.flooded is not None
    flooded = told.flooded
    assert (flooded.count, flooded.first_offset, flooded.last_offset) == (50, A_MINUTE + 1, A_MINUTE + 50)
    assert flooded.root == tree.root().hex()
    assert office.desk.flush(office.now_ms) == []
    office.now_ms += 60_000
    assert len(office.send(b"junk")) == 1


def test_one_that_is_held_back_alone_is_told_by_its_own_digest() -> None:
    """After five seconds at most, or with what is told behind it: of one message the digest is its sha256."""
    office = Office()
    for number in range(A_MINUTE + 1):
        office.send(b"junk %d" % number)
    assert office.desk.flush(office.now_ms + 4_999, at_once=False) == []
    (told,) = office.desk.flush(office.now_ms + 5_000, at_once=False)
    assert told.flooded is not None
    assert told.flooded.root == hashlib.sha256(b"junk %d" % A_MINUTE).hexdigest()
    assert office.desk.flush(office.now_ms + 9_000, at_once=False) == []


def test_a_flood_hides_no_command() -> None:
    """Among any number of junk records a signed halt is decided by itself."""
    office = Office()
    office.created()
    for number in range(3 * A_MINUTE):
        office.send(b"junk %d" % number)
    assert office.send(halt())[0].event == "decided"


def test_what_is_sent_again_is_told_of_as_one() -> None:
    """Of one that is sent without end a hundred a minute are told of by themselves, beside as many unsigned ones."""
    office = Office()
    office.created()
    once = halt()
    assert office.send(once)[0].event == "decided"
    for number in range(A_MINUTE + 50):
        assert len(office.send(b"junk %d" % number)) == (1 if number < A_MINUTE else 0)
        made = office.send(once)
        assert [code(one) for one in made] == (["replayed"] if number < A_MINUTE else [])
    assert office.ask("resume", "oli", target="serving").event == "waits"
    (told,) = office.desk.flush(office.now_ms)
    assert told.flooded is not None
    assert told.flooded.count == 2 * 50


def test_a_root_command_that_is_refused_is_told_of_as_one_too() -> None:
    """Nothing remembers it, so that every copy is refused again, however old it is."""
    office = Office()
    asked = command("trust-set", "", expected_revision=1, trust=plain(trust(controllers=(text("ann"),))))
    once = signed(asked, "root-1", "root-2").to_bytes()
    office.now_ms += 30 * 86_400_000
    told = [len(office.send(once)) for _ in range(A_MINUTE + 5)]
    assert told == [1] * A_MINUTE + [0] * 5
    assert office.desk.flush(office.now_ms)[0].flooded is not None


def test_decisions_are_numbered_without_a_gap() -> None:
    """Each decision takes the next place in the audit, whatever it is; a flooded record takes none."""
    office = Office()
    office.created()
    for number in range(A_MINUTE + 5):
        office.send(b"junk %d" % number)
    office.told += office.desk.flush(office.now_ms)
    office.send(halt())
    assert [one.seq for one in office.told] == list(range(1, len(office.told) + 1))


def test_a_new_root_signs_with_keys_that_only_it_names() -> None:
    """A trust-set whose new root keys signed falsely is a bad signature; when they signed truly it is decided."""
    new = trust(root=Root(threshold=1, keys=(text("new-1"),)))
    office = Office()
    asked = command("trust-set", "", expected_revision=1, trust=plain(new))
    whole = signed(asked, "root-1", "root-2", "new-1")
    false = type(whole)(whole.payload, whole.payload_type, (
        *whole.signatures[:2], type(whole.signatures[2])(key("new-1").keyid, whole.signatures[0].sig)
    ))  # fmt: skip
    assert code(office.send(false.to_bytes())[0]) == "bad_signature"
    decision = office.send(whole.to_bytes())[0]
    assert decision.event == "decided"
    assert decision.trust is not None
    assert (decision.trust.version, office.desk.history.now.ring.state.version) == (2, 2)


@pytest.mark.parametrize(
    "more", [b'"reason":"another"', b'"\\u006f\\u0070":"promote"', b'"settings":{"a":1,"a":2}']
)
def test_a_command_says_each_thing_once(more: bytes) -> None:
    """A field that stands twice would be the first for one reader and the last for another, who approves it."""
    office = Office()
    body = command("halt-serving").to_bytes()
    decision = office.send(sign(COMMAND, body[:-1] + b"," + more + b"}", key("oli")).to_bytes())[0]
    assert code(decision) == "malformed"
    assert decision.refusal is not None
    assert "stands twice" in decision.refusal.sentence
