"""Signatures: Ed25519 over DSSE's encoding of an envelope, made and checked.

Sources: RFC 8032 (Ed25519); https://github.com/secure-systems-lab/dsse, protocol.md. A signature says that a key was
there, and nothing about whose it is or what it may do: that is the business of trust and policy.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from driftline.agents.control.errors import SignatureError
from driftline.schemas.control.envelope import Envelope, Signature

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PUBLIC_BYTES = 32
_P: Final = 2**255 - 19
_ORDER_8: Final = tuple(
    int.from_bytes(bytes.fromhex(one), "little")
    for one in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)
_SMALL_ORDER: Final = frozenset((0, 1, _P - 1, _P, _P + 1, *_ORDER_8))
"""The y of the points whose order divides 8, as keys may encode them (Cremers and Jackson 2019, table 1)."""


class Signer(Protocol):
    """Whatever holds a private Ed25519 key: a file, or a device that never shows it."""

    @property
    def keyid(self) -> str:
        """sha256, in lower-case hex, of the raw public key."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Give the 64 bytes of the signature over `data`."""
        ...


def key_id(public: bytes) -> str:
    """Give the id of a raw public key of 32 bytes; raises ValueError for another length."""
    if len(public) != PUBLIC_BYTES:
        raise ValueError(f"a public key has {len(public)} bytes; an Ed25519 key has {PUBLIC_BYTES}")
    return hashlib.sha256(public).hexdigest()


def is_weak(public: bytes) -> bool:
    """Whether a raw public key is a point of small order, as 32 zeros are: anybody finds signatures for it."""
    return int.from_bytes(public, "little") & (2**255 - 1) in _SMALL_ORDER


def sign(payload_type: str, body: bytes, *signers: Signer) -> Envelope:
    """Wrap bytes and sign them, once a signer."""
    return countersigned(Envelope.of(payload_type, body), *signers)


def countersigned(envelope: Envelope, *signers: Signer) -> Envelope:
    """Give the envelope with more signatures; a key that signed already signs no second time."""
    data, held = envelope.signed_bytes, {one.keyid for one in envelope.signatures}
    added = {one.keyid: one for one in signers if one.keyid not in held}
    made = (Signature(keyid, base64.b64encode(one.sign(data)).decode()) for keyid, one in added.items())
    return Envelope(envelope.payload, envelope.payload_type, (*envelope.signatures, *made))


def verified(envelope: Envelope, keys: Mapping[str, bytes]) -> frozenset[str]:
    """Give the ids of those keys that signed the envelope.

    Args:
        envelope: as `Envelope.from_bytes` read it.
        keys: raw public keys of 32 bytes by id.

    Returns:
        Ids whose signatures hold. What unknown keys signed is left out, so an empty set means that nobody known did.

    Raises:
        SignatureError: a signature that names a known key is false.
        EnvelopeError: a payload or a signature is no base64.
    """
    known = [one for one in envelope.signatures if one.keyid in keys]
    data = envelope.signed_bytes if known else b""
    held = set()
    for one in known:
        if not holds(keys[one.keyid], base64.b64decode(one.sig), data):
            raise SignatureError(
                f"the signature of key {one.keyid[:16]} does not hold for this {envelope.payload_type}"
            )
        held.add(one.keyid)
    return frozenset(held)


def held_by(envelope: Envelope, keys: Collection[str]) -> Envelope:
    """Give the envelope with the signatures of these keys alone.

    Whoever passes an envelope on may add a signature in the name of any key. One that nobody could check when it came
    would be false for whoever knows the key: what is kept carries none.
    """
    signatures = tuple(one for one in envelope.signatures if one.keyid in keys)
    return Envelope(envelope.payload, envelope.payload_type, signatures)


def holds(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether a signature of 64 bytes over `data` was made by the key whose raw public half is given."""
    try:
        _loaded(public).verify(signature, data)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=1_024)
def _loaded(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)
