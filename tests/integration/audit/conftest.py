"""What tests of the audit on a real Kafka share: a writer in transactions, the command line, a witness as a process."""

from __future__ import annotations

import copy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from audit_logs import Book, new_book
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from signed import pem

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.notes import Note
from driftline.agents.audit.topic import notes_of
from driftline.deploy.cli import main
from driftline.deploy.local.environment import child_environment, variables
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.schemas.settings import Control, Settings, kafka_config, producer_config

Say = Callable[..., tuple[int, str, str]]
WAIT_S = 180.0


class Desk:
    """Writes a book's records to the topics of a lane, as the controller does: in transactions.

    Attributes:
        book: the log.
        settings: of the lane, with the book's genesis pinned.
    """

    def __init__(self, lane: Settings) -> None:
        self.book: Book = new_book()
        self.settings = msgspec.structs.replace(lane, control=Control(genesis=self.book.pins.genesis))
        self._written = 0
        config = producer_config(lane.kafka, transactional_id=f"{lane.kafka.topic_prefix}audit")
        self._producer = Producer(config)
        self._producer.init_transactions(WAIT_S)

    def flush(self, *, notes: int = 0) -> None:
        """Commit the records that were made since, and the last notes, in one transaction."""
        self._producer.begin_transaction()
        self._put(self.book.records[self._written :], self.book.notes[-notes:] if notes else [])
        self._producer.commit_transaction(WAIT_S)
        self._written = len(self.book.records)

    def abort(self, count: int) -> None:
        """Write records that are never committed; the log stands where it stood."""
        lost = copy.deepcopy(self.book.log)
        made = [lost.append("lost", 0) for _ in range(count)]
        self._producer.begin_transaction()
        self._put(made, [])
        self._producer.flush(WAIT_S)
        self._producer.abort_transaction(WAIT_S)

    def replace(self, records: list[bytes], notes: list[bytes]) -> None:
        """Do what an administrator of the broker can: make both topics anew with other content."""
        admin = AdminClient(kafka_config(self.settings.kafka))
        names = [self.settings.kafka.topic_prefix + name for name in ("audit", "checkpoints")]
        for future in admin.delete_topics(names).values():
            future.result(WAIT_S)
        deadline = time.monotonic() + WAIT_S
        while set(names) & admin.list_topics(timeout=10).topics.keys():
            assert time.monotonic() < deadline
        ensure_topics(self.settings)
        self._producer.begin_transaction()
        self._put(records, notes)
        self._producer.commit_transaction(WAIT_S)

    def _put(self, records: list[bytes], notes: list[bytes]) -> None:
        prefix = self.settings.kafka.topic_prefix
        for record in records:
            self._producer.produce(prefix + "audit", record)
        for note in notes:
            self._producer.produce(prefix + "checkpoints", note, b"log")

    def cosigned_size(self) -> int:
        """The size of the largest checkpoint with two signatures on the topic."""
        found = [Note.parse(data) for data in notes_of(self.settings.kafka)]
        return max((Checkpoint.of(note).size for note in found if len(note.signatures) > 1), default=0)

    def await_witness(self, size: int, process: subprocess.Popen[bytes]) -> None:
        """Wait until a witness has signed so many records."""
        deadline = time.monotonic() + WAIT_S
        while self.cosigned_size() < size:
            assert process.poll() is None, "the witness ended"
            assert time.monotonic() < deadline, "no witness signed"


@pytest.fixture
def desk(lane: Settings) -> Desk:
    """A log on a lane of its own, nothing written yet."""
    return Desk(lane)


@pytest.fixture
def say(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Say:
    """Return a caller of `driftline audit` on the desk's lane: code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    for name, value in variables(desk.settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DRIFTLINE_LOCAL_DATA_DIR", str(tmp_path / "data"))

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["audit", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def witness(desk: Desk, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Return a starter of witness processes that share one store; none is left behind."""
    started: list[subprocess.Popen[bytes]] = []
    file = tmp_path / "witness.pem"
    file.write_bytes(pem("witness"))
    file.chmod(0o600)

    def start() -> subprocess.Popen[bytes]:
        words = ["audit", "witness", "--key", str(file), "--name", "witness.example/1"]
        words += ["--store", str(tmp_path / "store")]
        with (tmp_path / f"witness-{len(started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "driftline.deploy.cli", *words],
                env=child_environment(desk.settings), stdout=log, stderr=log, cwd=tmp_path,
            )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
