"""Spooled batches of one life, oldest first: segments on disk, a cursor that reads them, and what is left of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.segment import Corrupt, entries, read_header, read_record


class Segment:
    """One file of the spool.

    `unread` are rows by topic that the cursor has not met and nobody delivered, `left` is their sum; `outstanding`
    counts records that were read and whose fate is open. With neither left the file goes.
    """

    __slots__ = (
        "at",
        "first_ordinal",
        "left",
        "newest_ms",
        "oldest_ms",
        "outstanding",
        "path",
        "size_bytes",
        "unread",
    )

    def __init__(self, path: Path, at: int) -> None:
        self.path = path
        self.at = at
        self.size_bytes = at
        self.unread: Counter[str] = Counter()
        self.left = 0
        self.outstanding = 0
        self.first_ordinal: int | None = None
        self.oldest_ms: int | None = None
        self.newest_ms = 0

    def note(self, topic: str, rows: int, ordinal: int, sealed_ms: int, oldest_ms: int) -> None:
        """Enter one record in the figures of the segment."""
        self.unread[topic] += rows
        self.left += rows
        self.first_ordinal = ordinal if self.first_ordinal is None else min(ordinal, self.first_ordinal)
        self.oldest_ms = oldest_ms if self.oldest_ms is None else min(oldest_ms, self.oldest_ms)
        self.newest_ms = max(self.newest_ms, sealed_ms)

    def take(self, topic: str, rows: int) -> None:
        """Rows are no longer unread."""
        self.unread[topic] -= rows
        self.left -= rows

    @property
    def spent(self) -> bool:
        """Whether nothing of it waits any more."""
        return self.outstanding == 0 and self.left == 0


class Backlog:
    """The segments of one life in the order of writing. Not locked: one thread works on it."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._file: Any = None
        self._reading: Segment | None = None
        # Batches that librdkafka delivered after they had been copied to disk: the cursor skips them.
        self._ahead: set[tuple[str, int]] = set()

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(segment.size_bytes for segment in self.segments)

    @property
    def oldest_ms(self) -> int | None:
        """Earliest event time in a segment that is left; None when there is none."""
        return min((one.oldest_ms for one in self.segments if one.oldest_ms is not None), default=None)

    @property
    def first_ordinal(self) -> int | None:
        """A bound from below on the ordinals that are left; None when there is none."""
        return min(
            (one.first_ordinal for one in self.segments if one.first_ordinal is not None), default=None
        )

    @property
    def has_unread(self) -> bool:
        """Whether the cursor will find more."""
        return any(segment.left for segment in self.segments)

    def load(self, paths: list[Path]) -> list[Path]:
        """Take over the segments of a life that has ended, reading what the books need.

        Returns those that do not begin as a segment does; they stay as they are. An empty one was never written to.

        Raises:
            OSError: a segment cannot be read now; none was removed.
        """
        damaged: list[Path] = []
        for path in paths:
            segment = Segment(path, 0)
            segment.size_bytes = path.stat().st_size
            try:
                with path.open("rb", buffering=0) as file:
                    segment.at = read_header(file)[2]
                for entry in entries(path):
                    segment.note(entry.topic, entry.rows, entry.ordinal, entry.sealed_ms, entry.oldest_ms)
            except Corrupt:
                if segment.size_bytes:
                    damaged.append(path)
                    continue
            self.segments.append(segment)
        for segment in list(self.segments):
            self.settle(segment)
        return damaged

    def read(self) -> Iterator[tuple[Sealed, Segment]]:
        """Give the next records in order; ends where there is none yet."""
        while True:
            segment = next((one for one in self.segments if one.left), None)
            if segment is None:
                return
            try:
                found = self._at_cursor(segment)
            except Corrupt as damage:
                if damage.resume is None:
                    return
                segment.at = damage.resume
                continue
            except OSError:
                return
            if found is None:
                return
            sealed, segment.at = found
            if (sealed.topic, sealed.seq) in self._ahead:
                self._ahead.discard((sealed.topic, sealed.seq))
                continue
            segment.take(sealed.topic, sealed.rows)
            segment.outstanding += 1
            yield sealed, segment

    def unreadable(self) -> Counter[str]:
        """Give up what the cursor can reach no more of the first segment and return its rows by topic.

        Another fault of the disk (too many open files) may pass: then nothing is given up.
        """
        segment = next((one for one in self.segments if one.left), None)
        if segment is None:
            return Counter()
        try:
            if self._at_cursor(segment) is not None:
                return Counter()
        except Corrupt as damage:
            if damage.resume is not None:
                return Counter()
        except FileNotFoundError:
            pass
        except OSError:
            return Counter()
        return self.give_up(segment)

    def give_up(self, segment: Segment) -> Counter[str]:
        """Forget what is unread of a segment and return its rows by topic; nothing outstanding, the file goes."""
        rows = +segment.unread
        segment.unread.clear()
        segment.left = 0
        self.settle(segment)
        return rows

    def resolved(self, segment: Segment) -> None:
        """The fate of one record that was read is known."""
        segment.outstanding -= 1
        self.settle(segment)

    def delivered_unread(self, sealed: Sealed, segment: Segment) -> None:
        """A batch was delivered from memory though its copy lies here, unread."""
        segment.take(sealed.topic, sealed.rows)
        self._ahead.add((sealed.topic, sealed.seq))
        self.settle(segment)

    def settle(self, segment: Segment) -> None:
        """Remove the segment's file when nothing of it waits."""
        if not segment.spent or segment not in self.segments:
            return
        self.segments.remove(segment)
        if self._reading is segment:
            self._close()
        with suppress(OSError):
            segment.path.unlink()
        if not self.segments:
            self._ahead.clear()

    def close(self) -> None:
        """Let go of the file that is being read."""
        self._close()

    def _at_cursor(self, segment: Segment) -> tuple[Sealed, int] | None:
        if self._reading is not segment:
            self._close()
            self._file = segment.path.open("rb", buffering=0)
            self._reading = segment
        return read_record(self._file, segment.at)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self._reading = None
