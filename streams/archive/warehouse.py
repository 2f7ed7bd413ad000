"""Warehouse: ClickHouse as the steps of a block see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from driftline.streams.archive import letter, shelves
from driftline.streams.archive.duplicates import seal_of
from driftline.streams.clickhouse import letter_rows
from driftline.streams.clickhouse.book_rows import BatchRow, BlockRow, batch_rows, block_row

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from driftline.streams.archive.block import Block
    from driftline.streams.archive.duplicates import Seal
    from driftline.streams.archive.entry import Entry
    from driftline.streams.archive.place import Place
    from driftline.streams.archive.steps import Outcome, Tables
    from driftline.streams.clickhouse.client import Client

# Lives of emitters asked for at once: some 100 bytes each in the query's text.
LIVES_A_QUERY = 500


class Warehouse:
    """The archive's tables behind one client; for one thread."""

    def __init__(self, client: Client, refused_by: str) -> None:
        """Take a client; `refused_by` names this worker in dead letters that cannot go through their topic."""
        self._client = client
        self._refused_by = refused_by

    def stored(self, place: Place) -> int:
        """Give the last offset of the last block entered for this partition, -1 for none."""
        rows = self._client.query(
            "SELECT max(last) AS last, count() AS blocks FROM blocks "
            "WHERE topic = {topic:String} AND topic_id = {topic_id:String} AND partition = {partition:UInt32}",
            {"topic": place.topic, "topic_id": place.topic_id, "partition": place.partition},
        )
        return int(rows[0]["last"]) if rows[0]["blocks"] else -1

    def known(self, block: Block, seals: Collection[Seal]) -> set[Seal]:
        """Give those of `seals` that are stored at offsets below the block, or in another life of the topic."""
        found: set[Seal] = set()
        lives = sorted({seal[:3] for seal in seals})
        numbers = [seal[3] for seal in seals]
        for start in range(0, len(lives), LIVES_A_QUERY):
            part = lives[start : start + LIVES_A_QUERY]
            rows = self._client.query(
                "SELECT deployment, instance, epoch, seq FROM batches WHERE topic = {topic:String} "
                "AND (deployment, instance, epoch) IN arrayZip({deployments:Array(String)}, {instances:Array(String)}, "
                "{epochs:Array(Int64)}) AND seq BETWEEN {least:Int64} AND {most:Int64} "
                "AND NOT (topic_id = {topic_id:String} AND partition = {partition:UInt32} AND offset >= {first:Int64})",
                {
                    "topic": block.place.topic,
                    "deployments": [life[0] for life in part],
                    "instances": [life[1] for life in part],
                    "epochs": [life[2] for life in part],
                    "least": min(numbers),
                    "most": max(numbers),
                    "topic_id": block.place.topic_id,
                    "partition": block.place.partition,
                    "first": block.first,
                },
            )
            found.update((row["deployment"], row["instance"], row["epoch"], row["seq"]) for row in rows)
        return found

    def rows(self, block: Block, fresh: Sequence[Entry]) -> Tables:
        """Turn records into the rows of their tables, and of dead letters that they mend."""
        partition = block.place.partition
        tables = shelves.SHELVES[block.place.topic].rows(partition, fresh) if fresh else []
        tables += shelves.mended(partition, block.entries)
        if block.place.topic == letter.TOPIC:
            tables += self._unreadable(block)
        return _one_each(tables)

    def seals(self, block: Block, fresh: Sequence[Entry]) -> Tables:
        """Give the rows of `batches`."""
        rows = []
        for entry in fresh:
            seal = seal_of(entry)
            if seal is not None:
                rows.append(BatchRow(*seal, entry.rows, entry.offset, max(entry.time_ms, 0)))
        place = block.place
        return [("batches", batch_rows(place.topic, place.topic_id, place.partition, rows))] if rows else []

    def entered(self, outcome: Outcome) -> Tables:
        """Give the row of `blocks`."""
        block = outcome.block
        newest_ms = max((entry.time_ms for entry in block.entries), default=0)
        row = BlockRow(
            first=block.first,
            last=block.last,
            records=len(block.entries),
            rows=outcome.rows,
            duplicates=outcome.copies,
            refused=sum(entry.letter is not None for entry in block.entries),
            newest_ms=max(newest_ms, 0),
        )
        place = block.place
        return [("blocks", block_row(place.topic, place.topic_id, place.partition, row))]

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        """Insert once for the token; returns when on disk."""
        self._client.insert(table, rows, token)

    def _unreadable(self, block: Block) -> Tables:
        """Give rows for records of the dead-letter topic itself that cannot be read: they go round no second time."""
        rows = []
        for entry in block.entries:
            if entry.letter is not None:
                record = entry.letter.record(max(entry.time_ms, 0), self._refused_by)
                rows.append(letter_rows.refused(record, 1, max(entry.time_ms, 0)))
        return [("dead_letters", letter_rows.letter_rows(rows))] if rows else []


def _one_each(tables: Tables) -> Tables:
    """Join rows of the same table: a second insert under the block's token would be taken for a copy."""
    joined: dict[str, list[pa.Table]] = {}
    for name, rows in tables:
        joined.setdefault(name, []).append(rows)
    return [
        (name, parts[0] if len(parts) == 1 else pa.concat_tables(parts)) for name, parts in joined.items()
    ]
