"""A package in a folder as the place that the cache copies from, and what becomes of signatures that are replaced."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from packaged import KEYS, SIGNER, packed, signed_again
from signed import key

from driftline.agents.serving.package.cache import Cache, CacheError
from driftline.agents.serving.package.errors import BrokenPackageError, StoreError, UntrustedPackageError
from driftline.agents.serving.package.in_place import InPlace
from driftline.agents.serving.package.stores import folder_store
from driftline.agents.serving.package.verify import verify

OTHER = key("other packer")
OTHERS = {OTHER.keyid: OTHER.public}


def test_a_package_is_copied_from_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and with no copy on the way; what is here already needs the folder no more."""
    made = packed(tmp_path / "made")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    cache = Cache(tmp_path / "cache", max_bytes=1 << 24)
    with cache.take(made.signed.ref, KEYS, InPlace(made.folder, made.signed)) as held:
        for path in made.folder.iterdir():
            assert (held.folder / path.name).read_bytes() == path.read_bytes()
    shutil.rmtree(made.folder)
    with cache.take(made.signed.ref, KEYS, InPlace(made.folder, made.signed)) as again:
        assert again.folder == held.folder


def test_what_was_changed_since_it_was_verified_is_refused(tmp_path: Path) -> None:
    """Other bytes, a file that is gone, another manifest: nothing of it is kept."""
    made = packed(tmp_path / "made")
    source = InPlace(made.folder, made.signed)
    model = made.folder / made.signed.manifest.model
    whole = model.read_bytes()
    cache = Cache(tmp_path / "cache", max_bytes=1 << 24)
    model.write_bytes(whole[:-1] + b"x")
    with pytest.raises(BrokenPackageError, match="is not the one that was signed"):
        cache.take(made.signed.ref, KEYS, source)
    model.unlink()
    with pytest.raises(BrokenPackageError):
        cache.take(made.signed.ref, KEYS, source)
    model.write_bytes(whole)
    signed_again(made.folder, purpose="another one")
    with pytest.raises(UntrustedPackageError):
        cache.take(made.signed.ref, KEYS, source)
    with pytest.raises(StoreError, match="has no file with the digest"):
        next(source.chunks("ab" * 32, 1))
    assert cache.digests() == []


def test_a_copy_takes_over_signatures_that_were_replaced(tmp_path: Path) -> None:
    """The same manifest, signed by another who may: the copy that is here counts by that. Without it, it does not."""
    made = packed(tmp_path / "made")
    ref, cache = made.signed.ref, Cache(tmp_path / "cache", max_bytes=1 << 24)
    cache.take(ref, KEYS, InPlace(made.folder, made.signed)).release()
    store = folder_store(tmp_path / "store", make=True)
    for source in (InPlace(made.folder, made.signed), store):
        with pytest.raises(UntrustedPackageError, match="by none of the 1 keys"):
            cache.take(ref, OTHERS, source)
    signed_again(made.folder, OTHER)
    again = verify(made.folder, OTHERS)
    assert again.ref == ref
    for _ in range(2):
        with cache.take(ref, OTHERS, InPlace(made.folder, again)) as held:
            assert held.signed.signers == frozenset({OTHER.keyid})
    with pytest.raises(UntrustedPackageError):
        cache.take(ref, {SIGNER.keyid: SIGNER.public}, store)


