"""Any bytes that come to the topics of control: no crash, one decision at most, bounded memory."""

from __future__ import annotations

import base64
import random
from typing import Any

import msgspec
import pytest
from examples import many
from hypothesis import example, given, settings
from hypothesis import strategies as st
from office import PLAN, PROFILE, Office, broken
from signed import NOW_MS, command, key, model, plain, policy, signed, trust

from driftline.agents.control.decisions import Decision
from driftline.agents.control.errors import PolicyError, TrustError
from driftline.agents.control.policy import Policy
from driftline.agents.control.signing import sign
from driftline.agents.control.soundness import sound
from driftline.agents.control.telling import told
from driftline.agents.control.trust_file import parse_trust
from driftline.agents.control.verify_state import StateError, verify_state
from driftline.schemas.control.command import OPS, REJECT_CODES, Command
from driftline.schemas.control.envelope import COMMAND, MAX_BYTES, STATE, Envelope, EnvelopeError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
DEEP = b'{"a":' * 60_000


@pytest.fixture(scope="module")
def office() -> Office:
    """Return an office whose deployment has a champion and a canary."""
    made = Office("medium")
    made.canary()
    return made


def taken(office: Office, value: bytes) -> Decision | None:
    """Let bytes come; hold that at most one decision comes of them, that it can be told, and give it."""
    before, size = dict(office.desk.states), len(office.desk.seen)
    made = office.send(value)
    assert len(made) <= 1
    if not made:
        return None
    event, fields = told(made[0], None)
    assert msgspec.json.encode(fields)
    assert event
    if made[0].refusal is not None:
        assert made[0].refusal.code in REJECT_CODES
        assert "\n" not in made[0].refusal.sentence
        assert office.desk.states == before
    assert len(office.desk.seen) <= size + 1
    return made[0]


@settings(max_examples=many(300))
@given(st.one_of(st.binary(max_size=300), JSON.map(msgspec.json.encode), st.just(DEEP[:MAX_BYTES])))
@example(b"x" * (MAX_BYTES + 1))
@example(DEEP[:MAX_BYTES])
@example(b"\xef\xbb\xbf{}")
@example(b'{"payload":"\xff","payloadType":"a","signatures":[]}')
def test_any_bytes_are_an_envelope_or_refused(office: Office, value: bytes) -> None:
    """What is no envelope of a known key is `unsigned`, or part of a flood."""
    with pytest.raises(EnvelopeError):
        Envelope.from_bytes(value)
    decision = taken(office, value)
    assert decision is None or decision.event == "unsigned"


@settings(max_examples=many(300))
@given(st.one_of(st.binary(max_size=300), JSON.map(msgspec.json.encode)))
@example(DEEP[:40_000])
@example(b'{"op":"\xff"}')
@example(
    msgspec.json.encode({**msgspec.json.decode(command("halt-serving").to_bytes()), "issued_at_ms": 2**70})
)
@example(command("halt-serving").to_bytes().replace(b"1800000000000", b"1e999"))
@example(command("halt-serving").to_bytes().replace(b'"because"', b'"\\ud800"'))
def test_any_payload_of_a_known_key_is_a_command_or_malformed(office: Office, value: bytes) -> None:
    """Whoever holds a key and signs junk gets `malformed`, with the junk verbatim beside their key."""
    office.now_ms += 60_000  # in one minute many are told of as one
    decision = taken(office, sign(COMMAND, value, key("ann")).to_bytes())
    assert decision is not None
    assert decision.refusal is not None
    assert decision.refusal.code == "malformed"


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "op": st.sampled_from(OPS),
    "deployment": st.sampled_from(["", "churn", "fraud"]),
    "model": st.none() | st.sampled_from(["1", "2", "9"]).map(lambda version: plain(model(version))),
    "expected_revision": st.none() | st.integers(0, 20),
    "plan": st.none() | st.just(plain(PLAN)) | st.just({}),
    "break_glass": st.booleans(),
    "target": st.sampled_from(["", "serving", "rollout", "0" * 64]) | st.text(max_size=10),
    "key": st.none() | st.just(key("bob").keyid),
    "compromised_since_ms": st.none() | st.integers(-(2**63), 2**63 - 1),
    "settings": st.none() | st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    "trust": st.none() | st.just(plain(trust())) | st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    "policy": st.none() | st.just(policy().text) | st.text(max_size=40),
    "evidence": st.none() | st.just("ef" * 32),
    "manifest": st.none() | st.text(max_size=10),
    "profile": st.none() | st.just(PROFILE),
    "issued_at_ms": st.sampled_from([NOW_MS, 0, -(2**63), 2**63 - 1]),
    "expires_at_ms": st.sampled_from([NOW_MS + 600_000, NOW_MS, 0, 2**63 - 1]),
    "reason": st.text(max_size=10),
}
WORDS = st.lists(
    st.sampled_from(["ann", "eve", "bob", "oli", "sue", "root-1", "root-2", "thief", "far"]),
    min_size=1,
    max_size=3,
)


