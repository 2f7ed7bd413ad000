"""A package in a folder as the place that the cache copies from, and what becomes of signatures that are replaced."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from packaged import KEYS, SIGNER, packed, signed_again
from signed import key

from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.errors import BrokenPackageError, StoreError, UntrustedPackageError
from driftline.agents.serving.package.in_place import InPlace
from driftline.agents.serving.package.store import folder_store
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
