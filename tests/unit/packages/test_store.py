"""Stores in a folder: objects named by their digest and written once, and a sentence for each thing that is wrong."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from packaged import KEYS, linear, order, packed
from signed import key

from driftline.agents.control.signing import countersigned
from driftline.agents.serving.package import stores
from driftline.agents.serving.package.errors import BrokenPackageError, StoreError
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.manifest import File
from driftline.agents.serving.package.pack import Packed, pack_file
from driftline.agents.serving.package.store import CHUNK_BYTES, WHOLE_BYTES, Store
from driftline.agents.serving.package.stores import folder_store, store_of
from driftline.agents.serving.package.verify import verify
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.settings_packages import Packages
from driftline.schemas.sources import Secret


@pytest.fixture
def made(tmp_path: Path) -> Packed:
    """Return a package."""
    return packed(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return folder_store(tmp_path / "store", make=True)


def held(tmp_path: Path) -> list[str]:
    """Return the objects in the store."""
    return sorted(str(path.relative_to(tmp_path / "store")) for path in (tmp_path / "store").glob("*/*"))


def test_objects_are_named_by_their_digest(tmp_path: Path, made: Packed, store: Store) -> None:
    """A push puts each file and the manifest under their digests, and a second one puts nothing."""
    files = made.signed.manifest.files
    assert store.push(made.folder, made.signed) == len(files)
    wanted = [f"manifests/{made.signed.digest}", *(f"objects/{file.sha256}" for file in files)]
    assert held(tmp_path) == sorted(wanted)
    assert store.push(made.folder, made.signed) == 0
    assert store.manifest(made.signed.digest) == (made.folder / FILE).read_bytes()
    assert (
        b"".join(store.chunks(files[0].sha256, files[0].size)) == (made.folder / files[0].path).read_bytes()
    )


def test_a_file_of_many_pieces_comes_whole(tmp_path: Path, store: Store) -> None:
    """A file larger than one request goes up in parts and comes back in pieces, the same."""
    model = linear(tmp_path / "m.onnx", data="w.bin")
    with (tmp_path / "w.bin").open("ab") as file:
        file.write(os.urandom(WHOLE_BYTES + CHUNK_BYTES // 2))
    made = pack_file(model, order(tmp_path / "package"))
    store.push(made.folder, made.signed)
    (large,) = (file for file in made.signed.manifest.files if file.path == "w.bin")
    pieces = list(store.chunks(large.sha256, large.size))
    assert len(pieces) == 3
    assert b"".join(pieces) == (made.folder / "w.bin").read_bytes()


def test_what_is_there_is_not_written_over(made: Packed, store: Store) -> None:
    """The manifest that came first stays, with its signatures; another one of the same digest is refused."""
    store.push(made.folder, made.signed)
    twice = countersigned(Envelope.from_bytes((made.folder / FILE).read_bytes()), key("second"))
    (made.folder / FILE).write_bytes(twice.to_bytes())
    signed = verify(made.folder, KEYS)
    assert signed.digest == made.signed.digest
    with pytest.raises(
        StoreError, match=r"churn 3 is in .*store already, signed by others; it stays as it is"
    ):
        store.push(made.folder, signed)


def test_a_damaged_object_is_told(tmp_path: Path, made: Packed, store: Store) -> None:
    """An object of another size, or of other bytes, is neither taken for the file nor written over, nor fetched."""
    store.push(made.folder, made.signed)
    file = made.signed.manifest.files[0]
    place = tmp_path / "store" / "objects" / file.sha256
    place.write_bytes(bytes(file.size))
    with pytest.raises(StoreError, match=r"is not 'golden.json' of .*damaged.*take it away and push again"):
        store.push(made.folder, made.signed)
    place.write_bytes(b"short")
    with pytest.raises(StoreError, match=r"holds objects/.* with 5 bytes, which is not 'golden.json' of"):
        store.push(made.folder, made.signed)
    with pytest.raises(StoreError, match="has 5 bytes; the manifest says"):
        store.chunks(file.sha256, file.size)


@pytest.mark.parametrize(
    "damaged",
    [lambda _: b"", lambda data: data[:-1], lambda data: data + b"x", lambda _: b"{}"],
    ids=["empty", "shorter", "longer", "another"],
)
def test_a_damaged_manifest_is_told(
    tmp_path: Path, made: Packed, store: Store, damaged: Callable[[bytes], bytes]
) -> None:
    """It is not taken for one that others signed: the sentence says to take it away."""
    store.push(made.folder, made.signed)
    place = tmp_path / "store" / "manifests" / made.signed.digest
    place.write_bytes(damaged(place.read_bytes()))
    with pytest.raises(
        StoreError, match=r"is not the manifest of churn 3: .*damaged.*take it away and push again"
    ):
        store.push(made.folder, made.signed)
    place.unlink()
    assert store.push(made.folder, made.signed) == 0


@pytest.mark.parametrize("size", [100, WHOLE_BYTES + 1])
def test_a_file_that_changed_since_it_was_verified_is_not_put(
    tmp_path: Path, store: Store, size: int
) -> None:
    """Also where it goes up in parts: nothing lies under a digest that is not its own."""
    (tmp_path / "w.bin").write_bytes(bytes(size))
    file = File(path="w.bin", size=size, sha256=hashlib.sha256(bytes(size)).hexdigest())
    (tmp_path / "w.bin").write_bytes(bytes(size - 1) + b"x")
    with pytest.raises(BrokenPackageError, match="is not the one that was signed"):
        store._put(tmp_path, file)
    assert store._size(f"objects/{file.sha256}") is None


def test_what_is_no_file_is_neither_taken_for_one_nor_waited_for(
    tmp_path: Path, made: Packed, store: Store
) -> None:
    """A folder, a link or a pipe in the place of an object: one sentence, at once, for whoever pushes or serves."""
    file = made.signed.manifest.files[0]
    place = tmp_path / "store" / "objects" / file.sha256
    place.parent.mkdir()
    for lay in (place.mkdir, lambda: place.symlink_to("/dev/zero"), lambda: os.mkfifo(place)):
        lay()
        for ask in (
            lambda: store.push(made.folder, made.signed),
            lambda: store.chunks(file.sha256, file.size),
        ):
            with pytest.raises(StoreError, match="is no file: take it away"):
                ask()
        place.rmdir() if place.is_dir() else place.unlink()


def test_somebody_who_was_faster_is_not_believed(
    tmp_path: Path, made: Packed, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came into the place between the look and the push is read, as what was there before is."""
    sizes = store._size
    seen: list[str] = []

    def size(key: str) -> int | None:
        found = sizes(key)
        if not seen and key.startswith("objects/"):
            seen.append(key)
            (tmp_path / "store" / key).parent.mkdir(parents=True)
            (tmp_path / "store" / key).write_bytes(b"junk")
        return found

    monkeypatch.setattr(store, "_size", size)
    with pytest.raises(StoreError, match="damaged, or was put by somebody else"):
        store.push(made.folder, made.signed)


