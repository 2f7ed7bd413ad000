"""Dead letters sent again, and migrations that were interrupted or edited, on the real ClickHouse."""

from __future__ import annotations

import threading

import pytest
from archiving import archiving, batch, rows_of, send, wait_for
from real_stack import TestStack

from driftline.schemas.columns import pack_predictions
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import Settings
from driftline.streams.archive import office
from driftline.streams.archive.office import LetterError, LetterFilter, letter_name
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import MigrationError
from driftline.streams.clickhouse.migrate import migrate, pending, shipped
from driftline.streams.processors import archive


def test_dead_letters_are_sent_again_and_stay_one(lane: Settings) -> None:
    """A letter that is still bad stays one row with one more attempt; one whose fault is mended turns `mended`."""
    home = partition_of(b"churn", lane.kafka.partitions)
    away = (home + 1) % lane.kafka.partitions
    send(lane, "predictions", (b"churn", b"\xff\x00 not avro"))
    # The bytes are good, the producer's partitioner was not: sent again with ours it is taken.
    send(lane, "predictions", (b"churn", pack_predictions(batch())), partition=away)
    with archiving(lane) as registry:
        wait_for(lane, "dead_letters_now", 2)
        listed = office.letters(lane, LetterFilter(), 10)
        assert {row["reason"] for row in listed} == {"bad_magic", "wrong_partition"}
        found = office.retry(lane, LetterFilter(), 30.0)
        assert (found.sent, found.mended, found.refused, found.waiting) == (2, 1, 1, 0)
        assert [(row["reason"], row["attempts"]) for row in office.letters(lane, LetterFilter(), 10)] == [
            ("bad_magic", 2)
        ]
        [bad] = office.letters(lane, LetterFilter(), 10)
        again = office.retry(lane, LetterFilter(name=letter_name(bad)), 30.0)
        assert (again.sent, again.mended, again.refused) == (1, 0, 1)
        assert office.letters(lane, LetterFilter(), 10)[0]["attempts"] == 3
        with pytest.raises(LetterError, match="no open dead letter matches"):
            office.retry(lane, LetterFilter(reason="wrong_partition"), 1.0)
    assert rows_of(lane, "SELECT count() AS n FROM dead_letters_now")[0]["n"] == 2
    assert reads.counts(lane)["predictions"] == 3
    labels = {"topic": "predictions", "reason": "bad_magic"}
    assert registry.get_sample_value("driftline_archive_dead_letters_total", labels) == 3.0


def test_what_nobody_can_read_in_the_dead_letter_topic_is_kept(lane: Settings) -> None:
    """Junk in the dead-letter topic itself becomes a row and goes round no second time."""
    send(lane, "dead-letter", (b"x", b"junk"), (b"x", b"more junk"))
    with archiving(lane):
        wait_for(lane, "dead_letters_now", 2)
    assert {row["topic"] for row in office.letters(lane, LetterFilter(), 10)} == {"dead-letter"}
    with pytest.raises(LetterError, match="no open dead letter matches"):
        office.retry(lane, LetterFilter(), 1.0)
    assert rows_of(lane, "SELECT max(last) AS last FROM blocks WHERE topic = 'dead-letter'") == [{"last": 1}]


def test_a_half_applied_migration_is_finished(stack: TestStack) -> None:
    """A crash between two statements leaves tables without the file's mark: running again finishes it, once."""
    settings = stack.lane("half")
    with Client(settings.clickhouse) as client:
        client.command("TRUNCATE TABLE schema_migrations")
        client.command("DROP VIEW figures")
    assert pending(settings) == [migration.file_name for migration in shipped()]
    assert migrate(settings) == [migration.file_name for migration in shipped()]
    assert (migrate(settings), pending(settings)) == ([], [])
    assert reads.windows(settings, "churn") == []


def test_an_edited_migration_stops_the_worker(stack: TestStack) -> None:
    """The archive starts on the tables of its release or not at all, with one sentence."""
    settings = stack.lane("edited")
    with Client(settings.clickhouse) as client:
        client.command(
            "INSERT INTO schema_migrations (number, name, checksum) VALUES (1, 'predictions', 'other')"
        )
    with pytest.raises(MigrationError, match=r"0001_predictions.sql was edited after it was applied"):
        archive.wait_for_tables(settings, threading.Event())
