"""Cache: private copies of packages, by the digest of their manifest; the only place that anything is loaded from.

A package appears whole or not at all: its files are hashed while they are copied into a folder of their own, which is
then given its name. It is hashed again the first time that a process takes it. What is in use is held by a lock, so
that several processes may share one cache, and nothing that serves is ever thrown out.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from driftline.agents.atomic import write_atomically
from driftline.agents.private import make_private
from driftline.agents.serving.package.errors import BrokenPackageError, PackageError, UntrustedPackageError
from driftline.agents.serving.package.folder import read
from driftline.agents.serving.package.held import Held, is_still
from driftline.agents.serving.package.in_place import copy
from driftline.agents.serving.package.inside import content_faults
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.signed import Signed, opened_manifest
from driftline.agents.serving.package.verify import verify
from driftline.schemas.control import envelope as envelopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.agents.serving.package.in_place import Source
    from driftline.agents.serving.package.manifest import Manifest
    from driftline.schemas.control.command import ModelRef

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_PARTIAL: Final = ".partial-"
_LOCK: Final = ".lock"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class CacheError(PackageError):
    """A cache that cannot be used, or has no room."""


class Cache:
    """Copies of packages in one folder, which is of this user alone."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        """Open or make a cache.

        Args:
            folder: made with mode 0700; one that others can reach is refused.
            max_bytes: of all copies together; one that is needed may need others to go.

        Raises:
            CacheError: the folder is not private, or cannot be made.
        """
        self._folder, self._max_bytes = folder, max_bytes
        self._proved: set[str] = set()
        try:
            is_private = make_private(folder)
        except OSError as error:
            raise CacheError(f"the cache of packages {folder} cannot be made: {error.strerror}") from error
        if folder.is_symlink() or not is_private:
            raise CacheError(
                f"the cache of packages {folder} is not private: chmod 700 {folder}, as its owner"
            )

    def take(self, ref: ModelRef, keys: Mapping[str, bytes], source: Source) -> Held:
        """Give a package, copied unless it is here, verified either way, and hold it.

        Args:
            ref: which; the digest decides, and name and version must be those of the manifest.
            keys: raw public keys, by id, of those who may sign packages.
            source: where it is copied from.

        Raises:
            UntrustedPackageError: nobody signed it who may, or it is another one than was asked for.
            BrokenPackageError: it is not what its manifest says.
            StoreError: it cannot be had.
            CacheError: there is no room for it beside what is in use, or the disk does not do what it is asked.
        """
        try:
            return self._taken(ref, keys, source)
        except OSError as error:
            at = f" ({error.filename})" if error.filename else ""
            raise CacheError(
                f"the cache of packages {self._folder} cannot be used: {error.strerror}{at}"
            ) from error

    def digests(self) -> list[str]:
        """Give the packages that are here, the one used longest ago first."""
        return [path.name for path in sorted(self._copies(), key=_used_ns)]

    def _taken(self, ref: ModelRef, keys: Mapping[str, bytes], source: Source) -> Held:
        try:
            return self._here(ref, keys) or self._copied(ref, keys, source)
        except UntrustedPackageError as error:
            return self._signed_again(ref, keys, source, error) or self._copied(ref, keys, source)

    def _copied(self, ref: ModelRef, keys: Mapping[str, bytes], source: Source) -> Held:
        with self._alone():
            # Another process may have copied it while we waited, signed by others.
            return self._here(ref, keys) or self._fetched(ref, keys, source)

    def _here(self, ref: ModelRef, keys: Mapping[str, bytes]) -> Held | None:
        """Hold a package that is here, proved; None when it is not, or was damaged and is now gone."""
        folder = self._folder / ref.manifest
        try:
            lock = os.open(folder, _FOLDER)
        except FileNotFoundError:
            return None
        held = None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if is_still(lock, folder):  # else thrown out while we waited for the lock
                held = Held(folder, self._proof(folder, ref, keys), lock)
                with suppress(OSError):  # a disk that is read only
                    os.utime(lock)  # used now: the last to be thrown out
        except BrokenPackageError:
            if is_still(lock, folder):
                self._throw_out(folder)
        finally:
            if held is None:
                os.close(lock)
        return held

    def _signed_again(
        self, ref: ModelRef, keys: Mapping[str, bytes], source: Source, error: UntrustedPackageError
    ) -> Held | None:
        """Take over the signatures that the same manifest has by now where it is copied from; else raises the error.

        They take the place of those that the copy had. None when the copy is gone meanwhile.
        """
        try:
            data = source.manifest(ref.manifest)
            _is_asked_for(opened_manifest(data, keys), ref)
        except PackageError:
            raise error from None
        with self._alone():
            with suppress(UntrustedPackageError):  # another process may have done it while we waited
                return self._here(ref, keys)
            # Beside the copy, which holds what its manifest lists and nothing else.
            made = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._folder))
            try:
                write_atomically(self._folder / ref.manifest / FILE, data, by_way_of=made)
            except FileNotFoundError:
                return None
            finally:
                shutil.rmtree(made, ignore_errors=True)
            return self._here(ref, keys)

    def _proof(self, folder: Path, ref: ModelRef, keys: Mapping[str, bytes]) -> Signed:
        """Verify a copy: every byte of it the first time."""
        if ref.manifest in self._proved:
            signed = opened_manifest(read(folder, FILE, envelopes.MAX_BYTES), keys)
        else:
            signed = verify(folder, keys)
        _is_asked_for(signed, ref)
        self._proved.add(ref.manifest)
        return signed

    def _fetched(self, ref: ModelRef, keys: Mapping[str, bytes], source: Source) -> Held:
        data = source.manifest(ref.manifest)
        signed = opened_manifest(data, keys)
        _is_asked_for(signed, ref)
        self._make_room(signed.manifest, signed.manifest.total_bytes + len(data))
        made = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._folder))
        lock = os.open(made, _FOLDER)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            for file in signed.manifest.files:
                copy(source, file, made / file.path)
            (made / FILE).write_bytes(data)
            _is_harmless(made, signed.manifest)
            made.rename(self._folder / ref.manifest)
        except BaseException:
            os.close(lock)
            shutil.rmtree(made, ignore_errors=True)
            raise
        self._proved.add(ref.manifest)
        return Held(self._folder / ref.manifest, signed, lock)

    def _make_room(self, manifest: Manifest, need: int) -> None:
        """Throw out what was used longest ago and is not held, until a package fits."""
        for left in self._folder.glob(f"{_PARTIAL}*"):  # of a process that was killed: we alone copy now
            shutil.rmtree(left, ignore_errors=True)
        copies = sorted(self._copies(), key=_used_ns) if need <= self._max_bytes else []
        taken = {path: _bytes_of(path) for path in copies}
        for path in copies:
            if sum(taken.values()) + need <= self._max_bytes and shutil.disk_usage(self._folder).free >= need:
                break
            if self._throw_out_unheld(path):
                del taken[path]
        free = shutil.disk_usage(self._folder).free
        if sum(taken.values()) + need > self._max_bytes or free < need:
            raise CacheError(
                f"there is no room for {manifest.title} in {self._folder}: it takes {need:,} bytes, those in use take "
                f"{sum(taken.values()):,} of {self._max_bytes:,}, and {free:,} are free on the disk"
            )

    def _throw_out_unheld(self, folder: Path) -> bool:
        """Throw a copy out unless somebody holds it; say whether it is gone."""
        try:
            lock = os.open(folder, _FOLDER)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._throw_out(folder)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        return True

    def _throw_out(self, folder: Path) -> None:
        """Take a copy's name away, then its files; a model that was loaded from it keeps what it has."""
        self._proved.discard(folder.name)
        gone = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._folder))
        with suppress(FileNotFoundError):
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _copies(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if _DIGEST.fullmatch(path.name)]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the one that copies: what two copy at once could not be bounded."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        number = os.open(self._folder / _LOCK, flags, 0o600)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)


def _is_harmless(folder: Path, manifest: Manifest) -> None:
    wrong = next(content_faults(folder, manifest), None)
    if wrong is not None:
        raise BrokenPackageError(f"the package {manifest.title} is broken: {wrong}")


def _is_asked_for(signed: Signed, ref: ModelRef) -> None:
    if signed.ref != ref:
        raise UntrustedPackageError(
            f"{ref.name} {ref.version} ({ref.manifest[:16]}…) was asked for, and the package there is "
            f"{signed.manifest.title} ({signed.digest[:16]}…)"
        )


def _used_ns(path: Path) -> int:
    try:
        return path.stat(follow_symlinks=False).st_mtime_ns
    except FileNotFoundError:
        return 0


def _bytes_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))
