"""Packages in a real bucket: pushed by one who may write, taken by one who may read, and told when neither."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from packaged import KEYS, linear, order
from s3 import READER, WRITER, Bucket, bucket

from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.errors import BrokenPackageError, StoreError
from driftline.agents.serving.package.pack import Packed, pack_file
from driftline.agents.serving.package.store import WHOLE_BYTES
from driftline.agents.serving.package.stores import store_of
from driftline.agents.serving.package.trial import trial

pytestmark = pytest.mark.needs("versitygw")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """Return a bucket."""
    with bucket(tmp_path_factory.mktemp("s3")) as made:
        yield made


@pytest.fixture
def made(tmp_path: Path) -> Packed:
    """Return a package with a file that goes up in two parts."""
    model = linear(tmp_path / "m.onnx", data="w.bin")
    with (tmp_path / "w.bin").open("ab") as file:
        file.write(os.urandom(WHOLE_BYTES + 1000))
    return pack_file(model, order(tmp_path / "package"))


def test_a_package_goes_through_a_bucket(tmp_path: Path, there: Bucket, made: Packed) -> None:
    """What a writer pushes a reader takes, byte for byte, and it passes its trial; a second push puts nothing."""
    writer, reader = store_of(there.settings(WRITER, "one")), store_of(there.settings(READER, "one"))
    assert writer.push(made.folder, made.signed) == 3
    assert writer.push(made.folder, made.signed) == 0
    names = sorted(path.name for path in there.folder.glob("one/*/*"))
    assert names == sorted([made.signed.digest, *(file.sha256 for file in made.signed.manifest.files)])
    held = Cache(tmp_path / "cache", max_bytes=1 << 28).take(made.signed.ref, KEYS, reader)
    for file in made.signed.manifest.files:
        assert (held.folder / file.path).read_bytes() == (made.folder / file.path).read_bytes()
    assert trial(held.folder, held.signed.manifest).outcome == "passed"
    held.release()


def test_a_reader_writes_nothing(there: Bucket, made: Packed) -> None:
    """One who may read alone cannot push, and is told that the keys are at fault."""
    with pytest.raises(StoreError, match="does not let us at"):
        store_of(there.settings(READER, "two")).push(made.folder, made.signed)
    assert list(there.folder.glob("two/**/*")) == []


def test_a_bucket_that_is_not_there_is_told(there: Bucket, made: Packed) -> None:
    """Who pushes to a misspelled one, a large file or a small one, hears that it is no store."""
    given = replace(there.settings(WRITER, "one"), store="s3://nobucket/one")
    with pytest.raises(StoreError, match="s3://nobucket/one is no store: there is no such bucket"):
        store_of(given).push(made.folder, made.signed)
    with pytest.raises(StoreError, match="is no store"):
        store_of(given)._create("objects/a", b"a")


def test_a_wrong_key_is_told(there: Bucket) -> None:
    """A key that the server does not know, and a secret that is not its, are told without the secret."""
    for who in (("nobody", "x" * 16), (WRITER[0], "not-the-secret")):
        with pytest.raises(StoreError, match="does not let us at manifests/0000") as caught:
            store_of(there.settings(who)).manifest("0" * 64)
        assert who[1] not in str(caught.value)


def test_what_is_not_there_is_told_to_a_writer(there: Bucket) -> None:
    """An object that is lacking is told as such to one who may list, and as out of reach to one who may not."""
    with pytest.raises(StoreError, match="is not in s3://models/team/a: push the package"):
        store_of(there.settings(WRITER)).manifest("0" * 64)
    with pytest.raises(StoreError, match=r"is not in|does not let us at"):
        store_of(there.settings(READER)).manifest("0" * 64)


def test_what_was_put_first_stays(there: Bucket, made: Packed) -> None:
    """The server itself refuses to write a manifest over: two pushes at once leave the first one's."""
    store = store_of(there.settings(WRITER, "three"))
    key = f"manifests/{made.signed.digest}"
    assert store._create(key, b"first")
    assert not store._create(key, b"second")
    assert (there.folder / "three" / key).read_bytes() == b"first"


def test_a_bucket_that_lies_is_found(tmp_path: Path, there: Bucket, made: Packed) -> None:
    """A file that somebody changed in the bucket is refused while it is copied."""
    store = store_of(there.settings(WRITER, "four"))
    store.push(made.folder, made.signed)
    (model,) = (file for file in made.signed.manifest.files if file.path == "model.onnx")
    place = there.folder / "four" / "objects" / model.sha256
    place.write_bytes(bytes(reversed(place.read_bytes())))
    with pytest.raises(BrokenPackageError, match="is not the one that was signed"):
        Cache(tmp_path / "cache", max_bytes=1 << 28).take(made.signed.ref, KEYS, store)


def test_a_server_that_is_away_is_told(there: Bucket) -> None:
    """A server that nobody runs is told in one sentence, after a bounded time."""
    settings = there.settings(WRITER)
    gone = settings.__class__(
        store=settings.store, endpoint="http://127.0.0.1:9", access_key="k", secret_key=settings.secret_key
    )
    with pytest.raises(StoreError, match="s3://models/team/a cannot be reached for manifests/"):
        store_of(gone).manifest("0" * 64)
