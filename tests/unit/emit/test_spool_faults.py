"""What a fault of the disk or of the process may not cost the spool."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
