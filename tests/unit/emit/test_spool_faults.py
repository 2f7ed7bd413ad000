"""What a fault of the disk or of the process may not cost the spool."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driftline.agents.emit import damaged
from driftline.agents.emit.complaints import Complaints
from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.spool import Spool

BATCH = Sealed("predictions", b"fraud", b"x" * 100, 0, 5, sealed_ms=1_000, oldest_ms=0, ordinal=0)


def spool_at(folder: Path, epoch: int) -> Spool:
    """A spool of one life."""
    return Spool(folder, 1 << 20, "app-1", epoch, Complaints())


def open_files() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def raiser(code: int) -> Callable[..., Any]:
    """A system call that fails."""

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_full_disk_leaves_no_file_open_and_none_behind(tmp_path: Path) -> None:
    """Each batch that finds the disk full is refused, at no cost; the first after that is taken."""
    spool = spool_at(tmp_path, 7)
    open_before = open_files()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", raiser(errno.ENOSPC))
        assert [spool.append(BATCH) for _ in range(20)] == [None] * 20
    # The lock of the folder is the one file that stays open.
    assert open_files() <= open_before + 1
    assert list(tmp_path.rglob("*.seg")) == []
    assert spool.append(BATCH) is not None
    spool.close()


def test_a_spool_that_cannot_be_read_yet_is_adopted_later(tmp_path: Path) -> None:
    """With too many files open an ended life's segments stay where they are, and are found at the next look."""
    ended = spool_at(tmp_path, 7)
    assert ended.append(BATCH) is not None
    ended.close()
    spool = spool_at(tmp_path, 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", raiser(errno.EMFILE))
        spool.adopt()
    assert spool.adopted == []
    assert len(list(tmp_path.rglob("*.seg"))) == 1
    spool.adopt()
    assert [one.ledger("predictions").spooled for one in spool.adopted] == [BATCH.rows]
    spool.close()


def ended_life(folder: Path, epoch: int, batches: int = 3) -> list[Path]:
    """The segments of a life that has ended, one batch each."""
    ended = Spool(folder, 1 << 11, "app-1", epoch, Complaints())
    for _ in range(batches):
        assert ended.append(BATCH) is not None
    ended.close()
    return sorted(folder.glob(f"{epoch:016x}-*/*.seg"))


def test_a_damaged_beginning_is_said_counted_and_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A segment nobody can read lies beside the spool, is a `corrupt` row in the books, and the rest is sent."""
    first, *_ = ended_life(tmp_path, 7)
    data = b"\0" * 8 + first.read_bytes()[8:]
    first.write_bytes(data)
    spool = spool_at(tmp_path, 8)
    with caplog.at_level(logging.WARNING, "driftline.emit"):
        spool.adopt()
        spool.adopt()
    (said,) = caplog.messages
    (aside,) = tmp_path.glob(f"*{damaged.SUFFIX}")
    assert str(aside) in said
    assert aside.read_bytes() == data
    (adopted,) = spool.adopted
    book = adopted.ledger("predictions").book()
    assert (dict(book.dropped), book.spooled, book.balance) == ({"corrupt": 1}, 2 * BATCH.rows, 0)
    for _, segment in adopted.backlog.read():
        adopted.backlog.resolved(segment)
    spool.release(adopted)
    assert not first.parent.exists()


def test_books_of_a_life_with_damage_alone_are_on_record(tmp_path: Path) -> None:
    """Where nothing can be sent the count is told all the same; files that were never written to count nothing."""
    (only,) = ended_life(tmp_path, 6, batches=1)
    only.write_bytes(b"x" * 50)
    (empty,) = ended_life(tmp_path, 7, batches=1)
    empty.write_bytes(b"")
    spool = spool_at(tmp_path, 8)
    spool.adopt()
    assert spool.adopted == []
    assert [one.ledger("predictions").book().dropped for one in spool.released] == [{"corrupt": 1}]
    assert [path.suffix for path in tmp_path.iterdir()] == [damaged.SUFFIX]


def test_few_damaged_files_are_kept(tmp_path: Path) -> None:
    """A disk that damages one file after another is not filled with them."""
    for path in ended_life(tmp_path, 7, batches=damaged.KEPT + 2):
        path.write_bytes(b"x" * 50)
    spool = spool_at(tmp_path, 8)
    spool.adopt()
    kept = sorted(path.name.split(".")[0][-1] for path in tmp_path.iterdir())
    assert kept == [str(number) for number in range(2, damaged.KEPT + 2)]
    assert spool.released[0].ledger("predictions").book().dropped == {"corrupt": damaged.KEPT + 2}


def test_a_damaged_file_that_cannot_be_moved_stays(tmp_path: Path) -> None:
    """It is neither deleted nor counted twice: the next look tries again."""
    (only,) = ended_life(tmp_path, 7, batches=1)
    only.write_bytes(b"x" * 50)
    spool = spool_at(tmp_path, 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", raiser(errno.EROFS))
        spool.adopt()
        spool.adopt()
    assert only.exists()
    assert spool.released == []
    spool.adopt()
    assert not only.exists()
    assert [one.ledger("predictions").book().dropped for one in spool.released] == [{"corrupt": 1}]
