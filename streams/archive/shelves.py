"""Shelves: for each topic the archive reads, how a record becomes an entry and entries become rows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from driftline.schemas import codec
from driftline.schemas.advice import Advice
from driftline.schemas.announced import announced
from driftline.schemas.refusal import Refused
from driftline.schemas.window import WindowResult
from driftline.schemas.wire import MAX_TIME_MS
from driftline.streams.archive.entry import Entry
from driftline.streams.archive.letter import Letter, fitted, retry_of, without_retry
from driftline.streams.clickhouse import letter_rows
from driftline.streams.clickhouse.ack_rows import ack_rows, said_of
from driftline.streams.clickhouse.advice_rows import advice_rows
from driftline.streams.clickhouse.alert_rows import alert_rows
from driftline.streams.clickhouse.audit_rows import audit_rows, line_of
from driftline.streams.clickhouse.emitter_rows import emitter_rows, spool_rows
from driftline.streams.clickhouse.label_rows import label_rows
from driftline.streams.clickhouse.prediction_rows import lookup_rows, prediction_rows
from driftline.streams.clickhouse.source import Source
from driftline.streams.clickhouse.window_rows import window_rows
from driftline.streams.windows import intake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from driftline.schemas.columns import LabelColumns, PredictionColumns
    from driftline.streams.archive.record import Record
    from driftline.streams.archive.steps import Tables

logger = logging.getLogger(__name__)

# Their readers hold every number to what a row can hold.
_CHECKED: Final = frozenset(("predictions", "labels", "windows"))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a record is held to: the partitions of its topic, and how far ahead of the broker an event may lie."""

    partitions: int
    future_ms: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """One topic. `read` fills an entry or raises Refused; `rows` turns entries that are to be stored into tables."""

    topic: str
    read: Callable[[Record, Terms, Entry], None]
    rows: Callable[[int, Sequence[Entry]], Tables]


def take(shelf: Shelf, record: Record, terms: Terms) -> Entry:
    """Make the entry of a record; a record that is refused becomes one with a letter. Never raises."""
    entry = Entry(record.offset, record.time_ms, len(record.value) + len(record.key or b""))
    entry.retry = retry_of(record.headers)
    try:
        shelf.read(record, terms, entry)
        if shelf.topic not in _CHECKED:
            _try(shelf, record, entry)
    except Refused as refusal:
        reason, detail = refusal.reason, refusal.detail
    except (
        Exception
    ) as error:  # a reader's own fault must not stall the partition: the record is kept and shown
        logger.exception("reading %s[%d] offset %d failed", record.topic, record.partition, record.offset)
        reason, detail = "bad_bytes", f"the reader failed: {type(error).__name__}: {error}"[:500]
    else:
        return entry
    first = entry.retry or record
    entry.content, entry.rows, entry.identity = None, 0, None
    entry.letter = fitted(
        Letter(
            topic=first.topic,
            partition=first.partition,
            offset=first.offset,
            time_ms=record.time_ms,
            reason=reason,
            detail=detail,
            key=record.key,
            value=record.value,
            headers=record.headers,
        )
    )
    return entry


def _try(shelf: Shelf, record: Record, entry: Entry) -> None:
    """Make the rows of one record, as they will be made of its block; raises when that cannot be, or of a time.

    A block whose rows cannot be made, or that ClickHouse cannot take, would be tried for ever.
    """
    for table, rows in shelf.rows(record.partition, [entry]):
        for name, column in zip(rows.column_names, rows.columns, strict=True):
            if pa.types.is_timestamp(column.type):
                latest_ms = pc.max(column.cast(pa.int64())).as_py() or 0
                if latest_ms > MAX_TIME_MS:
                    raise Refused(
                        "impossible_value", f"{name} of {table} is {latest_ms} ms, past the year 2199"
                    )


def mended(partition: int, entries: Sequence[Entry]) -> Tables:
    """Give the rows that close the dead letters which records of a block, sent again, turned good."""
    rows = [
        letter_rows.LetterRow(
            topic=entry.retry.topic,
            partition=entry.retry.partition,
            offset=entry.retry.offset,
            state=letter_rows.MENDED,
            reason=entry.retry.reason,
            detail=f"taken when sent again, as offset {entry.offset} of partition {partition}",
            attempts=entry.retry.attempts + 1,
            version=max(entry.time_ms, 0),
            refused_ms=max(entry.time_ms, 0),
            refused_by="",
            arrived_ms=max(entry.time_ms, 0),
        )
        for entry in entries
        if entry.retry is not None and entry.letter is None
    ]
    return [("dead_letters", letter_rows.letter_rows(rows))] if rows else []


def _read_predictions(record: Record, terms: Terms, entry: Entry) -> None:
    _fill(entry, intake.read(*_asked(record, terms)))


def _read_labels(record: Record, terms: Terms, entry: Entry) -> None:
    _fill(entry, intake.read_labels(*_asked(record, terms)))


