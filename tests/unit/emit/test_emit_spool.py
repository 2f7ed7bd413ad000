"""The spool on disk: its bytes, its owner, what damage costs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from emit_fakes import NOBODY, WITHIN_SECONDS

from driftline.agents.emit import Emitter, owner
from driftline.agents.emit.backlog import Backlog
from driftline.agents.emit.complaints import Complaints
from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.segment import Corrupt, entries, read_header, read_record
from driftline.agents.emit.spool import Spool

CAP_BYTES = 1 << 20


def sealed(seq: int, size_bytes: int = 100, rows: int = 5) -> Sealed:
    """A batch whose payload tells its number."""
    payload = seq.to_bytes(8, "little") * (size_bytes // 8)
    return Sealed(
        "predictions", b"fraud", payload, seq, rows, sealed_ms=1_000 + seq, oldest_ms=seq, ordinal=seq
    )


def spool_at(folder: Path, epoch: int = 7, cap_bytes: int = CAP_BYTES) -> Spool:
    """A spool of one life."""
    return Spool(folder, cap_bytes, "app-1", epoch, Complaints())


def read_all(backlog: Backlog) -> list[int]:
    """The numbers that the cursor finds from here on, each resolved."""
    found = []
    for one, segment in backlog.read():
        found.append(one.seq)
        backlog.resolved(segment)
    return found


def test_batches_come_back_as_they_were(tmp_path: Path) -> None:
    """Every field of every batch is read as it was written, in order; then nothing is left on disk."""
    spool = spool_at(tmp_path)
    batches = [sealed(seq, size_bytes=20_000) for seq in range(30)]
    for one in batches:
        assert spool.append(one) is not None
    assert len(spool.backlog.segments) > 1
    found = []
    for one, segment in spool.backlog.read():
        found.append(one)
        spool.backlog.resolved(segment)
    assert found == batches
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_batches_may_come_while_others_go(tmp_path: Path) -> None:
    """Writing and reading take turns on the same segment, and order holds."""
    spool = spool_at(tmp_path)
    found = []
    for seq in range(50):
        assert spool.append(sealed(seq)) is not None
        if seq % 3 == 0:
            found += read_all(spool.backlog)
    assert found + read_all(spool.backlog) == list(range(50))


def test_the_cap_holds_on_disk(tmp_path: Path) -> None:
    """No byte is written past the cap, and what was refused fits once something has gone."""
    spool = spool_at(tmp_path, cap_bytes=1 << 18)
    count = 0
    while spool.append(sealed(count, size_bytes=10_000)) is not None:
        count += 1
    assert spool.is_full
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.seg")) == spool.size_bytes <= 1 << 18
    assert read_all(spool.backlog) == list(range(count))
    assert spool.append(sealed(count, size_bytes=10_000)) is not None


def test_a_flipped_bit_costs_one_record(tmp_path: Path) -> None:
    """A record that does not match its checksum is skipped; the rest is read, and the loss is known in rows."""
    spool = spool_at(tmp_path)
    for seq in range(3):
        spool.append(sealed(seq))
    (path,) = tmp_path.rglob("*.seg")
    data = bytearray(path.read_bytes())
    data[data.index(sealed(1).payload) + 4] ^= 0x10
    path.write_bytes(data)
    assert read_all(spool.backlog) == [0, 2]
    assert spool.backlog.unreadable() == {"predictions": 5}
    assert not spool.backlog.has_unread


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_a_torn_tail_is_ignored(tmp_path: Path, cut: int) -> None:
    """A record that the end of the file cuts off was never counted: an adopter neither reads it nor misses it."""
    folder = tmp_path / "spool"
    folder.mkdir()
    spool = spool_at(folder)
    for seq in range(3):
        spool.append(sealed(seq))
    (path,) = folder.rglob("*.seg")
    data = path.read_bytes()
    spool.forget()
    path.write_bytes(data[:-cut])
    adopter = spool_at(folder, epoch=8)
    adopter.adopt()
    (adopted,) = adopter.adopted
    assert adopted.ledger("predictions").book().enqueued == 10
    assert read_all(adopted.backlog) == [0, 1]


def test_rubbish_in_the_folder_harms_nothing(tmp_path: Path) -> None:
    """In the folder of an ended life, files that are no segments and empty ones are survived."""
    (tmp_path / "notes.txt").write_text("hello")
    ended = tmp_path / f"{1:016x}-1-0"
    ended.mkdir()
    (ended / "00000000.seg").write_bytes(b"no segment")
    (ended / "00000001.seg").write_bytes(b"")
    spool = spool_at(tmp_path)
    spool.adopt()
    assert spool.adopted == []
    assert not ended.exists()
    assert spool.append(sealed(0)) is not None


def test_what_is_somebody_elses_is_not_touched(tmp_path: Path) -> None:
    """In a spool directory that others use too, their folders, locks and files stay as they are."""
    (tmp_path / "empty").mkdir()
    for name in ("data", "0001-1-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").write_text("mine")
    for number in range(8):
        (tmp_path / f"disk-{number}-x-y.damaged").write_text("mine")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    ended = tmp_path / f"{1:016x}-1-0"
    ended.mkdir()
    (ended / "00000000.seg").write_bytes(b"no segment")
    spool = spool_at(tmp_path)
    spool.adopt()
    aside = Path(f"{ended.name}-00000000.seg.damaged")
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == sorted([*before, aside])


def test_a_segment_names_its_life(tmp_path: Path) -> None:
    """The header carries instance and epoch, so that an adopter can say whose batches it sends."""
    spool = spool_at(tmp_path)
    spool.append(sealed(4, rows=9))
    (path,) = tmp_path.rglob("*.seg")
    with path.open("rb", buffering=0) as file:
        instance, epoch, at = read_header(file)
        record = read_record(file, at)
    assert (instance, epoch) == ("app-1", 7)
    assert record is not None
    assert record[0] == sealed(4, rows=9)
    (entry,) = entries(path)
    assert (entry.topic, entry.rows, entry.seq, entry.end) == ("predictions", 9, 4, path.stat().st_size)


def test_a_length_that_cannot_be_is_damage(tmp_path: Path) -> None:
    """A length of gigabytes is not believed."""
    path = tmp_path / "x.seg"
    path.write_bytes(b"\xff" * 64)
    with path.open("rb", buffering=0) as file, pytest.raises(Corrupt):
        read_record(file, 0)


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    """Nobody adopts the spool of a living owner; when that one is gone exactly one of two adopters has it."""
    living = spool_at(tmp_path)
    living.append(sealed(0))
    first, second = spool_at(tmp_path, epoch=8), spool_at(tmp_path, epoch=9)
    first.adopt()
    assert first.adopted == []
    living.forget()
    first.adopt()
    second.adopt()
    assert (len(first.adopted), len(second.adopted)) == (1, 0)
    first.release(first.adopted[0])


def test_an_owner_in_another_process_is_respected(tmp_path: Path) -> None:
    """The lock holds between processes and ends with its process, killed or not."""
    source = f"""
