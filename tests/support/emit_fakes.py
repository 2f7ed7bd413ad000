"""Kafka for the emitter's tests that need no broker: one that a test commands, and the spool as what would be sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emit_rig import spooled

from driftline.agents.emit import Emitter, Stats
from driftline.agents.emit.transport import Outcome, Report
from driftline.schemas.codec import written_by
from driftline.schemas.columns import read_labels, read_predictions

NOBODY = "127.0.0.1:9"
WITHIN_SECONDS = 20.0


class FakeTransport:
    """Holds what it is given until the test decides; `log` is what Kafka has, in order."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.held: dict[int, bytes] = {}
        self.takes = True
        self._reports: list[Report] = []

    def send(self, token: int, topic: str, key: bytes, payload: bytes) -> bool:
        """Hold a message."""
        del topic, key
        if self.takes:
            self.held[token] = payload
        return self.takes

    def reports(self) -> list[Report]:
        """What the test decided since the last call."""
        taken, self._reports = self._reports, []
        return taken

    def tell(self, topic: str, key: bytes, payload: bytes) -> None:
        """Heartbeats go nowhere."""

    def decide(self, outcome: Outcome, *, written: bool | None = None, count: int | None = None) -> None:
        """Decide the oldest messages held (all by default); a failed one may still have been `written`."""
        for token in sorted(self.held)[:count]:
            payload = self.held.pop(token)
            if outcome == "delivered" if written is None else written:
                self.log.append(payload)
            self._reports.append(Report(token, outcome))


class Sink:
    """An emitter without a broker, whose batches are read where they go: in its spool."""

    def __init__(self, emitter: Emitter, folder: Path) -> None:
        self.emitter = emitter
        self._folder = folder

    def stats(self) -> Stats:
        """The books, once everything that was accepted lies in the spool."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while (stats := self.emitter.stats()).in_flight:
            assert time.monotonic() < deadline, f"not everything was spooled: {stats}"
            time.sleep(0.005)
        return stats

    def batches(self, *, labels: bool = False) -> list[Any]:
        """The batches of predictions, or of labels, as a reader sees them."""
        self.stats()
        kind = "LabelBatch" if labels else "PredictionBatch"
        read: Callable[[bytes], Any] = read_labels if labels else read_predictions
        return [read(one) for one in spooled(self._folder) if written_by(one).record_type == kind]

    def batch(self) -> Any:
        """The one batch of predictions."""
        (batch,) = self.batches()
        return batch


@contextmanager
def sink(folder: Path, **options: Any) -> Iterator[Sink]:
    """Give an emitter of deployment "d", version "1", whose events end in a spool below the folder."""
    options = {"linger_s": 0.05, **options}
    emitter = Emitter("d", "1", bootstrap=NOBODY, spool_dir=folder, stall_s=0.01, **options)
    try:
        yield Sink(emitter, folder)
    finally:
        emitter.close(0.1)


def columns_of(batch: Any) -> dict[str, list[Any]]:
    """Every feature of a batch as a list: numbers as they travel, categories as texts, None for null, "?" for wrong."""
    found: dict[str, list[Any]] = {}
    for block in batch.features:
        for name, row in zip(block.names, block.values, strict=True):
            found[name] = row.tolist()
    for column in batch.categories:
        found[column.name] = [None if code < 0 else column.levels[code] for code in column.codes]
    for gap in batch.gaps:
        if gap.name in found:
            for mask, mark in ((gap.nulls, None), (gap.wrong, "?")):
                if mask is not None:
                    found[gap.name] = [
                        mark if at else value for at, value in zip(mask, found[gap.name], strict=True)
                    ]
    return found


def levels_of(column: Any) -> list[str | None]:
    """A category as texts."""
    return [None if code < 0 else column.levels[code] for code in column.codes]


def numbers_of(block: Any) -> list[list[float]]:
    """The values of a numeric block, column by column."""
    found: list[list[float]] = block.values.tolist()
    return found