def _asked(record: Record, terms: Terms) -> tuple[bytes, bytes | None, int, int, int, int]:
    """What both readers of `intake` take, in their order."""
    return record.value, record.key, record.partition, terms.partitions, record.time_ms, terms.future_ms


def _fill(entry: Entry, cols: PredictionColumns | LabelColumns) -> None:
    entry.content, entry.rows = cols, cols.rows
    entry.deployment, entry.identity = cols.deployment, cols.identity


def _read_window(record: Record, _terms: Terms, entry: Entry) -> None:
    entry.content, entry.rows = WindowResult.from_bytes(record.value), 1


def _read_alert(record: Record, _terms: Terms, entry: Entry) -> None:
    entry.content, entry.rows = announced(record.value), 1


def _reader_of(record_type: str) -> Callable[[Record, Terms, Entry], None]:
    def read(record: Record, _terms: Terms, entry: Entry) -> None:
        entry.content, entry.rows = codec.decode_as(record_type, record.value), 1

    return read


def _read_audit(record: Record, _terms: Terms, entry: Entry) -> None:
    entry.content, entry.rows = line_of(record.value), 1


def _read_ack(record: Record, _terms: Terms, entry: Entry) -> None:
    entry.content, entry.rows = said_of(record.value), 1


def _read_letter(record: Record, terms: Terms, entry: Entry) -> None:
    _reader_of("DeadLetter")(record, terms, entry)
    # The mark lies on the letter's own copy of the record's headers.
    headers = [(header["name"], header["value"]) for header in entry.content["headers"]]
    retry = retry_of(headers)
    entry.content["headers"] = [{"name": name, "value": value} for name, value in without_retry(headers)]
    entry.content["attempts"] = 1 if retry is None else retry.attempts + 1


def _source(partition: int, entries: Sequence[Entry]) -> Source:
    return Source(
        partition,
        [entry.offset for entry in entries],
        [max(entry.time_ms, 0) for entry in entries],
        [entry.rows for entry in entries],
    )


def _prediction_tables(partition: int, entries: Sequence[Entry]) -> Tables:
    batches, source = _contents(entries), _source(partition, entries)
    return [
        ("predictions", prediction_rows(batches, source)),
        ("prediction_lookup", lookup_rows(batches, source)),
    ]


def _label_tables(partition: int, entries: Sequence[Entry]) -> Tables:
    return [("labels", label_rows(_contents(entries), _source(partition, entries)))]


def _window_tables(_partition: int, entries: Sequence[Entry]) -> Tables:
    offsets = [entry.offset for entry in entries]
    arrivals = [entry.time_ms for entry in entries]
    return [("windows", window_rows(_contents(entries), offsets, arrivals))]


def _alert_tables(_partition: int, entries: Sequence[Entry]) -> Tables:
    tables: Tables = []
    for table, rows_of, are_advice in (("alerts", alert_rows, False), ("advice", advice_rows, True)):
        some = [entry for entry in entries if isinstance(entry.content, Advice) == are_advice]
        offsets, arrivals = [entry.offset for entry in some], [entry.time_ms for entry in some]
        if some:
            tables.append((table, rows_of(_contents(some), offsets, arrivals)))
    return tables


def _emitter_tables(_partition: int, entries: Sequence[Entry]) -> Tables:
    heartbeats = [(entry.content, entry.time_ms) for entry in entries]
    return [("emitters", emitter_rows(heartbeats)), ("adopted_spools", spool_rows(heartbeats))]


def _audit_tables(_partition: int, entries: Sequence[Entry]) -> Tables:
    offsets, arrivals = [entry.offset for entry in entries], [entry.time_ms for entry in entries]
    return [("audit", audit_rows(_contents(entries), offsets, arrivals))]


def _ack_tables(_partition: int, entries: Sequence[Entry]) -> Tables:
    offsets, arrivals = [entry.offset for entry in entries], [entry.time_ms for entry in entries]
    return [("acks", ack_rows(_contents(entries), offsets, arrivals))]


def _letter_tables(_partition: int, entries: Sequence[Entry]) -> Tables:
    rows = [
        letter_rows.refused(entry.content, entry.content["attempts"], max(entry.time_ms, 0))
        for entry in entries
    ]
    return [("dead_letters", letter_rows.letter_rows(rows))]


def _contents(entries: Sequence[Entry]) -> list[Any]:
    return [entry.content for entry in entries]


SHELVES: Mapping[str, Shelf] = {
    shelf.topic: shelf
    for shelf in (
        Shelf("predictions", _read_predictions, _prediction_tables),
        Shelf("labels", _read_labels, _label_tables),
        Shelf("windows", _read_window, _window_tables),
        Shelf("alerts", _read_alert, _alert_tables),
        Shelf("emitter-status", _reader_of("EmitterStatus"), _emitter_tables),
        Shelf("dead-letter", _read_letter, _letter_tables),
        Shelf("audit", _read_audit, _audit_tables),
        Shelf("acks", _read_ack, _ack_tables),
    )
}
