"""The cache: private copies, hashed as they are made and again after a restart, thrown out unless they are held."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from packaged import KEYS, about, hold, linear, packed, signed_again
from signed import key

from driftline.agents.serving.package.cache import Cache, CacheError
from driftline.agents.serving.package.errors import BrokenPackageError, StoreError, UntrustedPackageError
from driftline.agents.serving.package.pack import Packed
from driftline.agents.serving.package.store import Store
from driftline.agents.serving.package.stores import folder_store

ROOM = 1 << 24


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return folder_store(tmp_path / "store", make=True)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache."""
    return Cache(tmp_path / "cache", max_bytes=ROOM)


def kept(tmp_path: Path, store: Store, version: str = "3", **changes: Any) -> Packed:
    """Return a package of some version that lies in the store."""
    made = packed(tmp_path / version, about=about(version=version), **changes)
    store.push(made.folder, made.signed)
    return made


def size_of(made: Packed) -> int:
    """Return what a copy takes; it is the same for packages that differ in a figure of their version."""
    return sum(path.stat().st_size for path in made.folder.iterdir())


def test_a_package_is_copied_and_private(tmp_path: Path, store: Store, cache: Cache) -> None:
    """A copy has the package's files, in folders that nobody else can enter."""
    made = kept(tmp_path, store)
    held = cache.take(made.signed.ref, KEYS, store)
    for path in made.folder.iterdir():
        assert (held.folder / path.name).read_bytes() == path.read_bytes()
    assert held.folder.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    held.release()


def test_a_copy_is_enough(tmp_path: Path, store: Store, cache: Cache) -> None:
    """What was copied is taken again without the store."""
    made = kept(tmp_path, store)
    cache.take(made.signed.ref, KEYS, store).release()
    nowhere = folder_store(tmp_path / "nowhere", make=True)
    again = Cache(tmp_path / "cache", max_bytes=ROOM).take(made.signed.ref, KEYS, nowhere)
    assert again.signed.digest == made.signed.digest


def test_a_copy_is_hashed_again_after_a_restart(tmp_path: Path, store: Store, cache: Cache) -> None:
    """A copy that was changed behind our back is thrown out by the next process, and copied anew."""
    made = kept(tmp_path, store)
    held = cache.take(made.signed.ref, KEYS, store)
    held.release()
    model = held.folder / "model.onnx"
    data = model.read_bytes()
    model.write_bytes(data[:-1] + b"\x00")
    fresh = Cache(tmp_path / "cache", max_bytes=ROOM)
    assert (fresh.take(made.signed.ref, KEYS, store).folder / "model.onnx").read_bytes() == data


def test_a_surplus_file_in_a_copy_is_found(tmp_path: Path, store: Store, cache: Cache) -> None:
    """A file that was put into a copy is gone after a restart: a model could have read it."""
    made = kept(tmp_path, store)
    held = cache.take(made.signed.ref, KEYS, store)
    held.release()
    (held.folder / "surplus").write_bytes(b"x")
    fresh = Cache(tmp_path / "cache", max_bytes=ROOM).take(made.signed.ref, KEYS, store)
    assert not (fresh.folder / "surplus").exists()