@settings(max_examples=many(400))
@given(st.fixed_dictionaries({}, optional=FIELDS), WORDS)
def test_any_signed_command_gets_one_answer(fields: dict[str, Any], words: list[str]) -> None:
    """Every combination of fields and signers is decided, waits, or is refused with a code; states stay whole."""
    office = Office("low")
    office.created()
    whole = {**msgspec.json.decode(command("halt-serving").to_bytes()), **fields}
    decision = taken(office, sign(COMMAND, msgspec.json.encode(whole), *map(key, words)).to_bytes())
    assert decision is not None
    assert decision.event in ("decided", "waits", "rejected", "unsigned")
    if decision.after is not None:
        data = office.published()
        assert (
            verify_state(data, "churn", None, office.desk.history, office.now_ms, {}, ()).state
            == office.state
        )


@settings(max_examples=many(200))
@given(st.integers(0, 1 << 32))
def test_no_changed_byte_of_a_command_takes_effect(seed: int) -> None:
    """An envelope with some bytes changed, cut or put in is never decided: the halt stays unasked."""
    chance, office = random.Random(seed), Office("low")
    office.created()
    whole = signed(command("halt-serving"), "oli")
    data = bytearray(whole.to_bytes())
    at = chance.randrange(len(data))
    kind = chance.randrange(3)
    if kind == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del data[at : at + chance.randrange(1, 20)]
    else:
        data[at:at] = chance.randbytes(chance.randrange(1, 20))
    try:
        same = Envelope.from_bytes(bytes(data)).signed_bytes == whole.signed_bytes
    except EnvelopeError:
        same = False
    decision = taken(office, bytes(data))
    assert decision is not None
    assert decision.event == "unsigned" or same
    assert office.state.halt is None or same


@settings(max_examples=many(200))
@given(st.one_of(st.binary(max_size=300), JSON.map(msgspec.json.encode)))
@example(DEEP)
def test_any_bytes_are_a_state_or_refused(office: Office, value: bytes) -> None:
    """Whether raw or signed by the controller: an agent refuses them with a sentence."""
    for data in (value, sign(STATE, value, key("controller")).to_bytes()):
        with pytest.raises(StateError):
            verify_state(data, "churn", None, office.desk.history, NOW_MS, {}, ())


@settings(max_examples=many(200))
@given(st.integers(0, 1 << 32))
def test_any_changed_field_of_a_state_is_refused_or_harmless(office: Office, seed: int) -> None:
    """A thief of the controller's key changes a byte of a state: agents refuse it, or callers see no difference."""
    chance = random.Random(seed)
    body = bytearray(office.state.to_bytes())
    at = chance.randrange(len(body))
    body[at] = chance.choice(b'0123456789abcdef"{}[]:,null ')
    try:
        found = verify_state(
            sign(STATE, bytes(body), key("controller")).to_bytes(), "churn", None, office.desk.history,
            office.now_ms, {}, (),
        ).state  # fmt: skip
    except StateError:
        return
    assert found.champion == office.state.champion
    assert found.rollout is None or (found.rollout.model, found.rollout.weight) == (model("2"), 500)


@settings(max_examples=30)
@given(st.one_of(st.text(max_size=200), st.integers(0, 1 << 32)))
@example("(" * 30_000)
@example('permit(principal, action, resource) when { "' + "(" * 20_000 + '" == "" };')
def test_any_text_is_a_policy_or_refused(text: str | int) -> None:
    """Junk, and the packaged policy with pieces cut out, is read or refused in one sentence."""
    if isinstance(text, int):
        chance, whole = random.Random(text), policy().text
        at = chance.randrange(len(whole))
        text = whole[:at] + whole[at + chance.randrange(1, 40) :]
    said = ""
    try:
        said = sound(Policy(text)) or ""
    except PolicyError as error:
        said = str(error)
    assert "\n" not in said


@settings(max_examples=many(200))
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
@example(b"a = " + b"[" * 20_000)
def test_any_bytes_are_a_trust_file_or_refused(value: bytes) -> None:
    """What is no trust file is one sentence that names it."""
    with pytest.raises(TrustError, match=r"trust\.toml"):
        parse_trust(value, "trust.toml")


def test_the_largest_envelope_is_read_and_one_byte_more_is_not() -> None:
    """A reason cannot be that long, so a policy fills the envelope to its bound."""
    office = Office()
    asked = command("policy-set", "", expected_revision=1, policy="")
    room = (MAX_BYTES - len(signed(asked, "root-1", "root-2").to_bytes())) * 3 // 4 - 20
    full = signed(
        Command(**{**msgspec.structs.asdict(asked), "policy": "/" * room}), "root-1", "root-2"
    ).to_bytes()
    assert MAX_BYTES - 100 < len(full) <= MAX_BYTES
    assert office.send(full)[0].event == "rejected"
    over = base64.b64encode(b"x" * MAX_BYTES)
    assert office.send(over)[0].event == "unsigned"
    assert office.send(broken(signed(asked, "root-1", "root-2")))[0].event == "unsigned"