@pytest.mark.parametrize("place", ["gs://models/churn", "http://127.0.0.1/models", "file:///models"])
def test_a_store_of_an_unknown_kind_is_no_folder(place: str) -> None:
    """Else packages would be pushed into a folder of that name, which nobody serves from."""
    with pytest.raises(StoreError, match="of a kind that nobody knows: name a folder, or s3://"):
        store_of(Packages(store=place), make=True)


def test_what_is_not_there_is_told(store: Store) -> None:
    """An object that is lacking is named with the store."""
    for ask in (lambda: store.manifest("0" * 64), lambda: store.chunks("0" * 64, 3)):
        with pytest.raises(StoreError, match=r"0000 is not in .*store: push the package"):
            ask()


def test_a_server_that_is_away_is_told_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the store, the object and the address, and none of the library's types."""
    monkeypatch.setattr(stores, "RETRIES", 0)
    away = Packages(
        store="s3://models", endpoint="http://127.0.0.1:9", access_key="k", secret_key=Secret("s")
    )
    with pytest.raises(
        StoreError, match=r"^s3://models cannot be reached for manifests/0+: .*127\.0\.0\.1:9"
    ) as told:
        store_of(away).manifest("0" * 64)
    assert "{" not in str(told.value)


def test_a_server_that_never_answers_is_waited_for_no_longer_than_said() -> None:
    """It takes the connection and says nothing, as behind a broken network: whoever asks goes on."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = Packages(
            store="s3://models",
            endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}",
            access_key="k",
            secret_key=Secret("s"),
        )
        began_s = time.monotonic()
        with pytest.raises(StoreError, match="cannot be reached"):
            store_of(mute, timeout_s=0.3).manifest("0" * 64)
        assert time.monotonic() - began_s < stores.TIMEOUT_S / 2


@pytest.mark.parametrize(
    "address",
    [
        "http://999.1.1.1",
        "http://[::::]",
        "http://[1.2.3.4]:1",
        "http://1.2.3",
        "http://foo.1:1",
        "http://a.0x1",
        "http://1.2.3.999.:1",
        "http://xn--a:1",
    ],
)
def test_an_address_that_is_none_is_told_before_anything_is_asked(address: str) -> None:
    """The library of stores panics at it."""
    with pytest.raises(StoreError, match=r"^the endpoint http\S+ of the store names no machine$"):
        store_of(Packages(store="s3://models", endpoint=address))


@pytest.mark.parametrize("host", ["4f2b3c1d9e0a:7070", "1minio:9000", "minio.3rd", "127.0.0.1:9", "[::1]:9"])
def test_a_host_may_begin_with_a_digit(host: str) -> None:
    """As those of containers do."""
    assert store_of(Packages(store="s3://models", endpoint=f"http://{host}")).place == "s3://models"


def test_a_manifest_is_bounded(tmp_path: Path, store: Store) -> None:
    """A manifest larger than an envelope can be is not read."""
    place = tmp_path / "store" / "manifests" / ("0" * 64)
    place.parent.mkdir()
    place.write_bytes(b" " * 65_537)
    with pytest.raises(StoreError, match="has 65,537 bytes; 65,536 are allowed"):
        store.manifest("0" * 64)


def test_a_package_that_changed_is_not_pushed(made: Packed, store: Store) -> None:
    """A manifest that was exchanged between verification and push is refused."""
    (made.folder / FILE).write_bytes((packed(made.folder.parent / "other").folder / FILE).read_bytes())
    assert (
        verify(made.folder, KEYS).digest == made.signed.digest
    )  # the same content, packed twice, is the same package
    different = packed(made.folder.parent / "third", model=linear(made.folder.parent / "b.onnx", bias=1.0))
    (made.folder / FILE).write_bytes((different.folder / FILE).read_bytes())
    with pytest.raises(StoreError, match="changed while it was pushed"):
        store.push(made.folder, made.signed)


def test_stores_are_named_by_settings(tmp_path: Path) -> None:
    """No store, and a folder that is not there, are told with the setting; a bucket is named by its address."""
    with pytest.raises(StoreError, match="set DRIFTLINE_PACKAGES_STORE"):
        store_of(Packages())
    with pytest.raises(StoreError, match="is no folder"):
        store_of(Packages(store=str(tmp_path / "none")))
    assert store_of(Packages(store=str(tmp_path / "made")), make=True).place == str(tmp_path / "made")
    bucket = Packages(
        store="s3://models/team", endpoint="http://127.0.0.1:9", access_key="k", secret_key=Secret("hidden")
    )
    asked = store_of(bucket)
    assert asked.place == "s3://models/team"
    assert "hidden" not in repr(bucket)
