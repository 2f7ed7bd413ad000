"""Stores of packages: a folder, or a bucket of S3's kind; objects are named by their digest and written once.

`manifests/<digest>` holds the envelope of the manifest of that digest, `objects/<digest>` a file. Whoever serves only
ever gets objects whose names it knows: credentials that may read are enough, and no listing is needed. What comes is
believed for its digest alone, so a store is trusted with keeping things and with nothing else.
"""

from __future__ import annotations

import stat
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from driftline.agents.serving.package.errors import BrokenPackageError, StoreError
from driftline.agents.serving.package.folder import opened, read, shown
from driftline.agents.serving.package.in_place import as_signed
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.signed import opened_manifest
from driftline.schemas.control import envelope as envelopes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from obstore.store import LocalStore, S3Store

    from driftline.agents.serving.package.manifest import File
    from driftline.agents.serving.package.signed import Signed

CHUNK_BYTES: Final = 8 << 20
"""Got in one request: each has a time-out and tries of its own, however large the file."""
WHOLE_BYTES: Final = 16 << 20
"""Up to here an object is put in one request, which fails when it is there; a larger one goes up in parts."""


class Store:
    """Where packages are kept.

    Args:
        objects: obstore's store, at the place where packages lie.
        place: how sentences call it.
        folder: where objects are files of this machine; else None.
    """

    def __init__(self, objects: LocalStore | S3Store, place: str, folder: Path | None = None) -> None:
        self._objects, self._folder = objects, folder
        self.place = place

    def manifest(self, digest: str) -> bytes:
        """Give the envelope of a manifest, as far as the store is to be believed.

        Raises:
            StoreError: it is not there, too large, or cannot be reached.
        """
        key = _manifest(digest)
        size = self._known_size(key)
        if size > envelopes.MAX_BYTES:
            raise StoreError(f"{key} in {self.place} has {size:,} bytes; {envelopes.MAX_BYTES:,} are allowed")
        return b"".join(self._chunks(key, size))

    def chunks(self, digest: str, size: int) -> Iterator[bytes]:
        """Give a file piece by piece.

        Args:
            digest: its sha256.
            size: as the manifest says; nothing of another size is fetched.

        Raises:
            StoreError: at once or later: it is not there, of another size, or cannot be reached.
        """
        key = _object(digest)
        held = self._known_size(key)
        if held != size:
            raise StoreError(f"{key} in {self.place} has {held:,} bytes; the manifest says {size:,}")
        return self._chunks(key, size)

    def push(self, folder: Path, signed: Signed) -> int:
        """Put a package that was verified: its files first, its manifest last.

        Returns:
            How many files were not there yet.

        Raises:
            StoreError: the store does not take it, holds the same manifest with other signatures, or what it holds of
                the package is damaged.
            BrokenPackageError: a file was changed since it was verified.
        """
        new = 0
        for file in signed.manifest.files:
            new += self._put(folder, file)
        data = read(folder, FILE, envelopes.MAX_BYTES)
        if opened_manifest(data, None).digest != signed.digest:
            raise StoreError(f"the package {folder} changed while it was pushed: push it again")
        if not self._create(_manifest(signed.digest), data):
            self._compare_manifest(signed, data)
        return new

    def _compare_manifest(self, signed: Signed, data: bytes) -> None:
        """Hold the manifest that lies there against what is pushed; raises StoreError for anything else."""
        held = self.manifest(signed.digest)
        if held == data:
            return
        title = signed.manifest.title
        try:
            is_damaged = opened_manifest(held, None).digest != signed.digest
        except BrokenPackageError:
            is_damaged = True
        if is_damaged:
            raise StoreError(
                f"{self.place} holds {_manifest(signed.digest)} with {len(held):,} bytes, which is not the manifest "
                f"of {title}: what lies there is damaged, or was put by somebody else; take it away and push again"
            )
        raise StoreError(f"{title} is in {self.place} already, signed by others; it stays as it is")

    def _put(self, folder: Path, file: File) -> int:
        """Put a file unless it is there; say how many were put. What lies there is read: it may be damaged."""
        key = _object(file.sha256)
        if self._size(key) is not None:
            self._compare(file)
            return 0
        with opened(folder, file.path) as source:
            pieces = as_signed(iter(lambda: source.read(CHUNK_BYTES), b""), file, str(folder))
            if file.size <= WHOLE_BYTES:
                if self._create(key, b"".join(pieces)):
                    return 1
                self._compare(file)  # somebody was faster
                return 0
            with self._given(key):
                obstore.put(self._objects, key, pieces, chunk_size=WHOLE_BYTES, max_concurrency=2)
        return 1

    def _compare(self, file: File) -> None:
        """Hold what lies there against what was signed; raises StoreError for anything else."""
        key = _object(file.sha256)
        held = self._known_size(key)
        try:
            deque(as_signed(self._chunks(key, held), file, self.place), maxlen=0)
        except BrokenPackageError as error:
            raise StoreError(
                f"{self.place} holds {key} with {held:,} bytes, which is not {shown(file.path)} of {file.size:,}: "
                "what lies there is damaged, or was put by somebody else; take it away and push again"
            ) from error

    def _create(self, key: str, data: bytes) -> bool:
        """Put an object unless there is one; say whether there was none."""
        try:
            with self._given(key):
                obstore.put(self._objects, key, data, mode="create", use_multipart=False)
        except _ThereAlreadyError:
            return False
        return True

    def _known_size(self, key: str) -> int:
        size = self._size(key)
        if size is None:
            raise StoreError(
                f"{key} is not in {self.place}: push the package, or look at the store's address"
            )
        return size

    def _size(self, key: str) -> int | None:
        if self._folder is not None and not _is_plain(self._folder / key):
            raise StoreError(f"{key} in {self.place} is no file: take it away")
        try:
            with self._asked(key):
                return int(obstore.head(self._objects, key)["size"])
        except _NotThereError:
            return None

    def _chunks(self, key: str, size: int) -> Iterator[bytes]:
        for start in range(0, size, CHUNK_BYTES):
            try:
                with self._asked(key):
                    piece = obstore.get_range(
                        self._objects, key, start=start, length=min(CHUNK_BYTES, size - start)
                    ).to_bytes()
            except _NotThereError as error:
                raise StoreError(f"{key} went away from {self.place} while it was read") from error
            yield piece

    @contextmanager
    def _asked(self, key: str) -> Iterator[None]:
        """Turn what the library raises into one sentence, or into one of the two answers that are looked for."""
        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:
            raise _NotThereError(key) from error
        except AlreadyExistsError as error:
            raise _ThereAlreadyError(key) from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise StoreError(
                f"{self.place} does not let us at {key}: look at its keys (one that may read suffices to serve)"
            ) from error
        except BaseException as error:
            # The library panics at what it cannot send, and Python has no name for that.
            if not isinstance(error, BaseError | OSError) and type(error).__name__ != "PanicException":
                raise
            raise StoreError(f"{self.place} cannot be reached for {key}: {_outside(error)}") from error

    @contextmanager
    def _given(self, key: str) -> Iterator[None]:
        """As `_asked`, where something is put: that it is not there says that the store is not."""
        try:
            with self._asked(key):
                yield
        except _NotThereError as error:
            raise StoreError(
                f"{self.place} is no store: there is no such bucket, or something else answers there"
            ) from error


class _NotThereError(Exception):
    """There is no such object."""


class _ThereAlreadyError(Exception):
    """There is such an object."""


def _is_plain(path: Path) -> bool:
    """Whether a file lies there, or nothing: a pipe would hold up whoever opens it."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return True  # what is wrong says whoever opens it


def _outside(error: BaseException) -> str:
    """What obstore says for people of an error, without the insides of its types that it adds."""
    return " ".join(str(error).partition("Debug source:")[0].split())[:300] or type(error).__name__


def _manifest(digest: str) -> str:
    return f"manifests/{digest}"


def _object(digest: str) -> str:
    return f"objects/{digest}"
