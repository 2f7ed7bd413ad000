"""The disk spool of one life: batches appended in order, bounded in bytes; and the spools of lives that have ended."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from driftline.agents.emit import damaged as damage
from driftline.agents.emit import owner, sharing
from driftline.agents.emit.backlog import Backlog, Segment
from driftline.agents.emit.complaints import Complaints
from driftline.agents.emit.ledger import Ledger
from driftline.agents.emit.owner import OwnedFolder
from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.segment import Corrupt, header, read_header, record

_LARGEST_SEGMENT_BYTES: Final = 8 << 20
_SEGMENTS: Final = 8
_SYNC_S: Final = 1.0
# Ended lives whose books stay on record after the last of their rows: each heartbeat carries them all.
RELEASED_KEPT: Final = 64


@dataclass(slots=True)
class Adopted:
    """The spool of a life that has ended; its batches keep that life's identity, and its books are its own."""

    folder: OwnedFolder
    backlog: Backlog
    instance: str
    epoch: int
    books: dict[str, Ledger] = field(default_factory=dict)

    def ledger(self, topic: str) -> Ledger:
        """The account of one topic."""
        return self.books.setdefault(topic, Ledger())


class Spool:
    """The spool of this life below `directory`; the folder and its lock are made when the first batch comes.

    At most `cap_bytes` on disk, an equal part of what the spools of this process have adopted included. `adopted` are
    those with rows left, `released` the last `RELEASED_KEPT` that were emptied. Beside them `damaged.KEPT` files that
    nobody can read are kept.
    """

    def __init__(
        self, directory: Path, cap_bytes: int, instance: str, epoch: int, complaints: Complaints
    ) -> None:
        self.backlog = Backlog()
        self.adopted: list[Adopted] = []
        self.released: list[Adopted] = []
        self.is_full = False
        self._directory = directory
        self.cap_bytes: Final = cap_bytes
        self._segment_bytes = min(_LARGEST_SEGMENT_BYTES, cap_bytes // _SEGMENTS)
        self._header = header(instance, epoch)
        self._epoch = epoch
        self._complaints = complaints
        self._folder: OwnedFolder | None = None
        self._active: Segment | None = None
        self._file = -1
        self._number = 0
        self._synced_s = 0.0

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, adopted spools included."""
        return self.backlog.size_bytes + self.adopted_bytes

    @property
    def adopted_bytes(self) -> int:
        """Bytes of adopted spools."""
        return sum(one.backlog.size_bytes for one in self.adopted)

    @property
    def is_crowded_out(self) -> bool:
        """Whether what others have adopted leaves no room here, whatever of one's own is given up."""
        left_bytes = sharing.left_bytes(self._directory, self, -self.adopted_bytes)
        return left_bytes + self.backlog.size_bytes < self._segment_bytes

    def append(self, sealed: Sealed) -> Segment | None:
        """Write one batch behind the others; None when the cap or the disk does not allow it."""
        data = record(sealed)
        active = self._active
        if active is not None:
            spent = active not in self.backlog.segments
            if spent or active.size_bytes + len(data) > self._segment_bytes:
                self._roll()
        new_bytes = len(data) + (len(self._header) if self._active is None else 0)
        self.is_full = new_bytes > sharing.left_bytes(self._directory, self)
        if self.is_full:
            return None
        try:
            segment = self._active or self._open()
            self._write(segment, data)
        except OSError as error:
            self.is_full = True
            self._complaints.say(
                "spool", f"the spool in {self._directory} cannot be written: {error.strerror}"
            )
            return None
        segment.note(sealed.topic, sealed.rows, sealed.ordinal, sealed.sealed_ms, sealed.oldest_ms)
        return segment

    def adopt(self) -> bool:
        """Take over the spools of lives that have ended, as far as they fit; False when some wait for room.

        What waits lies where it is, for whoever has room first. One that is empty itself takes even what is too large.
        """
        sharing.join(self._directory, self)
        took_all = True
        try:
            for folder in owner.ownerless(self._directory):
                took_all = self._take_over(folder) and took_all
        except OSError as error:
            self._complaints.say(
                "adopt", f"the spool directory {self._directory} cannot be read: {error.strerror}"
            )
        return took_all

    def _take_over(self, folder: OwnedFolder) -> bool:
        """Take over one spool; False when there is no room for it."""
        backlog = Backlog()
        paths = folder.segments()
        try:
            size_bytes = sum(path.stat().st_size for path in paths)
            if self.size_bytes and sharing.left_bytes(self._directory, self, size_bytes) < 0:
                folder.forget()
                return False
            named = next((name for path in paths if (name := _life(path))), ("unknown", 0))
            damaged = backlog.load(paths)
        except OSError as error:
            # What cannot be read now may be read later, as when too many files are open: nothing is given up.
            self._complaints.say("adopt", f"the spool in {folder.path} cannot be read yet: {error.strerror}")
            folder.forget()
            return True
        one = Adopted(folder, backlog, *named)
        for segment in backlog.segments:
            for topic, rows in segment.unread.items():
                one.ledger(topic).find(rows)
        for path in damaged:
            self._give_up(one, path)
        if backlog.segments:
            self.adopted.append(one)
            return True
        folder.remove()
        if one.books:
            self._record(one)
        return True

    def release(self, one: Adopted) -> None:
        """An adopted spool is empty: remove its folder. Its books are on record for the time being."""
        one.backlog.close()
        one.folder.remove()

    def strike(self, one: Adopted) -> None:
        """Take a released spool off the live list; its owner holds the lock of the books."""
        self.adopted.remove(one)
        self._record(one)

    def _record(self, one: Adopted) -> None:
        # Another list each time: `stats()` may be going through the old one.
        self.released = [*self.released, one][-RELEASED_KEPT:]

    def _give_up(self, one: Adopted, path: Path) -> None:
        """A segment whose beginning is damaged: how many rows it holds nobody can say, so it counts as one."""
        try:
            aside = damage.set_aside(path, self._directory)
        except OSError as error:
            self._complaints.say("damaged", f"{path} is damaged and cannot be moved: {error.strerror}")
            return
        one.ledger("predictions").find(1)
        one.ledger("predictions").drop(1, "corrupt", "spooled")
        self._complaints.say("damaged", f"a spooled segment does not begin as one: it lies in {aside} now")

    def close(self) -> None:
        """Close every file; folders without batches go, the others wait for whoever adopts them."""
        sharing.leave(self._directory, self)
        self._roll()
        self.backlog.close()
        if self._folder is not None:
            self._folder.remove()
        for one in self.adopted:
            one.backlog.close()
            one.folder.remove()

    def forget(self) -> None:
        """Close this process's copies of the files and nothing else: the parent of a fork goes on using them."""
        sharing.leave(self._directory, self)
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        for folder in [self._folder, *(one.folder for one in self.adopted)]:
            if folder is not None:
                folder.forget()
        self.backlog.close()
        for one in self.adopted:
            one.backlog.close()

    def _open(self) -> Segment:
        if self._folder is None:
            self._folder = owner.own(self._directory, self._epoch)
        path = self._folder.path / f"{self._number:08d}{owner.SUFFIX}"
        self._number += 1
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_whole(file, self._header)
        except OSError:
            # The next batch tries again with another file: on a full disk each try would leave one open.
            os.close(file)
            with suppress(OSError):
                path.unlink()
            raise
        self._file = file
        self._active = Segment(path, len(self._header))
        self.backlog.segments.append(self._active)
        return self._active

    def _write(self, segment: Segment, data: bytes) -> None:
        try:
            _write_whole(self._file, data)
        except OSError:
            # Half a record would hide those behind it.
            with suppress(OSError):
                os.ftruncate(self._file, segment.size_bytes)
            raise
        segment.size_bytes += len(data)
        now_s = time.monotonic()
        if now_s - self._synced_s >= _SYNC_S:
            # Records outlive this process at once; once a second they are also made to outlive the machine.
            self._synced_s = now_s
            with suppress(OSError):  # the record is written whatever the disk says to this
                os.fdatasync(self._file)

    def _roll(self) -> None:
        """End the segment that is being written."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._active is not None:
            self.backlog.settle(self._active)
            self._active = None


def _write_whole(file: int, data: bytes) -> None:
    """Write all of it: a disk that fills up takes a part and fails with the next."""
    written = 0
    while written < len(data):
        written += os.write(file, data[written:])


def _life(path: Path) -> tuple[str, int] | None:
    try:
        with path.open("rb", buffering=0) as file:
            return read_header(file)[:2]
    except (Corrupt, OSError):
        return None
