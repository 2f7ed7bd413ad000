"""Signatures that somebody adds to an envelope in the name of a key: they are not kept, and make no audit false."""

from __future__ import annotations

import base64
import hashlib

import pytest
from office import Office
from office_audit import lines
from signed import INSTALLATION, NOW_MS, command, key, number, person, plain, signed, trust

from driftline.agents.audit.faults import Fault
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier
from driftline.agents.control.admission import Arrived
from driftline.agents.control.controller.heard import heard
from driftline.agents.control.signing import sign
from driftline.schemas.control.ack import Ack
from driftline.schemas.control.envelope import ACK, Envelope, Signature


def claimed(envelope: Envelope, *words: str) -> bytes:
    """Return an envelope with signatures more that keys of these words never made."""
    false = base64.b64encode(b"x" * 64).decode()
    added = (Signature(key(word).keyid, false) for word in words)
    return Envelope(envelope.payload, envelope.payload_type, (*envelope.signatures, *added)).to_bytes()


def fault(office: Office) -> Fault | None:
    """Return what a verification of every signature finds in the audit of an office."""
    data = lines(office)
    return Verifier(Pins(hashlib.sha256(data[0]).hexdigest()), signatures=True).run(data).fault


@pytest.mark.parametrize("word", ["controller", "serving-1", "checkpoint", "nobody"])
def test_a_signature_that_admission_cannot_check_is_not_kept(word: str) -> None:
    """Ann's command holds, whoever's key an added signature names; audit and state carry her signature alone."""
    office = Office("low")
    office.created()
    decision = office.send(claimed(signed(office.build("halt-serving"), "ann"), word))[-1]
    assert decision.event == "decided"
    assert decision.envelope is not None
    assert [one.keyid for one in decision.envelope.signatures] == [key("ann").keyid]
    assert fault(office) is None


@pytest.mark.parametrize("op", ["approve", "deny", "halt-rollout", "policy-set"])
def test_what_was_refused_or_approved_keeps_none_either(op: str) -> None:
    """Not in an approval, a denial, a refusal, nor in what root keys do not get."""
    office = Office("medium")
    office.registered("1")
    waiting = office.ask("create", "ann", model=office.state.versions[0].model)
    asked, word = {
        "approve": (office.build("approve", target=waiting.digest), "bob"),
        "deny": (office.build("deny", target=waiting.digest), "bob"),
        "halt-rollout": (office.build("halt-rollout"), "ann"),
        "policy-set": (command("policy-set", "", policy="permit(", expected_revision=1), "root-1"),
    }[op]
    office.send(claimed(signed(asked, word), "controller"))
    assert fault(office) is None


def test_a_key_that_is_known_later_makes_nothing_false() -> None:
    """A signature in the name of somebody who joins afterwards, or of a key that was revoked, was never kept."""
    office = Office("low")
    office.created()
    wider = trust(persons=(*trust().persons, person("new", "engineer")))
    joined = command("trust-set", "", expected_revision=1, trust=plain(wider))
    office.send(claimed(signed(office.build("halt-serving"), "ann"), "new"))
    assert office.send(signed(joined, "root-1", "root-2").to_bytes())[0].event == "decided"
    gone = command("key-revoke", "", expected_revision=2, key=key("cat").keyid)
    assert office.send(signed(gone, "root-1", "root-2").to_bytes())[0].event == "decided"
    office.send(claimed(signed(office.build("halt-rollout"), "ann"), "cat"))
    assert fault(office) is None


def test_an_agent_adds_none() -> None:
    """An ack whose envelope bears the name of the controller's key too is told of with the agent's signature alone."""
    ack = Ack(
        installation=INSTALLATION, deployment="churn", revision=1, instance="a", boot_id=number("boot"),
        outcome="prepared", at_ms=NOW_MS,
    )  # fmt: skip
    value = claimed(sign(ACK, ack.to_bytes(), key("serving-1")), "controller")
    found = heard(Arrived(value, 0, NOW_MS), Office().history.now.ring)
    assert found is not None
    assert [one.keyid for one in found[2].signatures] == [key("serving-1").keyid]
