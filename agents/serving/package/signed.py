"""Signed: a manifest as it came, in an envelope, and who signed it; read before a byte of the files is fetched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from driftline.agents.control.errors import SignatureError
from driftline.agents.control.signing import verified
from driftline.agents.serving.package.errors import BrokenPackageError, UntrustedPackageError
from driftline.agents.serving.package.folder import shown
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.manifest import Manifest, digest_of
from driftline.schemas.control import envelope as envelopes
from driftline.schemas.control.command import ModelRef
from driftline.schemas.control.envelope import Envelope, EnvelopeError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PACKAGE_BYTES: Final = 16 << 30
"""Of all files of a package."""
MAX_FILE_BYTES: Final = 8 << 30


@dataclass(frozen=True, slots=True)
class Signed:
    """A manifest with the envelope that it came in.

    Attributes:
        manifest: the payload, read.
        envelope: as it was given.
        digest: of the payload; it names the package.
        signers: keys that were asked for and signed it; empty where none was asked for.
    """

    manifest: Manifest
    envelope: Envelope = field(repr=False)
    digest: str
    signers: frozenset[str]

    @property
    def ref(self) -> ModelRef:
        """How commands name the package."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version, manifest=self.digest)


def opened_manifest(data: bytes, keys: Mapping[str, bytes] | None) -> Signed:
    """Read a signed manifest.

    Args:
        data: JSON of the envelope.
        keys: raw public keys, by id, of those who may sign packages; None to look at one whoever signed it.

    Raises:
        BrokenPackageError: it is no envelope of a manifest, the manifest is wrong, or it lists more than a package may
            hold.
        UntrustedPackageError: none of the keys signed it, or a signature is false.
    """
    try:
        envelope = Envelope.from_bytes(data)
        if envelope.payload_type != envelopes.MANIFEST:
            raise BrokenPackageError(
                f"{FILE} is signed as {envelope.payload_type[:100]!r}, and is no manifest"
            )
        body = envelope.body
        signers = frozenset() if keys is None else verified(envelope, keys)
    except EnvelopeError as error:
        raise BrokenPackageError(f"{FILE} cannot be read: {error}") from error
    except SignatureError as error:
        raise UntrustedPackageError(f"the package is not to be trusted: {error}") from error
    if keys is not None and not signers:
        who = ", ".join(one.keyid[:16] for one in envelope.signatures)
        raise UntrustedPackageError(
            f"the package is signed by {who}, and by none of the {len(keys)} keys that may sign packages"
        )
    manifest = Manifest.from_bytes(body)
    _hold_to_size(manifest)
    return Signed(manifest, envelope, digest_of(body), signers)


def _hold_to_size(manifest: Manifest) -> None:
    for file in manifest.files:
        if file.size > MAX_FILE_BYTES:
            raise BrokenPackageError(
                f"the file {shown(file.path)} of {manifest.title} has {file.size:,} bytes; "
                f"{MAX_FILE_BYTES:,} are allowed"
            )
    if manifest.total_bytes > MAX_PACKAGE_BYTES:
        raise BrokenPackageError(
            f"the files of {manifest.title} have {manifest.total_bytes:,} bytes; {MAX_PACKAGE_BYTES:,} are allowed"
        )