import sys
from pathlib import Path
from driftline.agents.emit import owner
folder = owner.own(Path({str(tmp_path)!r}), 1)
print("locked", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        assert owner.ownerless(tmp_path) == []
        process.kill()
        process.wait(10)
        (folder,) = owner.ownerless(tmp_path)
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_ends_of_forks_undo_no_lock(tmp_path: Path) -> None:
    """A second copy of the lock's file that is closed, as a forked child's is, leaves the lock in force."""
    folder = owner.own(tmp_path, 1)
    source = f"""
import os, sys
from pathlib import Path
from driftline.agents.emit import owner
folder = owner.own(Path({str(tmp_path)!r}), 2)
pid = os.fork()
if pid == 0:
    folder.forget()
    os._exit(0)
os.waitpid(pid, 0)
print(len(owner.ownerless(Path({str(tmp_path)!r}))))
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "0"
    folder.forget()


def test_empty_spools_leave_nothing(tmp_path: Path) -> None:
    """A spool that was never needed makes no folder; one that was emptied removes its own."""
    spool = spool_at(tmp_path)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_adopted_bytes_count_against_the_cap(tmp_path: Path) -> None:
    """A process that is killed again and again with the broker away does not fill the disk: adopted bytes count."""
    first = spool_at(tmp_path, epoch=1, cap_bytes=1 << 18)
    while first.append(sealed(0, size_bytes=10_000)) is not None:
        pass
    first.forget()
    second = spool_at(tmp_path, epoch=2, cap_bytes=1 << 18)
    second.adopt()
    assert second.append(sealed(0, size_bytes=10_000)) is None
    assert second.is_full


def test_what_an_ended_life_left_is_taken_over_without_an_event(tmp_path: Path) -> None:
    """An emitter that is made on a folder with leftovers starts, of whatever version; on an empty one it does not."""
    with Emitter("churn", "1", bootstrap=NOBODY, spool_dir=tmp_path, stall_s=0.1) as first:
        assert not first._life._thread
        first.log({"a": 1.0})
    with Emitter("churn", "2", bootstrap=NOBODY, spool_dir=tmp_path) as second:
        deadline = time.monotonic() + WITHIN_SECONDS
        while not second.stats().adopted:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        book = second.stats().adopted[0]
        assert (book.epoch, book.book.spooled) == (first._life.epoch, 1)
        assert second.stats().enqueued == 0
