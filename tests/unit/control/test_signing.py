"""Signatures: what holds, what is left out, what is an error; and that others read them."""

from __future__ import annotations

import base64

import msgspec
import pytest
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.signer import CryptoSigner, SSlibKey
from signed import key, trust

from driftline.agents.control.errors import SignatureError
from driftline.agents.control.keys import Key, public_text
from driftline.agents.control.signing import countersigned, holds, is_weak, key_id, sign, verified
from driftline.agents.control.trust import fault
from driftline.schemas.control.envelope import COMMAND, Envelope


def public(*keys: Key) -> dict[str, bytes]:
    """Return the keys by id."""
    return {one.keyid: one.public for one in keys}


def test_an_ed25519_signature_is_that_of_the_standard() -> None:
    """The second test of RFC 8032, section 7.1: secret key, public key and the signature over one byte."""
    from driftline.agents.control.keys import of_seed

    one = of_seed(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert one.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert one.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_the_encoding_is_that_of_dsse() -> None:
    """The example of DSSE's protocol.md: what is signed for `hello world` of type http://example.com/HelloWorld."""
    envelope = Envelope.of("http://example.com/HelloWorld", b"hello world")
    assert envelope.signed_bytes == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_every_known_signer_is_named() -> None:
    """Two keys signed; the ids of both come back, also after the way through bytes."""
    envelope = Envelope.from_bytes(sign(COMMAND, b"{}", key("a"), key("b")).to_bytes())
    assert verified(envelope, public(key("a"), key("b"), key("c"))) == {key("a").keyid, key("b").keyid}


def test_an_unknown_signer_is_left_out() -> None:
    """What nobody knows counts nothing, and does not spoil what holds."""
    envelope = sign(COMMAND, b"{}", key("a"), key("b"))
    assert verified(envelope, public(key("a"))) == {key("a").keyid}
    assert verified(envelope, {}) == frozenset()


def test_a_false_signature_of_a_known_key_is_an_error() -> None:
    """Another payload, another type, or another key's signature under a known id: each raises."""
    envelope = sign(COMMAND, b"{}", key("a"))
    other_body = msgspec.structs.replace(envelope, payload=base64.b64encode(b"[]").decode())
    other_type = msgspec.structs.replace(envelope, payload_type="other")
    borrowed = msgspec.structs.replace(sign(COMMAND, b"{}", key("b")).signatures[0], keyid=key("a").keyid)
    for wrong in (other_body, other_type, msgspec.structs.replace(envelope, signatures=(borrowed,))):
        with pytest.raises(SignatureError, match="does not hold"):
            verified(wrong, public(key("a")))


def test_a_key_signs_once() -> None:
    """Signing again with the same key changes nothing; another one is added."""
    once = sign(COMMAND, b"{}", key("a"), key("a"))
    assert countersigned(once, key("a")) == once
    assert [one.keyid for one in countersigned(once, key("b")).signatures] == [key("a").keyid, key("b").keyid]


def test_another_implementation_reads_ours() -> None:
    """The envelopes of driftline are verified by securesystemslib."""
    envelope = sign(COMMAND, b'{"a":1}', key("a"), key("b"))
    theirs = OtherEnvelope.from_dict(msgspec.json.decode(envelope.to_bytes()))
    known = [
        SSlibKey(one.keyid, "ed25519", "ed25519", {"public": one.public.hex()})
        for one in (key("a"), key("b"))
    ]
    assert set(theirs.verify(known, 2)) == {key("a").keyid, key("b").keyid}


def test_ours_reads_another_implementation() -> None:
    """What securesystemslib signed with a key of its own is verified here, once its key id is ours."""
    signer = CryptoSigner.generate_ed25519()
    raw = bytes.fromhex(signer.public_key.keyval["public"])
    signer.public_key.keyid = key_id(raw)
    theirs = OtherEnvelope(b"{}", COMMAND, {})
    theirs.sign(signer)
    assert verified(Envelope.from_bytes(msgspec.json.encode(theirs.to_dict())), {key_id(raw): raw}) == {
        key_id(raw)
    }


def test_a_key_of_another_length_is_no_key() -> None:
    """33 bytes have no id."""
    with pytest.raises(ValueError, match="33 bytes"):
        key_id(bytes(33))


WEAK = (
    *(bytes([y]) + bytes(31) for y in (0, 1)),
    *((2**255 - 19 + more).to_bytes(32, "little") for more in (-1, 0, 1)),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
)


@pytest.mark.parametrize("sign_bit", [0, 0x80])
@pytest.mark.parametrize("weak", WEAK)
def test_a_key_that_anybody_can_sign_for_is_in_no_trust(weak: bytes, sign_bit: int) -> None:
    """A point of small order, written in any way, is refused by name."""
    public = weak[:31] + bytes([weak[31] | sign_bit])
    assert is_weak(public)
    assert "anybody can sign" in (fault(trust(controllers=(public_text(public),))) or "")


def test_for_a_weak_key_a_signature_is_found_in_some_tries() -> None:
    """Without any private key: this is why a placeholder of zeros is no key."""
    assert any(holds(bytes(32), one + bytes(32), b"%d" % at) for at in range(64) for one in WEAK)


def test_keys_that_people_make_are_not_weak() -> None:
    """No key of these tests is of small order, nor is their base point."""
    assert not any(is_weak(key(word).public) for word in ("a", "b", "ann", "controller"))
    assert not is_weak(bytes.fromhex("58" + "66" * 31))
