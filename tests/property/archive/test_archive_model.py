"""The archive against a model of Kafka and ClickHouse that may stop at any step: every fact lies there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from examples import many
from hypothesis import event, given, settings
from hypothesis import strategies as st

from driftline.schemas.shapes import Identity
from driftline.streams.archive import steps
from driftline.streams.archive.block import Block
from driftline.streams.archive.duplicates import Seal, seal_of
from driftline.streams.archive.entry import Entry
from driftline.streams.archive.lane import Lane, Limits
from driftline.streams.archive.letter import Letter
from driftline.streams.archive.place import Place, opening, plan_text, position_text

Tables = list[tuple[str, "Rows"]]
PLACE = Place("predictions", "life-1", 0)


class CrashError(Exception):
    """The process died here."""


class Rows(list[Any]):
    """Rows of a table, as the steps look at them."""

    @property
    def num_rows(self) -> int:
        """How many."""
        return len(self)


@dataclass
class Server:
    """A ClickHouse that drops a second insert with the same token, whatever it holds."""

    tables: dict[str, list[Any]] = field(default_factory=dict)
    tokens: set[tuple[str, str]] = field(default_factory=set)

    def insert(self, table: str, rows: Sequence[Any], token: str) -> None:
        """Insert once for the token."""
        if (table, token) not in self.tokens:
            self.tokens.add((table, token))
            self.tables.setdefault(table, []).extend(rows)


@dataclass
class World:
    """What outlives a worker: the broker's commit, the server, the dead-letter topic, inserts still on their way."""

    log: list[Entry]
    server: Server = field(default_factory=Server)
    commit: tuple[int, str] | None = None
    letters: list[int] = field(default_factory=list)
    late: list[tuple[str, Rows, str]] = field(default_factory=list)


class Edges:
    """The edges of one worker, which dies before or after its n-th action."""

    def __init__(self, world: World, dies_at: int | None, *, after: bool, late: bool) -> None:
        self.world, self.dies_at, self.after, self.is_late = world, dies_at, after, late
        self.actions = 0

    def act(self, effect: Callable[[], None], on_its_way: tuple[str, Rows, str] | None = None) -> None:
        """Carry out one action, or die around it; an insert may reach the server after its worker died."""
        self.actions += 1
        if self.actions == self.dies_at:
            if self.after:
                effect()
            elif self.is_late and on_its_way is not None:
                self.world.late.append(on_its_way)
            raise CrashError
        effect()

    def plan(self, block: Block) -> None:
        """Commit a plan."""
        self.act(lambda: self._commit(block.first, plan_text(block.place, block.last)))

    def position(self, offset: int) -> None:
        """Commit a position."""
        self.act(lambda: self._commit(offset, position_text(PLACE)))

    def send(self, letters: Sequence[Letter]) -> None:
        """Send dead letters."""
        self.act(lambda: self.world.letters.extend(letter.offset for letter in letters))

    def stored(self, _place: Place) -> int:
        """The last offset entered."""
        return max((block[1] for block in self.world.server.tables.get("blocks", [])), default=-1)

    def known(self, block: Block, seals: Collection[Seal]) -> set[Seal]:
        """Seals stored below the block."""
        held = self.world.server.tables.get("batches", [])
        return {seal for seal, offset in held if offset < block.first and seal in seals}

    def rows(self, _block: Block, fresh: Sequence[Entry]) -> Tables:
        """Two tables, as predictions and its look-up are."""
        rows = Rows((entry.offset, row) for entry in fresh for row in range(entry.rows))
        return [("predictions", rows), ("prediction_lookup", rows)]

    def seals(self, _block: Block, fresh: Sequence[Entry]) -> Tables:
        """The book of batches."""
        return [
            ("batches", Rows((seal_of(entry), entry.offset) for entry in fresh if entry.identity is not None))
        ]

    def entered(self, outcome: steps.Outcome) -> Tables:
        """The book of blocks."""
        return [("blocks", Rows([(outcome.block.first, outcome.block.last)]))]

    def insert(self, table: str, rows: Rows, token: str) -> None:
        """Insert."""
        self.act(lambda: self.world.server.insert(table, rows, token), (table, rows, token))

    def _commit(self, offset: int, metadata: str) -> None:
        self.world.commit = (offset, metadata)


