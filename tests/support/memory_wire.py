"""A controller in memory behind the wire of commands: it decides what is published, and its audit is what is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from office import Office
from signed import key, pem, policy, trust

from driftline.agents.audit.record import Source, digest
from driftline.agents.audit.writer import begin
from driftline.agents.control.telling import told

Say = Callable[..., tuple[int, str, str]]
"""Runs a command line; gives its exit code, stdout and stderr."""


class MemoryWire:
    """A wire, and the office at its other end; `is_deaf` lets nobody decide."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.log, first = begin(trust(), policy().text, 0)
        self.audit = [first]
        self.genesis = digest(first)
        self.published: list[tuple[str, bytes]] = []
        self.is_deaf = False
        self._read = 0
        self.catch_up()

    def catch_up(self) -> None:
        """Write into the audit what the office decided since."""
        for decision in self.office.told[self.log.size - 1 :]:
            source = Source(topic="deployment-control", topic_id="t", partition=0, offset=len(self.published))
            event, fields = told(decision, source)
            self.audit.append(self.log.append(event, decision.at_ms, **fields))

    def notes(self) -> list[bytes]:
        """Give the checkpoint of the end."""
        return [self.log.checkpoint(key("checkpoint")).to_bytes()]

    def every_note(self) -> list[bytes]:
        """Give it again."""
        return self.notes()

    def so_far(self) -> Iterator[bytes]:
        """Give every record so far."""
        self._read = len(self.audit)
        yield from tuple(self.audit)

    def coming(self, timeout_s: float) -> list[bytes]:
        """Give the records since."""
        del timeout_s
        found = self.audit[self._read :]
        self._read = len(self.audit)
        return found

    def publish(self, topic: str, value: bytes) -> int:
        """Let the office decide a command."""
        self.published.append((topic, value))
        if not self.is_deaf:
            self.office.now_ms = time.time_ns() // 1_000_000
            self.office.send(value)
            self.office.prepared()
            self.catch_up()
        return len(self.published) - 1

    def close(self) -> None:
        """Leave nothing."""


def key_file(folder: Path, word: str) -> str:
    """Return the file of a word's key."""
    path = folder / f"{word}.pem"
    if not path.exists():
        path.write_bytes(pem(word))
        path.chmod(0o600)
    return str(path)
