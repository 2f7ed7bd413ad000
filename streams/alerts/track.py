"""Track: the last m windows of one kind, and what each says of the subjects that are not well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from driftline.schemas.alert import Subject
from driftline.streams.alerts.verdicts import UNSURE, WARN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

SOURCES: Final = 16
"""Model versions, and roles that count them, of which one window keeps the verdicts; more are left out."""
MARKS: Final = 20_000
"""Subjects followed at once, times m, is at most so many; more are left out until one of these is well again."""


def key_of(subject: Subject) -> str:
    """A subject as a text, which no other subject has."""
    return msgspec.json.encode(subject).decode()


def subject_of_key(key: str) -> Subject:
    """The subject of a text."""
    return Subject(*msgspec.json.decode(key, type=list[str]))


class Track(msgspec.Struct, kw_only=True):
    """The last windows of one slot. A window may have several sources; the worst of what they say holds.

    Attributes:
        windows: start → version of each source, of the last m windows.
        marks: subject → start → what each source says. A subject is followed from its first bad window on, for as long
            as one of its windows is bad or its alert fires: what is well needs no room.
        shed: subjects, or sources, that were left out at a bound.
    """

    windows: dict[int, dict[str, int]] = {}
    marks: dict[str, dict[int, dict[str, int]]] = {}
    shed: int = 0

    def accept(self, start_ms: int, source: str, version: int, m: int) -> bool:
        """Enter a window; False when it is older than the last m, or no newer than what is held of it."""
        self.keep(m)
        held = self.windows.get(start_ms)
        if held is None:
            if len(self.windows) >= m and start_ms < min(self.windows):
                return False
            held = self.windows[start_ms] = {}
            self.keep(m)
        if held.get(source, -1) >= version:
            return False
        if source not in held and len(held) >= SOURCES:
            self.shed += 1
            return False
        held[source] = version
        return True

    def mark(self, start_ms: int, source: str, codes: Mapping[str, int]) -> None:
        """Note what an accepted window says; a followed subject that it does not name is not known of it."""
        for key, of_windows in self.marks.items():
            if key in codes or source in of_windows.get(start_ms, ()):
                of_windows.setdefault(start_ms, {})[source] = codes.get(key, UNSURE)
        for key, code in codes.items():
            if code >= WARN and key not in self.marks:
                if len(self.marks) * len(self.windows) >= MARKS:
                    self.shed += 1
                else:
                    self.marks[key] = {start_ms: {source: code}}

    def keep(self, m: int) -> None:
        """Let go of all but the last m windows."""
        while len(self.windows) > m:
            oldest = min(self.windows)
            del self.windows[oldest]
            for of_windows in self.marks.values():
                of_windows.pop(oldest, None)

    def codes(self, key: str) -> list[int]:
        """What the last windows say of a subject, oldest first."""
        of_windows = self.marks[key]
        return [max(of_windows.get(start, {}).values(), default=UNSURE) for start in sorted(self.windows)]

    def is_past(self, key: str, version: str) -> bool:
        """Whether no window names a subject any more, and none is of the model version that had it."""
        sources = {source.rpartition("/")[2] for held in self.windows.values() for source in held}
        return not self.marks[key] and version not in sources

    def first_bad(self, key: str) -> int:
        """Start of the oldest window that is bad; of the newest when none is."""
        pairs = zip(sorted(self.windows), self.codes(key), strict=True)
        return next((start for start, code in pairs if code >= WARN), max(self.windows))

    def let_go(self, firing: Collection[str]) -> None:
        """Follow no longer what has no bad window and no alert."""
        for key in [key for key in self.marks if key not in firing and max(self.codes(key)) < WARN]:
            del self.marks[key]

    def followed(self) -> Iterator[str]:
        """The subjects that are followed, in the order in which they came."""
        yield from tuple(self.marks)