def work(world: World, edges: Edges, limits: Limits, *, forgets: bool = False) -> None:
    """One life of a worker: take the partition up, read to the end, store."""
    committed = (None, None) if forgets or world.commit is None else world.commit
    lane = Lane(PLACE, opening(PLACE, *committed), 0)
    stored = edges.stored(PLACE)

    def keep(block: Block | None) -> None:
        nonlocal stored
        if block is not None:
            steps.store(block, stored, edges, edges, edges)
            stored = max(stored, block.last)

    end = world.log[-1].offset + 1 if world.log else 0
    for entry in world.log:
        if entry.offset >= lane.next:
            keep(lane.take(entry, 0.0))
            keep(lane.cut(limits, 0.0))
    keep(lane.reached(end))
    keep(lane.cut(limits, 0.0, closing=True))
    edges.position(end)


def limited(records: int) -> Limits:
    """Blocks of so many records."""
    return Limits(10**9, 10**9, records, 1e9)


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """Records with gaps in their offsets, some refused, some plain, some seals more than once."""
    entries = []
    offset = draw(st.integers(0, 3))
    for _ in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(["sealed", "sealed", "plain", "refused"]))
        rows = 0 if kind == "refused" else draw(st.integers(1, 3))
        entry = Entry(offset, 1_000 + offset, 10, rows, None, "d")
        if kind == "sealed":
            entry.identity = Identity("i", draw(st.integers(0, 1)), draw(st.integers(0, 4)))
            # A seal names its bytes: the same seal is the same batch.
            entry.rows = entry.identity.seq % 3 + 1
        if kind == "refused":
            entry.letter = Letter("predictions", 0, offset, 0, "bad_bytes", "", None, b"", ())
        entries.append(entry)
        offset += draw(st.integers(1, 3))
    return entries


def facts(log: list[Entry]) -> Counter[Any]:
    """The rows that must be there: the first record of each seal, and every plain one."""
    seen: set[Any] = set()
    rows: Counter[Any] = Counter()
    for entry in log:
        seal = seal_of(entry)
        if entry.letter is None and (seal is None or seal not in seen):
            seen.add(seal)
            rows.update((entry.offset, row) for row in range(entry.rows))
    return rows


lives = st.lists(
    st.tuples(st.integers(1, 25), st.booleans(), st.booleans(), st.integers(1, 5)),
    max_size=6,
)


@given(logs(), lives, st.integers(1, 6))
@settings(max_examples=many(400), deadline=None)
def test_rows_are_the_facts_once_wherever_workers_die(
    log: list[Entry], crashes: list[tuple[int, bool, bool, int]], last_records: int
) -> None:
    """However often workers die, before or after any action, blocks cut anew each time: every row lies there once."""
    world = World(log)
    for dies_at, after, late, records in crashes:
        before, world.late = world.late, []
        try:
            work(world, Edges(world, dies_at, after=after, late=late), limited(records))
        except CrashError:
            event("died")
        # The insert of a worker that is gone arrives after all that its successor did.
        for table, rows, token in before:
            world.server.insert(table, rows, token)
    work(world, Edges(world, None, after=False, late=False), limited(last_records))
    for table, rows, token in world.late:
        world.server.insert(table, rows, token)

    expected = facts(log)
    assert Counter(world.server.tables.get("predictions", [])) == expected
    assert Counter(world.server.tables.get("prediction_lookup", [])) == expected
    seals = [seal for seal, _ in world.server.tables.get("batches", [])]
    assert len(seals) == len(set(seals))
    assert set(world.letters) == {entry.offset for entry in log if entry.letter is not None}


@given(logs(), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=many(100), deadline=None)
def test_lost_commits_store_nothing_twice(log: list[Entry], first: int, second: int) -> None:
    """A group whose commits expired reads from the beginning, and ClickHouse's own book leaves out what it has."""
    world = World(log)
    work(world, Edges(world, None, after=False, late=False), limited(first))
    work(world, Edges(world, None, after=False, late=False), limited(second), forgets=True)
    assert Counter(world.server.tables.get("predictions", [])) == facts(log)


class Careless(Edges):
    """A worker that commits no plan."""

    def plan(self, block: Block) -> None:
        """Forget it."""


def test_without_the_plan_rows_lie_there_twice() -> None:
    """The model can fail: a worker that cuts other blocks than the dead one had begun stores rows twice."""
    log = [Entry(offset, offset, 10, 1, None, "d") for offset in range(4)]
    world = World(log)
    with pytest.raises(CrashError):
        work(world, Careless(world, 2, after=False, late=False), limited(2))
    work(world, Careless(world, None, after=False, late=False), limited(3))
    assert max(Counter(world.server.tables["predictions"]).values()) == 2
