"""Key files: one private Ed25519 key each, as PKCS #8 in PEM, readable by its owner and by nobody else.

`openssl genpkey -algorithm ed25519` writes the same form. A private key never is an argument, a log line or a repr.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from driftline.agents.atomic import write_new
from driftline.agents.control.errors import KeyFileError
from driftline.agents.control.signing import PUBLIC_BYTES, key_id
from driftline.agents.private import OTHERS
from driftline.schemas.whole import read_whole

MAX_FILE_BYTES: Final = 16 * 1024


class Key:
    """A private key in memory; its repr shows the id alone."""

    __slots__ = ("_private", "keyid", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public: Final = private.public_key().public_bytes_raw()
        """The raw public half, 32 bytes."""
        self.keyid: Final = key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        """Give the 64 bytes of the signature over `data`."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"Key({self.keyid[:16]})"

    def __reduce__(self) -> str:
        raise TypeError("a private key is not pickled")


def of_seed(seed: bytes) -> Key:
    """The key of 32 secret bytes (RFC 8032, section 5.1.5); raises ValueError for another length."""
    return Key(Ed25519PrivateKey.from_private_bytes(seed))


def new(path: Path) -> Key:
    """Make a key and write it to a file that must not be there yet, with mode 0600.

    Args:
        path: of the file; its folder must be there.

    Raises:
        KeyFileError: there is such a file already, or it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        write_new(path, text)
    except FileExistsError as error:
        raise KeyFileError(
            f"{path} is there already; a key file is never written over: name another"
        ) from error
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be written: {error.strerror}") from error
    return Key(key)


def load(path: Path) -> Key:
    """Read a key file.

    Raises:
        KeyFileError: it cannot be read, others than its owner may read or write it, or it holds no such key.
    """

    def check(opened: os.stat_result) -> None:
        mode = stat.S_IMODE(opened.st_mode)
        if mode & OTHERS:
            raise KeyFileError(
                f"the key file {path} has mode {mode:04o}; others must not reach it: chmod 600 {path}"
            )

    try:
        text = read_whole(path, MAX_FILE_BYTES, check)
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read: {error.strerror}") from error
    found = _parsed(text)
    if found is None:
        raise KeyFileError(
            f"{path} holds no Ed25519 key in PEM without a password; 'driftline keys new' makes one"
        )
    return Key(found)


def _parsed(text: bytes) -> Ed25519PrivateKey | None:
    try:
        found = serialization.load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return found if isinstance(found, Ed25519PrivateKey) else None


def public_text(public: bytes) -> str:
    """A public key as people pass it on: base64, 44 characters."""
    return base64.b64encode(public).decode()


def public_of(text: str) -> bytes:
    """Read what `public_text` gave; raises ValueError for anything else."""
    try:
        public = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        public = b""
    # One text a key: base64 can leave loose bits behind, and other readers do not take that.
    if len(public) != PUBLIC_BYTES or public_text(public) != text:
        raise ValueError(
            f"{text[:60]!r} is no public key; 44 characters as 'driftline keys new' prints them are"
        )
    return public
