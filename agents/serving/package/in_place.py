"""In place: a package in a folder as a store that holds it alone, so that the cache copies it from where it lies.

Nothing here is believed: the cache holds what it copies against the digests of the signed manifest.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from driftline.agents.private import MODE
from driftline.agents.serving.package.errors import BrokenPackageError, StoreError
from driftline.agents.serving.package.folder import CHUNK_BYTES, opened, read, shown
from driftline.agents.serving.package.layout import FILE
from driftline.schemas.control import envelope as envelopes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from driftline.agents.serving.package.manifest import File
    from driftline.agents.serving.package.signed import Signed


class Source(Protocol):
    """Where the cache copies packages from: a store, or a folder."""

    @property
    def place(self) -> str:
        """How sentences call it."""
        ...

    def manifest(self, digest: str) -> bytes:
        """Give the envelope of a manifest; raises PackageError."""
        ...

    def chunks(self, digest: str, size: int) -> Iterator[bytes]:
        """Give a file piece by piece; raises PackageError, at once or later."""
        ...


class InPlace:
    """One package.

    Args:
        folder: where it lies.
        signed: as it was verified there.
    """

    def __init__(self, folder: Path, signed: Signed) -> None:
        self._folder = folder
        self._paths = {one.sha256: one.path for one in signed.manifest.files}
        self.place = str(folder)

    def manifest(self, digest: str) -> bytes:
        """Give the envelope of its manifest; raises BrokenPackageError when it cannot be read."""
        del digest
        return read(self._folder, FILE, envelopes.MAX_BYTES)

    def chunks(self, digest: str, size: int) -> Iterator[bytes]:
        """Give a file piece by piece; raises StoreError for one that it has not, BrokenPackageError when it is gone."""
        path = self._paths.get(digest)
        if path is None:
            raise StoreError(f"{self.place} has no file with the digest {digest[:16]}… of {size:,} bytes")
        with opened(self._folder, path) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def copy(source: Source, file: File, to: Path) -> None:
    """Copy a file, hashed as it is copied; nothing longer than it should be is written. Raises BrokenPackageError."""
    to.parent.mkdir(mode=MODE, parents=True, exist_ok=True)
    with to.open("xb") as out:
        for chunk in as_signed(source.chunks(file.sha256, file.size), file, source.place):
            out.write(chunk)


def as_signed(chunks: Iterable[bytes], file: File, place: str) -> Iterator[bytes]:
    """Hand on a file piece by piece, the last piece only when the whole is what was signed.

    Args:
        chunks: it, as it is read.
        file: as the manifest has it.
        place: where it comes from, for the sentence.

    Raises:
        BrokenPackageError: before the last piece, and before anything longer than it should be.
    """
    state, size, last = hashlib.sha256(), 0, b""
    for chunk in chunks:
        size += len(chunk)
        state.update(chunk)
        if size > file.size:
            break
        if last:
            yield last
        last = chunk
    if size != file.size or state.hexdigest() != file.sha256:
        raise BrokenPackageError(
            f"the file {shown(file.path)} in {place} is not the one that was signed: it has {size:,} bytes and "
            f"the digest {state.hexdigest()[:16]}…, the manifest says {file.size:,} and {file.sha256[:16]}…"
        )
    if last:
        yield last
