"""Envelopes, commands, states and acks as bytes: what is read, and what is refused with a word."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from signed import key

from driftline.agents.control.keys import Key
from driftline.agents.control.signing import sign
from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.command import OPS, REJECT_CODES, Command, ModelRef, Plan, Step
from driftline.schemas.control.envelope import ACK, COMMAND, MAX_BYTES, Envelope, EnvelopeError
from driftline.schemas.control.serving_state import Grant, Rollout, ServingState, Version

UUID = "01890000-0000-7000-8000-000000000001"
DIGEST = "ab" * 32
MODEL = ModelRef(name="churn", version="2", manifest=DIGEST)


def command(**fields: Any) -> Command:
    """Return a small command; arguments replace fields."""
    whole: dict[str, Any] = {
        "command_id": UUID,
        "op": "promote",
        "audience": UUID,
        "issued_at_ms": 1,
        "expires_at_ms": 2,
        "nonce": "0" * 32,
        "reason": "because",
    }
    return Command(**{**whole, **fields})


def test_an_envelope_says_the_same_after_its_way_through_bytes() -> None:
    """Payload, type and signatures come back, and the digest is that of the payload."""
    envelope = sign(COMMAND, b"{}", key("a"))
    again = Envelope.from_bytes(envelope.to_bytes())
    assert (again, again.body) == (envelope, b"{}")
    assert again.digest == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def broken(key: Key) -> dict[str, bytes]:
    """Return bytes that are no envelope, each under what the sentence must say."""
    good = msgspec.to_builtins(sign(COMMAND, b"{}", key))
    one = good["signatures"][0]

    def but(**fields: object) -> bytes:
        return msgspec.json.encode({**good, **fields})

    return {
        f"{MAX_BYTES} are allowed": b"x" * (MAX_BYTES + 1),
        "this is no envelope": b"\xff\x00",
        "payloadType": msgspec.json.encode({"payload": "", "signatures": []}),
        "0 signatures": but(signatures=[]),
        "17 signatures": but(signatures=[one] * 17),
        "two signatures of one key": but(signatures=[one, one]),
        "the payload of an envelope is no base64": but(payload="*"),
        "the signature of an envelope is no base64": but(signatures=[{**one, "sig": "*"}]),
        "the payload of an envelope is base64 that nobody writes": but(payload="fR=="),
        "the signature of an envelope is base64 that nobody writes": but(
            signatures=[{**one, "sig": base64.b64encode(bytes(64)).decode()[:-3] + "B=="}]
        ),
        "not 64 bytes": but(signatures=[{**one, "sig": base64.b64encode(bytes(63)).decode()}]),
        "keyid": but(signatures=[{**one, "keyid": one["keyid"] + "\n"}]),
    }


def test_what_is_no_envelope_is_refused_in_words() -> None:
    """Too long, no JSON, a field lacking, too few, too many or double signatures, no sound base64: each says which."""
    for said, data in broken(key("a")).items():
        with pytest.raises(EnvelopeError, match=said):
            Envelope.from_bytes(data)


def test_a_command_says_the_same_after_its_way_through_bytes() -> None:
    """Every field comes back, and two ways of writing it give the same bytes."""
    whole = command(
        deployment="churn", model=MODEL, expected_revision=3, plan=Plan(steps=(Step(weight=100),)),
        break_glass=True, settings={"owner": "a"},
    )  # fmt: skip
    assert Command.from_bytes(whole.to_bytes()) == whole
    assert Command.from_bytes(whole.to_bytes()).to_bytes() == whole.to_bytes()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("op", "destroy"),
        ("command_id", "1"),
        ("command_id", UUID + "\n"),
        ("nonce", "0" * 31),
        ("audience", ""),
        ("deployment", "../etc"),
        ("deployment", "a\n"),
        ("expected_revision", -1),
        ("reason", "x" * 2_001),
        ("surprise", 1),
        ("issued_at_ms", "1"),
        ("plan", {"steps": [{"weight": 10_001}]}),
        ("plan", {"max_wait_s": 0}),
        ("plan", {"surprise": 1}),
        ("evidence", "AB" * 32),
    ],
)
def test_a_command_with_a_wrong_field_is_refused(field: str, value: object) -> None:
    """A value outside what is allowed, or a field that nobody knows, is an error that names the field."""
    given = {**msgspec.json.decode(command().to_bytes()), field: value}
    with pytest.raises(msgspec.ValidationError, match=field if field != "plan" else r"\$\.plan|surprise"):
        Command.from_bytes(msgspec.json.encode(given))


def test_the_names_of_ops_and_codes_are_those_of_the_types() -> None:
    """The tables of names are what the literals say: 20 ops, 12 reject codes, none twice."""
    assert (len(set(OPS)), len(OPS)) == (20, 20)
    assert (len(set(REJECT_CODES)), len(REJECT_CODES)) == (12, 12)


def test_a_state_says_the_same_after_its_way_through_bytes() -> None:
    """Champion, versions, rollout and basis come back."""
    state = ServingState(
        deployment="churn", revision=4, audit_seq=9, decided_at_ms=5, tier="high", champion=MODEL,
        rollout=Rollout(rollout_id=UUID, model=MODEL, weight=100, step=0, step_since_ms=5, plan=Plan()),
        versions=(Version(model=MODEL, stage="champion", tier="high", profile=DIGEST, registered_by="a"),),
        basis=(Grant(of="champion", command="{}", approvals=("{}",)),),
    )  # fmt: skip
    assert ServingState.from_bytes(state.to_bytes()) == state


def test_acks_and_heartbeats_say_the_same_after_their_way_through_bytes() -> None:
    """An ack and a heartbeat come back, also out of a signed envelope."""
    ack = Ack(
        installation=UUID,
        deployment="churn",
        revision=4,
        instance="i-1",
        boot_id=UUID,
        outcome="prepared",
        at_ms=5,
    )
    beat = Heartbeat(
        installation=UUID, instance="i-1", boot_id=UUID, at_ms=5, revisions={"churn": 4}, free_bytes=7
    )
    assert Ack.from_bytes(sign(ACK, ack.to_bytes(), key("a")).body) == ack
    assert Heartbeat.from_bytes(beat.to_bytes()) == beat
    with pytest.raises(msgspec.ValidationError):
        Ack.from_bytes(beat.to_bytes())
