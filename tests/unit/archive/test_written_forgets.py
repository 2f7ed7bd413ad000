"""The recorder: what a follower believes is written down once, before the mark that stands for it."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from driftline.schemas.errors import DriftlineError
from driftline.schemas.forgets import Forget, Heard, Mark
from driftline.schemas.ids import id_of
from driftline.streams.archive import forget_recorder
from driftline.streams.archive.forget_recorder import ForgetRecorder
from driftline.streams.clickhouse.errors import ClickHouseAwayError
from driftline.streams.clickhouse.forgotten import forgotten_rows
from driftline.streams.metrics import ArchiveMetrics

ID = "01890000-0000-7000-8000-00000000000b"
CLIENT: Any = None


def forget(seq: int, target: str = ID) -> Forget:
    """Return what is to be forgotten."""
    return Forget(seq=seq, deployment="churn", target=target, decided_at_ms=5)


class Tables:
    """The tables as the recorder uses them, and the order of what was done."""

    def __init__(self, *, is_asked: bool = False) -> None:
        self.rows: set[tuple[int, str, str]] = set()
        self.last: Mark | None = None
        self.done: list[str] = []
        self.asked = is_asked
        self.is_away = False

    def is_asked(self, _: object) -> bool:
        """Say whether the copy of the audit asks."""
        self.done.append("asked")
        return self.asked

    def mark(self, _: object, __: str) -> Mark | None:
        """Give the mark."""
        return self.last

    def known(self, _: object) -> set[tuple[int, str, str]]:
        """Give what is written."""
        return set(self.rows)

    def write(self, _: object, forgets: list[Forget]) -> None:
        """Write down."""
        if self.is_away:
            raise ClickHouseAwayError("away")
        self.rows |= {(one.seq, one.deployment, one.target) for one in forgets}
        self.done += [f"wrote {one.seq}" for one in forgets]

    def keep_mark(self, _: object, __: str, mark: Mark) -> None:
        """Keep it."""
        self.last = mark
        self.done.append(f"marked {mark.size}")


class Follower:
    """One that heard what a test says."""

    def __init__(self, *heard: Heard | DriftlineError) -> None:
        self.heard = list(heard)
        self.marks: list[Mark | None] = []
        self.closed = 0

    def begin(self, mark: Mark | None) -> Follower:
        """Begin to follow."""
        self.marks.append(mark)
        return self

    def read(self, _: float) -> Heard:
        """Give the next of it."""
        found = self.heard.pop(0) if self.heard else Heard()
        if isinstance(found, DriftlineError):
            raise found
        return found

    def close(self) -> None:
        """Follow no more."""
        self.closed += 1


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Tables in memory in place of ClickHouse's."""
    made = Tables()
    monkeypatch.setattr(forget_recorder, "forgotten", made)
    return made


def recorder_of(follower: Follower | None, registry: CollectorRegistry | None = None) -> ForgetRecorder:
    """Return a recorder with a follower."""
    metrics = ArchiveMetrics(registry or CollectorRegistry())
    return ForgetRecorder("ab" * 32, None if follower is None else follower.begin, metrics)


def test_rows_come_before_the_mark_and_once(tables: Tables) -> None:
    """A crash between them finds a mark that stands for less than is written; what is known is not written again."""
    mark = Mark(size=4, head="cd" * 32)
    follower = Follower(Heard(forgets=(forget(3),), mark=mark), Heard(mark=mark), Heard(forgets=(forget(3),)))
    made = recorder_of(follower)
    for _ in range(3):
        made.look(CLIENT)
    assert tables.done == ["wrote 3", "marked 4"]
    assert follower.marks == [None]


def test_what_could_not_be_written_is_written_later(tables: Tables) -> None:
    """The follower tells once; with ClickHouse away between, nothing of it is lost and no mark runs ahead."""
    tables.is_away = True
    made = recorder_of(Follower(Heard(forgets=(forget(3),), mark=Mark(size=4, head="cd" * 32))))
    with pytest.raises(ClickHouseAwayError):
        made.look(CLIENT)
    assert (tables.last, tables.rows) == (None, set())
    tables.is_away = False
    made.look(CLIENT)
    assert tables.done == ["wrote 3"]


