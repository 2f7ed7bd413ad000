"""Envelope: signed bytes as they travel, in the Dead Simple Signing Envelope (DSSE) v1; nothing here signs or verifies.

Source: https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Final

import msgspec

MAX_BYTES: Final = 64 * 1024
"""Of a whole envelope; more is refused before it is read."""
STATE_MAX_BYTES: Final = 512 * 1024
"""Of the envelope of a state, which carries those of the commands that it rests on."""
MAX_SIGNATURES: Final = 16
SIGNATURE_BYTES: Final = 64
_TYPE: Final = "application/vnd.driftline.{}.v1+json"

COMMAND: Final = _TYPE.format("command")
STATE: Final = _TYPE.format("state")
ACK: Final = _TYPE.format("ack")
HEARTBEAT: Final = _TYPE.format("heartbeat")
MANIFEST: Final = _TYPE.format("manifest")

_HEX_ID: Final = r"\A[0-9a-f]{64}\Z"
KeyId = Annotated[str, msgspec.Meta(pattern=_HEX_ID)]
"""sha256, in lower-case hex, of the 32 bytes of an Ed25519 public key."""
Digest = Annotated[str, msgspec.Meta(pattern=_HEX_ID)]
"""sha256, in lower-case hex."""


class EnvelopeError(ValueError):
    """Bytes that are no envelope; the message is one sentence that names what is wrong."""


class Signature(msgspec.Struct, frozen=True):
    """One signature: which key made it, and its 64 bytes in base64."""

    keyid: KeyId
    sig: str


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """A payload, its type and its signatures.

    Attributes:
        payload: in base64.
        payload_type: one of the types above.
        signatures: one a key.
    """

    payload: str
    payload_type: str
    signatures: tuple[Signature, ...]

    @property
    def body(self) -> bytes:
        """The payload's own bytes.

        Raises:
            EnvelopeError: it is no base64.
        """
        return _decoded(self.payload, "payload")

    @property
    def digest(self) -> str:
        """sha256, in lower-case hex, of the payload's own bytes: what an approval names."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def signed_bytes(self) -> bytes:
        """What each signature is over: DSSE's pre-authentication encoding."""
        kind, body = self.payload_type.encode(), self.body
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)

    def to_bytes(self) -> bytes:
        """Give the JSON of it."""
        return msgspec.json.encode(self)

    @classmethod
    def of(cls, payload_type: str, body: bytes, signatures: tuple[Signature, ...] = ()) -> Envelope:
        """Wrap bytes."""
        return cls(base64.b64encode(body).decode(), payload_type, signatures)

    @classmethod
    def from_bytes(cls, data: bytes, max_bytes: int = MAX_BYTES) -> Envelope:
        """Read an envelope of at most `max_bytes`.

        Raises:
            EnvelopeError: it is too large, no such JSON, or has no, too many or unreadable signatures.
        """
        if len(data) > max_bytes:
            raise EnvelopeError(f"an envelope has {len(data)} bytes; {max_bytes} are allowed")
        try:
            found = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EnvelopeError(f"this is no envelope: {error}") from error
        if not 1 <= len(found.signatures) <= MAX_SIGNATURES:
            raise EnvelopeError(
                f"an envelope carries {len(found.signatures)} signatures; 1 to {MAX_SIGNATURES} are allowed"
            )
        if len({one.keyid for one in found.signatures}) != len(found.signatures):
            raise EnvelopeError("an envelope carries two signatures of one key")
        _ = found.body
        for one in found.signatures:
            if len(_decoded(one.sig, "signature")) != SIGNATURE_BYTES:
                raise EnvelopeError(f"a signature is not {SIGNATURE_BYTES} bytes long")
        return found


def _decoded(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EnvelopeError(f"the {what} of an envelope is no base64") from error
    # One text a value: other readers take no base64 that leaves loose bits behind.
    if base64.b64encode(data).decode() != text:
        raise EnvelopeError(
            f"the {what} of an envelope is base64 that nobody writes: loose bits are left behind"
        )
    return data
