"""Signed notes: a text that people can read, and below it who signed it. No signature is believed here unseen.

Source: https://c2sp.org/signed-note and https://c2sp.org/tlog-cosignature (signature types 1 and 4, both Ed25519).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.errors import NoteError
from driftline.agents.control.signing import PUBLIC_BYTES, holds

if TYPE_CHECKING:
    from driftline.agents.control.signing import Signer

MAX_NOTE_BYTES: Final = 16 * 1024
MAX_SIGNATURES: Final = 32
PLAIN: Final = 1
"""Signature type of a log: over the text."""
TIMED: Final = 4
"""Signature type of a witness: over the text and a time."""
_HASH_BYTES: Final = 4
_TIME_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64
_LATEST_S: Final = 2**63 - 1
_NAME: Final = re.compile(r"[^\s+]{1,200}")
_LINE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key as notes know it.

    Attributes:
        name: of whoever signs, without spaces and plus.
        kind: PLAIN or TIMED.
        public: 32 raw bytes.
    """

    name: str
    kind: int
    public: bytes

    @property
    def short_id(self) -> bytes:
        """The 4 bytes that stand before a signature: a hint which key it was, no more."""
        digest = hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)
        return digest.digest()[:_HASH_BYTES]

    @property
    def text(self) -> str:
        """The key as people pass it on (a vkey)."""
        tail = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.short_id.hex()}+{tail}"

    @classmethod
    def parse(cls, text: str) -> NoteKey:
        """Read what `text` gives.

        Raises:
            NoteError: it is no key of a kind that is used here, or its parts do not agree.
        """
        name, _, rest = text.partition("+")
        short_id, _, tail = rest.partition("+")
        data = _decoded(tail)
        if not _NAME.fullmatch(name) or len(data) != 1 + PUBLIC_BYTES or data[0] not in (PLAIN, TIMED):
            raise NoteError(
                f"{text[:200]!r} is no key of a log or a witness: it is name+8 hex digits+base64 of an Ed25519 key"
            )
        found = cls(name, data[0], data[1:])
        if found.text != text:
            raise NoteError(
                f"the key of {name!r} has the id {short_id[:20]!r}, and should have {found.short_id.hex()}"
            )
        return found


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line below a note: the name, the 4 bytes and what follows them."""

    name: str
    short_id: bytes
    data: bytes

    @property
    def line(self) -> str:
        """The line, with its newline."""
        return f"— {self.name} {base64.b64encode(self.short_id + self.data).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note that was read; nothing in it is believed until `signed_by` says so.

    Attributes:
        text: with its last newline.
        signatures: in their order.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """Give the note as it travels."""
        return (self.text + "\n" + "".join(one.line for one in self.signatures)).encode()

    def with_signatures(self, *added: NoteSignature) -> Note:
        """Give the note with more signatures; one that is there already is not added again."""
        return Note(self.text, (*self.signatures, *(one for one in added if one not in self.signatures)))

    def signed_by(self, key: NoteKey) -> NoteSignature | None:
        """Give the signature that this key made, or None; one that only claims to be of this key counts nothing."""
        short_id = key.short_id
        for one in self.signatures:
            if one.name == key.name and one.short_id == short_id and _is_true(key, one.data, self.text):
                return one
        return None

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note.

        Raises:
            NoteError: it is too large, no text, or not of this form.
        """
        if len(data) > MAX_NOTE_BYTES:
            raise NoteError(f"a note has {len(data):,} bytes; {MAX_NOTE_BYTES:,} are allowed")
        try:
            whole = data.decode()
        except UnicodeDecodeError as error:
            raise NoteError("a note is no UTF-8") from error
        head, gap, tail = whole.rpartition("\n\n")
        if not gap or not tail.endswith("\n") or _CONTROL.search(whole):
            raise NoteError("a note is a text, an empty line and lines of signatures; this is not")
        lines = tail[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise NoteError(f"a note has {len(lines)} signatures; {MAX_SIGNATURES} are allowed")
        return cls(head + "\n", tuple(_signature(line) for line in lines))


def sign(text: str, name: str, public: bytes, signer: Signer) -> NoteSignature:
    """Sign a text as a log does."""
    return NoteSignature(name, NoteKey(name, PLAIN, public).short_id, signer.sign(text.encode()))


def cosign(text: str, name: str, public: bytes, signer: Signer, at_s: int) -> NoteSignature:
    """Sign a text as a witness does, at a time in s since 1970."""
    data = at_s.to_bytes(_TIME_BYTES, "big") + signer.sign(_timed(text, at_s))
    return NoteSignature(name, NoteKey(name, TIMED, public).short_id, data)


def time_of(signature: NoteSignature) -> int:
    """The time, s since 1970, that a witness put into its signature."""
    return int.from_bytes(signature.data[:_TIME_BYTES], "big")


def _is_true(key: NoteKey, data: bytes, text: str) -> bool:
    if key.kind == PLAIN:
        return len(data) == _SIGNATURE_BYTES and holds(key.public, data, text.encode())
    at_s = int.from_bytes(data[:_TIME_BYTES], "big")
    if len(data) != _TIME_BYTES + _SIGNATURE_BYTES or at_s > _LATEST_S:
        return False
    return holds(key.public, data[_TIME_BYTES:], _timed(text, at_s))


def _timed(text: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def _signature(line: str) -> NoteSignature:
    found = _LINE.fullmatch(line)
    data = _decoded(found[2]) if found else b""
    if found is None or len(data) <= _HASH_BYTES:
        raise NoteError(f"{line[:80]!r} is no signature of a note")
    return NoteSignature(found[1], data[:_HASH_BYTES], data[_HASH_BYTES:])


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    # One text a value: base64 that leaves loose bits behind is not what anybody wrote.
    return data if base64.b64encode(data).decode() == text else b""