def test_a_follower_that_cannot_read_begins_anew(tables: Tables, caplog: pytest.LogCaptureFixture) -> None:
    """With Kafka away it is closed and made again from the mark, and that is said once."""
    mark = Mark(size=4, head="cd" * 32)
    follower = Follower(
        Heard(mark=mark), DriftlineError("away"), DriftlineError("away"), Heard(forgets=(forget(9),))
    )
    made = recorder_of(follower)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            made.look(CLIENT)
    assert follower.closed == 2
    assert follower.marks == [None, mark, mark]
    assert tables.done == ["marked 4", "wrote 9"]
    assert [one.getMessage() for one in caplog.records] == ["what is to be forgotten waits: away"]


def test_what_is_over_is_said_anew_when_it_comes_back(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    """Kafka that is away a second time is news; a doubt that goes on is none."""
    doubted = Heard(doubt="the audit has 2 records")
    follower = Follower(DriftlineError("away"), Heard(), DriftlineError("away"), doubted, doubted)
    made = recorder_of(follower)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            made.look(CLIENT)
    first = "what is to be forgotten waits: away"
    assert [one.getMessage().partition(";")[0] for one in caplog.records] == [
        first,
        first,
        "nothing new is forgotten: the audit has 2 records",
    ]
    assert tables.done == []


def test_what_is_not_believed_is_told_and_counted(tables: Tables, caplog: pytest.LogCaptureFixture) -> None:
    """One line a look, however many records; the metric tells why, and whether the audit is another one."""
    registry = CollectorRegistry()
    wrong = Heard(
        refused={"chain": 2, "forget": 1}, why="record 7 is no link", doubt="the audit has 2 records"
    )
    made = recorder_of(Follower(wrong, Heard()), registry)
    with caplog.at_level(logging.WARNING):
        made.look(CLIENT)
    count = "driftline_archive_unbelieved_records_total"
    assert [registry.get_sample_value(count, {"reason": one}) for one in ("chain", "forget")] == [2, 1]
    assert registry.get_sample_value("driftline_archive_audit_doubted") == 1
    lines = [one.getMessage() for one in caplog.records]
    assert lines[0].startswith("3 records of the audit are not obeyed, the first of them because record 7")
    assert lines[1].startswith("nothing new is forgotten: the audit has 2 records")
    made.look(CLIENT)
    assert registry.get_sample_value("driftline_archive_audit_doubted") == 0
    assert tables.done == []


@pytest.mark.parametrize("is_asked", [False, True])
def test_without_a_genesis_nothing_is_obeyed(
    tables: Tables, caplog: pytest.LogCaptureFixture, *, is_asked: bool
) -> None:
    """Where the audit asks, that is said once with what to set; a plain stack hears nothing of it."""
    tables.asked = is_asked
    made = recorder_of(None)
    with caplog.at_level(logging.WARNING):
        made.look(CLIENT)
        made.look(CLIENT)
    assert ["DRIFTLINE_CONTROL_GENESIS" in one.getMessage() for one in caplog.records] == [True] * is_asked
    assert tables.done == ["asked"] * (1 if is_asked else 2)


def test_a_text_that_is_a_uuid_names_two_predictions() -> None:
    """It is meant as an emitter's id and as an application's own, so both are forgotten; a lone surrogate is none."""
    rows = forgotten_rows([forget(1), forget(2, "order-7"), forget(3, "\ud800")], 9).to_pylist()
    assert [(row["prediction_id"], row["target"], row["seq"]) for row in rows] == [
        (id_of(ID), ID, 1),
        (uuid.UUID(ID).bytes, ID, 1),
        (id_of("order-7"), "order-7", 2),
    ]
