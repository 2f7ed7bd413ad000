"""The steps that store one block, in the order on which exactness rests.

    1. What ClickHouse's own log of blocks already covers is left out.
    2. The plan is committed to Kafka: first offset, last one as metadata. A worker that lost the partition is refused
       here, by the broker (the fence), and stores nothing.
    3. Copies are told apart by the seals stored below the block.
    4. Refused records are sent to the dead-letter topic and acknowledged.
    5. Rows are inserted, table by table, under the block's token.
    6. The seals are inserted: from here on a copy further up the log is known.
    7. The block is entered in ClickHouse's log of blocks: everything above is on disk.

A crash between any two steps leaves a plan; the next owner repeats steps 3 to 7 with the same bounds. Steps 5 to 7 then
add only what is missing, since the token names the content and step 3 finds what it found before. Step 4 may send a
letter twice: its row is unique by the place where the record lay. The plan of the next block, or the position once
nothing waits, ends this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from driftline.streams.archive import duplicates
from driftline.streams.archive.block import Block, beyond
from driftline.streams.archive.letter import TOPIC

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

    from driftline.streams.archive.duplicates import Seal
    from driftline.streams.archive.entry import Entry
    from driftline.streams.archive.letter import Letter
    from driftline.streams.archive.place import Place

Tables = list[tuple[str, "pa.Table"]]


class Plans(Protocol):
    """Kafka's side of the book."""

    def plan(self, block: Block) -> None:
        """Commit the block's bounds, synchronously; raises Fenced when the partition has another owner."""


class Letters(Protocol):
    """Where refused records go."""

    def send(self, letters: Sequence[Letter]) -> None:
        """Send and return when the broker has acknowledged all."""


class Store(Protocol):
    """ClickHouse's side."""

    def stored(self, place: Place) -> int:
        """Give the last offset of the last block entered for this partition, -1 for none."""

    def known(self, block: Block, seals: Collection[Seal]) -> set[Seal]:
        """Give those of `seals` that are stored at offsets below the block, or in another life of the topic."""

    def rows(self, block: Block, fresh: Sequence[Entry]) -> Tables:
        """Turn records into the rows of their tables."""

    def seals(self, block: Block, fresh: Sequence[Entry]) -> Tables:
        """Give the rows of `batches`."""

    def entered(self, outcome: Outcome) -> Tables:
        """Give the row of `blocks`."""

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        """Insert once for the token; returns when on disk."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a block."""

    block: Block
    fresh: tuple[Entry, ...]
    copies: int
    letters: tuple[Letter, ...]

    @property
    def rows(self) -> int:
        """Rows stored in the topic's own table."""
        return sum(entry.rows for entry in self.fresh)


def store(block: Block, stored: int, plans: Plans, letters: Letters, store: Store) -> Outcome | None:
    """Store one block; None when ClickHouse has all of it.

    Args:
        block: what to store.
        stored: the last offset ClickHouse's log of blocks covers in this partition.
        plans: step 2.
        letters: step 4.
        store: steps 3 and 5 to 7.

    Raises:
        Fenced: the partition has another owner; nothing was stored by this call.
        ClickHouseError, KafkaError: call again with the same block, `planned` set.
    """
    rest = beyond(block, stored)  # 1
    if rest is None:
        return None
    if not rest.planned:
        plans.plan(rest)  # 2
    seals = duplicates.seals(rest.entries)
    fresh, copies = duplicates.split(rest.entries, store.known(rest, seals) if seals else ())  # 3
    refused = tuple(entry.letter for entry in rest.entries if entry.letter is not None)
    # What cannot be read in the dead-letter topic itself goes round no second time: its rows are made in step 5.
    if refused and rest.place.topic != TOPIC:
        letters.send(refused)  # 4
    outcome = Outcome(rest, tuple(fresh), len(copies), refused)
    for tables in (store.rows(rest, fresh), store.seals(rest, fresh), store.entered(outcome)):  # 5, 6, 7
        for table, rows in tables:
            if rows.num_rows:
                store.insert(table, rows, rest.token)
    return outcome
