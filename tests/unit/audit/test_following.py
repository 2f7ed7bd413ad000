"""The process around a witness: whoever may write a topic keeps it from nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from audit_logs import WITNESS, filled
from signed import key

from driftline.agents.audit import following
from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.notes import Note
from driftline.agents.audit.store import Store
from driftline.agents.audit.witness import Witness
from driftline.schemas.settings import Kafka

BOOK = filled(20, every=10, witnessed=False)
BOUND_S = 30.0


class Dripping:
    """A reader of a topic to which somebody writes without end."""

    def __init__(self, _kafka: Kafka, topic: str = "audit", last: int | None = None) -> None:
        self._left = list(BOOK.notes if last is not None else BOOK.records)
        self._drips = topic != "audit"
        self.is_at_end = False

    def read(self, _timeout_s: float) -> list[bytes]:
        """Give the next message, and junk ever after."""
        if self._left:
            return [self._left.pop(0)]
        self.is_at_end = not self._drips
        return [b"junk"] if self._drips else []

    def close(self) -> None:
        """Leave."""


def test_junk_that_drips_keeps_no_witness_from_signing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads for a while at most before it looks at what it has."""
    assert [one.size for one in _published(tmp_path, monkeypatch, refused=0)] == [20]


def test_a_checkpoint_that_kafka_did_not_take_is_published_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that is away is no log that was tampered with: the witness goes on, and nothing is signed twice."""
    assert [one.size for one in _published(tmp_path, monkeypatch, refused=2)] == [20, 20, 20]


def _published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, refused: int) -> list[Checkpoint]:
    """What a witness offers to a Kafka that takes none of the first few."""
    stop, published = threading.Event(), list[bytes]()

    def publish(_kafka: Kafka, _name: str, data: bytes) -> None:
        published.append(data)
        if len(published) <= refused:
            raise AuditError("Kafka did not take a checkpoint")
        stop.set()

    monkeypatch.setattr(following, "Reader", Dripping)
    monkeypatch.setattr(following, "publish", publish)
    monkeypatch.setattr(following, "A_WHILE_S", 0.05)
    bound = threading.Timer(BOUND_S, stop.set)
    bound.start()
    store = Store(tmp_path / "store")
    witness = Witness(BOOK.pins.genesis, WITNESS, key("witness"), None)
    following.follow(Kafka(), witness, store, stop, lambda: 1_800_000_000)
    bound.cancel()
    store.close()
    return [Checkpoint.of(Note.parse(one)) for one in published]