def test_a_store_that_lies_is_found_while_copying(tmp_path: Path, store: Store, cache: Cache) -> None:
    """A file of the right size and another content is refused, and nothing of it stays."""
    made = kept(tmp_path, store)
    for file in made.signed.manifest.files:
        if file.path == "model.onnx":
            (tmp_path / "store" / "objects" / file.sha256).write_bytes(b"x" * file.size)
    with pytest.raises(
        BrokenPackageError, match=r"the file 'model.onnx' in .*store is not the one that was signed"
    ):
        cache.take(made.signed.ref, KEYS, store)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_file_that_grows_is_not_copied_whole(
    tmp_path: Path, store: Store, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a store that gives more than the manifest says, no more is taken than shows that."""
    made = kept(tmp_path, store)
    given: list[int] = []

    def endless(_digest: str, size: int) -> Iterator[bytes]:
        while len(given) < 100:
            given.append(size)
            yield b"x" * size

    monkeypatch.setattr(store, "chunks", endless)
    with pytest.raises(BrokenPackageError, match="is not the one that was signed"):
        cache.take(made.signed.ref, KEYS, store)
    assert len(given) == 2


def test_another_package_under_the_name_is_found(tmp_path: Path, store: Store, cache: Cache) -> None:
    """A manifest that is signed, and is not the one of that digest, name or version, is refused."""
    first, second = kept(tmp_path, store, "3"), kept(tmp_path, store, "4")
    place = tmp_path / "store" / "manifests"
    (place / first.signed.digest).write_bytes((place / second.signed.digest).read_bytes())
    with pytest.raises(
        UntrustedPackageError, match=r"churn 3 .* was asked for, and the package there is churn 4"
    ):
        cache.take(first.signed.ref, KEYS, store)
    renamed = msgspec.structs.replace(second.signed.ref, version="5")
    with pytest.raises(UntrustedPackageError, match="churn 5"):
        cache.take(renamed, KEYS, store)


def test_keys_are_asked_each_time(tmp_path: Path, store: Store, cache: Cache) -> None:
    """A copy whose signer may sign no longer is not given, though it is here."""
    made = kept(tmp_path, store)
    cache.take(made.signed.ref, KEYS, store).release()
    other = {key("other").keyid: key("other").public}
    with pytest.raises(UntrustedPackageError, match="none of the 1 keys"):
        cache.take(made.signed.ref, other, store)


def test_a_harmful_package_is_not_kept(tmp_path: Path, store: Store, cache: Cache) -> None:
    """A package that is signed and holds a pickle is refused by the cache, whoever signed it."""
    made = packed(tmp_path / "p")
    (made.folder / "model.onnx").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    signed_again(made.folder)
    signed = made.signed.__class__(signed_again(made.folder), made.signed.envelope, "", frozenset())
    for file in signed.manifest.files:
        (tmp_path / "store" / "objects").mkdir(exist_ok=True)
        (tmp_path / "store" / "objects" / file.sha256).write_bytes((made.folder / file.path).read_bytes())
    ref = signed.manifest.ref()
    (tmp_path / "store" / "manifests").mkdir()
    (tmp_path / "store" / "manifests" / ref.manifest).write_bytes(
        (made.folder / "manifest.json").read_bytes()
    )
    with pytest.raises(BrokenPackageError, match=r"'model\.onnx' is a pickle"):
        cache.take(ref, KEYS, store)
    assert cache.digests() == []


def test_sizes_are_held_before_anything_is_fetched(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that says it is too large is refused before a file of it is asked for."""
    made = kept(tmp_path, store)
    for path in (tmp_path / "store" / "objects").iterdir():
        path.unlink()
    cache = Cache(tmp_path / "cache", max_bytes=ROOM)
    with monkeypatch.context() as small:
        small.setattr("driftline.agents.serving.package.signed.MAX_PACKAGE_BYTES", 1_000)
        with pytest.raises(BrokenPackageError, match="1,000 are allowed"):
            cache.take(made.signed.ref, KEYS, store)
    with pytest.raises(StoreError, match="is not in"):
        cache.take(made.signed.ref, KEYS, store)


def test_what_was_used_longest_ago_goes(tmp_path: Path, store: Store) -> None:
    """With room for three, the fourth throws out the one used longest ago."""
    made = [kept(tmp_path, store, str(number)) for number in range(4)]
    cache = Cache(tmp_path / "cache", max_bytes=3 * size_of(made[0]))
    for one in made[:3]:
        cache.take(one.signed.ref, KEYS, store).release()
    cache.take(made[0].signed.ref, KEYS, store).release()
    cache.take(made[3].signed.ref, KEYS, store).release()
    assert set(cache.digests()) == {made[0].signed.digest, made[2].signed.digest, made[3].signed.digest}


def test_what_is_held_never_goes(tmp_path: Path, store: Store) -> None:
    """A package that is held stays, however long ago it was used, and a fourth is refused with the figures."""
    made = [kept(tmp_path, store, str(number)) for number in range(4)]
    cache = Cache(tmp_path / "cache", max_bytes=3 * size_of(made[0]))
    held = [cache.take(one.signed.ref, KEYS, store) for one in made[:3]]
    with pytest.raises(
        CacheError, match=r"there is no room for churn 3 in .*: it takes .* bytes, those in use take"
    ):
        cache.take(made[3].signed.ref, KEYS, store)
    held[1].release()
    cache.take(made[3].signed.ref, KEYS, store)
    assert set(cache.digests()) == {one.signed.digest for one in (made[0], made[2], made[3])}


def test_what_could_never_fit_throws_nothing_out(tmp_path: Path, store: Store) -> None:
    """A package larger than the whole cache is refused, and what is here stays."""
    small = kept(tmp_path, store)
    cache = Cache(tmp_path / "cache", max_bytes=size_of(small) + 1)
    cache.take(small.signed.ref, KEYS, store).release()
    wide = packed(tmp_path / "5", about=about(version="5", purpose="x" * 2_000))
    store.push(wide.folder, wide.signed)
    with pytest.raises(CacheError, match="there is no room for churn 5"):
        cache.take(wide.signed.ref, KEYS, store)
    assert cache.digests() == [small.signed.digest]


def test_a_hold_ends_once(tmp_path: Path, store: Store, cache: Cache) -> None:
    """A package that was let go twice is let go once, and a block that ends lets it go."""
    made = kept(tmp_path, store)
    with cache.take(made.signed.ref, KEYS, store) as held:
        assert held.signed.digest == made.signed.digest
    with (tmp_path / "other").open("wb") as file:
        held.release()
        file.write(b"the number of the lock may be this file's now")


def test_another_process_may_hold_it(tmp_path: Path, store: Store) -> None:
    """A copy that another process holds is not thrown out either."""
    first, second = kept(tmp_path, store, "1"), kept(tmp_path, store, "2")
    spawn = multiprocessing.get_context("spawn")
    taken, done = spawn.Event(), spawn.Event()
    args = (tmp_path / "cache", first.signed.ref, tmp_path / "store", taken, done)
    process = spawn.Process(target=hold, args=args)
    process.start()
    try:
        assert taken.wait(60)
        cache = Cache(tmp_path / "cache", max_bytes=size_of(first))
        with pytest.raises(CacheError, match="there is no room"):
            cache.take(second.signed.ref, KEYS, store)
        done.set()
        process.join(60)
        cache.take(second.signed.ref, KEYS, store)
        assert cache.digests() == [second.signed.digest]
    finally:
        done.set()
        process.join(60)


def test_many_may_take_at_once(tmp_path: Path, store: Store, cache: Cache) -> None:
    """Many threads that take two packages at once all get them, each copied once and whole."""
    made = [
        kept(tmp_path, store, "1"),
        kept(tmp_path, store, "2", model=linear(tmp_path / "b.onnx", bias=1.0)),
    ]
    start = threading.Barrier(8)

    def take(number: int) -> str:
        start.wait(30)
        held = cache.take(made[number % 2].signed.ref, KEYS, store)
        try:
            return held.signed.digest
        finally:
            held.release()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(take, range(8)))
    assert found == [made[number % 2].signed.digest for number in range(8)]
    assert sorted(cache.digests()) == sorted({one.signed.digest for one in made})


def test_what_a_killed_process_left_is_cleared(tmp_path: Path, store: Store, cache: Cache) -> None:
    """The beginnings of a copy that was never finished go when the next one is made."""
    left = tmp_path / "cache" / ".partial-killed"
    left.mkdir()
    (left / "w.bin").write_bytes(b"x")
    cache.take(kept(tmp_path, store).signed.ref, KEYS, store)
    assert not left.exists()


def test_a_cache_is_private(tmp_path: Path) -> None:
    """A folder that others can enter, or a link to one, is no cache."""
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "alias").symlink_to(tmp_path / "mine")
    for name in ("open", "alias"):
        with pytest.raises(CacheError, match="is not private: chmod 700"):
            Cache(tmp_path / name, max_bytes=ROOM)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CacheError, match="cannot be made"):
        Cache(tmp_path / "file", max_bytes=ROOM)
