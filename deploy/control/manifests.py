"""Manifests as `driftline register` needs them: what names a package, in the signed envelope that packing wrote."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from driftline.deploy.control.errors import AskingError
from driftline.schemas.control.command import ModelRef, Name
from driftline.schemas.control.envelope import MANIFEST, Digest, Envelope, EnvelopeError
from driftline.schemas.control.reading import decoded
from driftline.schemas.control.serving_state import Tier

if TYPE_CHECKING:
    from typing import Self

MAX_BYTES = 40_000
"""Of the envelope: within a command, within an envelope, base64 grows it twice, and 65,536 are allowed there."""


class Profile(msgspec.Struct, frozen=True):
    """The reference profile that a package holds."""

    digest: Digest


class Manifest(msgspec.Struct, frozen=True):
    """What names a package; all else that a manifest says is for others to read."""

    name: Name
    version: Name
    tier: Tier
    profile: Profile | None = None


class SignedManifest(msgspec.Struct, frozen=True):
    """A manifest's envelope, and what names the package."""

    data: bytes
    model: ModelRef
    tier: Tier
    profile: str | None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file of a signed manifest; raises AskingError when it is none."""
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise AskingError(f"the manifest {path} cannot be read: {error.strerror}") from error
        return cls.of(data, str(path))

    @classmethod
    def of(cls, data: bytes, file: str) -> Self:
        """Read the bytes of a signed manifest, which errors call `file`; raises AskingError when they are none."""
        try:
            envelope = Envelope.from_bytes(data, MAX_BYTES)
            found = decoded(envelope.body, Manifest)
        except (EnvelopeError, msgspec.MsgspecError) as error:
            raise AskingError(f"{file} is no signed manifest: {error}") from error
        if envelope.payload_type != MANIFEST:
            raise AskingError(f"{file} holds no manifest, but {envelope.payload_type}")
        model = ModelRef(name=found.name, version=found.version, manifest=envelope.digest)
        return cls(data, model, found.tier, None if found.profile is None else found.profile.digest)

    @property
    def text(self) -> str:
        """The envelope as a command carries it."""
        return base64.b64encode(self.data).decode()


def manifest_of(text: str) -> SignedManifest:
    """Read what a command carries; raises AskingError when it is no manifest."""
    try:
        return SignedManifest.of(base64.b64decode(text, validate=True), "the manifest of this command")
    except (binascii.Error, ValueError) as error:
        raise AskingError("the manifest of this command is no base64") from error