def test_a_copy_that_another_signer_made_meanwhile_is_signed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came while this process waited to be the one that copies."""
    made = packed(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    signed_again(tmp_path / "two" / "package", OTHER)
    theirs = verify(tmp_path / "two" / "package", OTHERS)
    alone = Cache._alone

    @contextmanager
    def faster(self: Cache) -> Iterator[None]:
        monkeypatch.setattr(Cache, "_alone", alone)
        Cache(tmp_path / "cache", max_bytes=1 << 24).take(
            theirs.ref, OTHERS, InPlace(tmp_path / "two" / "package", theirs)
        ).release()
        with alone(self):
            yield

    cache = Cache(tmp_path / "cache", max_bytes=1 << 24)
    monkeypatch.setattr(Cache, "_alone", faster)
    with cache.take(made.signed.ref, KEYS, InPlace(made.folder, made.signed)) as held:
        assert held.signed.signers == frozenset({SIGNER.keyid})


def take(folder: Path, word: str, times: int) -> None:
    """Take a package that is signed by one key, again and again, as a process of its own does."""
    signer = key(word)
    keys = {signer.keyid: signer.public}
    signed = verify(folder, keys)
    for _ in range(times):
        cache = Cache(folder.parent.parent / "cache", max_bytes=1 << 24)
        with cache.take(signed.ref, keys, InPlace(folder, signed)) as held:
            assert list(held.signed.signers) == [signer.keyid]
            assert (held.folder / signed.manifest.model).exists()


def test_processes_that_sign_again_take_nothing_from_each_other(tmp_path: Path) -> None:
    """Two of each of two signers, of one manifest and one cache: each has its package each time."""
    made = packed(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    signed_again(tmp_path / "two" / "package", OTHER)
    fork = multiprocessing.get_context("fork")
    words = [(made.folder, "packer"), (tmp_path / "two" / "package", "other packer")] * 2
    processes = [fork.Process(target=take, args=(folder, word, 25)) for folder, word in words]
    for one in processes:
        one.start()
    for one in processes:
        one.join(120)
    assert [one.exitcode for one in processes] == [0] * 4


def test_a_copy_that_cannot_be_signed_again_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full, or a folder that is read only, is one sentence; nothing is left beside the copy."""
    made = packed(tmp_path / "made")
    ref, cache = made.signed.ref, Cache(tmp_path / "cache", max_bytes=1 << 24)
    cache.take(ref, KEYS, InPlace(made.folder, made.signed)).release()
    signed_again(made.folder, OTHER)
    again = verify(made.folder, OTHERS)

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CacheError, match="cannot be used: No space left on device"):
        cache.take(ref, OTHERS, InPlace(made.folder, again))
    assert partial(tmp_path) == []


def test_a_copy_that_goes_while_it_is_signed_again_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may have needed its room: it is no fault of whoever asks for it now."""
    made = packed(tmp_path / "made")
    ref, cache = made.signed.ref, Cache(tmp_path / "cache", max_bytes=1 << 24)
    cache.take(ref, KEYS, InPlace(made.folder, made.signed)).release()
    signed_again(made.folder, OTHER)
    again = verify(made.folder, OTHERS)
    synced = os.fsync

    def gone(number: int) -> None:
        shutil.rmtree(tmp_path / "cache" / ref.manifest, ignore_errors=True)
        synced(number)

    monkeypatch.setattr("os.fsync", gone)
    with cache.take(ref, OTHERS, InPlace(made.folder, again)) as held:
        assert held.signed.signers == frozenset({OTHER.keyid})
    assert partial(tmp_path) == []


def test_a_cache_that_is_read_only_gives_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it was used cannot be written there; what would have to be copied is one sentence."""
    made = packed(tmp_path / "made")
    ref, cache = made.signed.ref, Cache(tmp_path / "cache", max_bytes=1 << 24)
    source = InPlace(made.folder, made.signed)
    cache.take(ref, KEYS, source).release()
    monkeypatch.setattr("os.utime", read_only)
    monkeypatch.setattr("tempfile.mkdtemp", read_only)
    cache.take(ref, KEYS, source).release()
    copy = tmp_path / "cache" / ref.manifest
    model = copy / made.signed.manifest.model
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    for _ in range(3):
        with pytest.raises(CacheError, match=r"cannot be used: Read-only file system"):
            Cache(tmp_path / "cache", max_bytes=1 << 24).take(ref, KEYS, source)
    assert held_here(copy) == 0
    shutil.rmtree(copy)
    with pytest.raises(CacheError, match=r"cannot be used: Read-only file system"):
        cache.take(ref, KEYS, source)


def read_only(*_: object, **__: object) -> None:
    """Fail as a disk does that is read only."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def held_here(folder: Path) -> int:
    """How often this process has a folder open."""
    found = [Path("/proc/self/fd") / one for one in os.listdir("/proc/self/fd")]  # noqa: PTH208 - the folder's own is closed
    return [one.resolve() for one in found].count(folder.resolve())


def partial(folder: Path) -> list[str]:
    """What is left of copies that were not finished, and of anything else that no copy is."""
    return [
        one.name for one in (folder / "cache").iterdir() if one.name.startswith(".") and one.name != ".lock"
    ]
