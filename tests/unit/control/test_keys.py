"""Key files: who may read them, what they hold, what is refused."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from signed import key

from driftline.agents.control import keys
from driftline.agents.control.errors import KeyFileError


def test_a_new_key_is_its_owners_alone(tmp_path: Path) -> None:
    """The file has mode 0600, and what is loaded from it is the key that was made."""
    made = keys.new(tmp_path / "a.pem")
    assert (tmp_path / "a.pem").stat().st_mode & 0o777 == 0o600
    assert keys.load(tmp_path / "a.pem").public == made.public


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    """A second key of the same name is refused, and the first one stays."""
    made = keys.new(tmp_path / "a.pem")
    with pytest.raises(KeyFileError, match="is there already"):
        keys.new(tmp_path / "a.pem")
    assert keys.load(tmp_path / "a.pem").keyid == made.keyid


def test_half_a_key_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was full when a key was made is told of, and there is none: the next try makes it."""

    def full(_number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(KeyFileError, match="cannot be written: No space left on device"):
            keys.new(tmp_path / "a.pem")
    assert not list(tmp_path.iterdir())
    assert keys.new(tmp_path / "a.pem").keyid == keys.load(tmp_path / "a.pem").keyid


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610])
def test_a_key_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """Any right of group or others is refused, and the sentence says how to mend it."""
    keys.new(tmp_path / "a.pem")
    (tmp_path / "a.pem").chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}.*chmod 600"):
        keys.load(tmp_path / "a.pem")


def test_the_rights_are_those_of_the_file_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that others reach, put in the place of a good one just before it is opened, is refused."""
    path, other = tmp_path / "a.pem", tmp_path / "b.pem"
    keys.new(path)
    keys.new(other)
    other.chmod(0o644)
    opened = os.open

    def swapped(name: Path, flags: int, *args: int) -> int:
        if other.exists():
            other.replace(path)
        return opened(name, flags, *args)

    monkeypatch.setattr("driftline.schemas.whole.os.open", swapped)
    with pytest.raises(KeyFileError, match="mode 0644"):
        keys.load(path)


def test_a_key_of_openssl_is_read(tmp_path: Path) -> None:
    """The file that `openssl genpkey -algorithm ed25519` writes is a key file."""
    path = tmp_path / "o.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True
    )
    path.chmod(0o600)
    assert len(keys.load(path).public) == 32


def test_what_is_no_key_is_one_sentence(tmp_path: Path) -> None:
    """A missing file, a folder, text, a far too long file and a key of another kind are each refused in words."""
    path = tmp_path / "a.pem"
    other = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (b"hello", b"", b"x" * 100_000, other):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(KeyFileError, match=r"holds no Ed25519 key|more than 16,384 bytes"):
            keys.load(path)
    for missing in (tmp_path, tmp_path / "none"):
        with pytest.raises(KeyFileError, match="cannot be read"):
            keys.load(missing)
    with pytest.raises(KeyFileError, match="cannot be written"):
        keys.new(tmp_path / "none" / "a.pem")


def test_a_private_key_is_not_shown() -> None:
    """Its repr is the begin of its id, and it cannot be pickled."""
    assert repr(key("a")) == f"Key({key('a').keyid[:16]})"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key("a"))


def test_a_public_key_travels_as_text() -> None:
    """44 characters of base64 there and back; anything else is refused."""
    text = keys.public_text(key("a").public)
    assert len(text) == 44
    assert keys.public_of(text) == key("a").public
    for wrong in ("", "abc", text[:-4], text + "AAAA", "é"):
        with pytest.raises(ValueError, match="is no public key"):
            keys.public_of(wrong)
