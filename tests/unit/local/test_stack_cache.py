"""The cache of programs: whole or not there, made once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from driftline.deploy.local.cache import cache_root, prepared
from driftline.deploy.local.checksums import verify
from driftline.deploy.local.errors import StackError


def silent(_sentence: str) -> None:
    """Hear progress and say nothing."""


def test_the_cache_follows_xdg() -> None:
    """XDG_CACHE_HOME is used when absolute, else ~/.cache."""
    assert cache_root({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/driftline")
    assert cache_root({"XDG_CACHE_HOME": "c", "HOME": "/h"}) == Path("/h/.cache/driftline")
    assert cache_root({"HOME": "/h"}) == Path("/h/.cache/driftline")


def test_a_prepared_directory_is_made_once(tmp_path: Path) -> None:
    """The second time nothing is made."""
    made: list[Path] = []

    def make(directory: Path) -> None:
        made.append(directory)
        (directory / "file").write_text("x")

    first = prepared(tmp_path, "thing", make, silent)
    assert prepared(tmp_path, "thing", make, silent) == first
    assert len(made) == 1
    assert (first / "file").read_text() == "x"


def test_a_failed_preparation_leaves_nothing(tmp_path: Path) -> None:
    """After a failure there is neither the directory nor a half-made one, and the next attempt succeeds."""

    def broken(directory: Path) -> None:
        (directory / "half").write_text("x")
        raise StackError("no network")

    with pytest.raises(StackError):
        prepared(tmp_path, "thing", broken, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["thing.lock"]
    assert prepared(tmp_path, "thing", lambda directory: (directory / "file").touch(), silent).is_dir()


def test_what_a_killed_preparation_left_is_removed(tmp_path: Path) -> None:
    """A temporary directory of a process that was killed does not stay."""
    (tmp_path / "thing.tmpdead").mkdir()
    prepared(tmp_path, "thing", lambda directory: (directory / "file").touch(), silent)
    assert not (tmp_path / "thing.tmpdead").exists()


def test_two_at_once_prepare_once(tmp_path: Path) -> None:
    """Of two that prepare at once, one makes and the other waits and takes it."""
    making, go = threading.Event(), threading.Event()
    waiting = threading.Event()
    made: list[Path] = []

    def make(directory: Path) -> None:
        made.append(directory)
        making.set()
        assert go.wait(10)

    threads = [
        threading.Thread(target=prepared, args=(tmp_path, "thing", make, lambda _said: waiting.set()))
        for _ in range(2)
    ]
    threads[0].start()
    assert making.wait(10)
    threads[1].start()
    assert waiting.wait(10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1


def test_checksums_find_changed_missing_and_foreign_files(tmp_path: Path) -> None:
    """A file with other bytes, one that is missing, and one that is not listed are each refused by name."""
    (tmp_path / "a.jar").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    verify(tmp_path, {"a.jar": empty})
    with pytest.raises(StackError, match=r"'a\.jar'"):
        verify(tmp_path, {"a.jar": "0" * 64})
    with pytest.raises(StackError, match=r"'b\.jar'"):
        verify(tmp_path, {"a.jar": empty, "b.jar": empty})
    (tmp_path / "c.jar").write_bytes(b"")
    with pytest.raises(StackError, match=r"'c\.jar'"):
        verify(tmp_path, {"a.jar": empty})
