"""Cold join: cold performance windows of one deployment, counted whole out of the archive."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Final

from driftline.streams.clickhouse import fact_reads, window_reads
from driftline.streams.clickhouse.fact_reads import PART_MS, Stretch
from driftline.streams.join.cell import cell_width
from driftline.streams.join.due import Place
from driftline.streams.join.outcomes_bytes import pack
from driftline.streams.replay.choice import Listed
from driftline.streams.replay.cold import FOREVER, hull, merges_of, runs
from driftline.streams.replay.duplicates import Duplicates
from driftline.streams.replay.merged import merged_join, unkept
from driftline.streams.replay.part import Part, slices
from driftline.streams.replay.rejoin import HELD_BYTES, Rejoin, too_much
from driftline.streams.windows.book import NEVER
from driftline.streams.windows.late import ANY_OFFSET, Late
from driftline.streams.windows.resolution import DAY_MS, Resolution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from driftline.schemas.columns import LabelColumns, PredictionColumns
    from driftline.schemas.window import WindowResult
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.join.kept import CellKey
    from driftline.streams.join.terms import Book
    from driftline.streams.replay.cold import Edge
    from driftline.streams.replay.tasks import JoinTask
    from driftline.streams.windows.window import Window

LABEL_BYTES: Final = 36
"""What a label that is read ahead takes: id, time, number, class."""
ANSWER_BYTES: Final = 36
"""What a prediction does, beside its scores and segments: id, time, offset, class."""


def join_cold(
    client: Client,
    task: JoinTask,
    name: str,
    windows: set[Window],
    edge: Edge,
    book: Book,
    now_ms: int,
    settled: Callable[[], None],
) -> Iterator[Part]:
    """Count the cold windows of a deployment again, some days at a time.

    Args:
        client: where the archive is.
        task: of which they are.
        name: of the deployment.
        windows: to be counted.
        edge: where hot ends.
        book: by what windows are counted and judged.
        now_ms: wall-clock time, ms.
        settled: returns when the archive holds all windows published so far.

    Raises:
        ClickHouseError: the server is away or refuses.
        ReplayError: a day takes more than memory is allowed for.
    """
    watermark_ms = edge.watermark_ms
    if watermark_ms == NEVER:
        watermark_ms = fact_reads.newest_ms(client, name) or NEVER
    place = Place(task.partition, 0, now_ms)
    packed: dict[CellKey, bytes] = {}
    span = hull(windows, DAY_MS)
    duplicates = Duplicates(client, name, span[0], task.rules)
    parts = runs(windows, fact_reads.rows_by_day(client, Stretch(name, *span)))
    widths = [max(cell_width(book.resolutions(name, one.version)) for one in mine) for mine in parts]
    stretches = [Stretch(name, *hull(mine, width)) for mine, width in zip(parts, widths, strict=True)]
    # The next days are read while these are counted; the client serves one thread at a time.
    read = deque([_ahead(partial(_facts, client, duplicates, stretches[0]))])
    try:
        for mine, after in zip(parts, [*stretches[1:], None], strict=True):
            rejoin = Rejoin(name, place, Listed.of(mine), book, task.rules.hot_windows, FOREVER)
            facts = read.popleft().result()
            if after is not None:
                read.append(_ahead(partial(_facts, client, duplicates, after)))
            facts.give(rejoin, duplicates)
            yield from slices(name, rejoin.results(watermark_ms, now_ms))
            wait(read)
            yield from slices(name, _emptied(client, rejoin, mine - rejoin.told))
            days = rejoin.hot.days.all()
            packed |= {key: pack(one) for key, one in days.items()}
            yield Part(name, [], days, {merge for merge in merges_of(mine) if edge.is_kept(merge)})
    finally:
        wait(read)
    merges = unkept(windows, edge, settled)
    found = (merged_join(client, name, watermark_ms, one, packed, book, place) for one in merges)
    yield from slices(name, (one for one in found if one is not None))


@dataclass(slots=True)
class _Facts:
    """What is read of some days."""

    deployment: str
    labels: list[LabelColumns] = field(default_factory=list)
    aside: list[tuple[NDArray[np.int64], PredictionColumns]] = field(default_factory=list)
    answers: list[tuple[NDArray[np.int64], PredictionColumns]] = field(default_factory=list)
    nbytes: int = 0

    def read(self, client: Client, duplicates: Duplicates, stretch: Stretch) -> None:
        """Read all of it; raises ReplayError when it is more than memory is allowed for."""
        for truth in fact_reads.labels(client, stretch):
            self.labels.append(truth)
            self._weigh(LABEL_BYTES * truth.rows)
        for into, found in (
            (self.aside, duplicates.rows(stretch)),
            (self.answers, fact_reads.answers(client, stretch)),
        ):
            for offsets, cols in found:
                into.append((offsets, cols))
                scores = sum(len(block.names) for block in cols.scores)
                self._weigh((ANSWER_BYTES + 8 * scores + 4 * len(cols.segments)) * cols.rows)

    def _weigh(self, more_bytes: int) -> None:
        self.nbytes += more_bytes
        if self.nbytes > HELD_BYTES:
            raise too_much(self.deployment, HELD_BYTES)

    def give(self, rejoin: Rejoin, duplicates: Duplicates) -> None:
        """Have all of it taken, and keep none."""
        for truth in self.labels:
            rejoin.take_labels(0, truth)
        for offsets, cols in self.aside:
            rejoin.take_duplicates(offsets, cols)
        for offsets, cols in self.answers:
            rejoin.take(offsets, cols, duplicates.reached_ms(offsets))
        self.labels, self.aside, self.answers = [], [], []


def _ahead(work: Callable[[], _Facts]) -> Future[_Facts]:
    """Begin work in a thread that keeps no process from ending."""
    found: Future[_Facts] = Future()

    def run() -> None:
        try:
            found.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            found.set_exception(error)

    Thread(target=run, name="reader", daemon=True).start()
    return found


def _facts(client: Client, duplicates: Duplicates, stretch: Stretch) -> _Facts:
    facts = _Facts(stretch.deployment)
    facts.read(client, duplicates, stretch)
    return facts


def _emptied(client: Client, rejoin: Rejoin, windows: set[Window]) -> Iterator[WindowResult]:
    """Give windows that were published and hold no prediction any more, because all their ids count elsewhere.

    One whose predictions the archive does not hold, as retention took them, stands as it was published.
    """
    alike: dict[tuple[str, str, str], set[Window]] = {}
    for window in windows:
        alike.setdefault(window[:3], set()).add(window)
    for (version, slot, resolution), some in alike.items():
        since_ms, until_ms = hull(some, PART_MS)
        there = window_reads.published(client, rejoin.hot.name, min(some), until_ms, "accuracy")
        every = Late(version, slot, since_ms, until_ms, 0, 0, ANY_OFFSET)
        held = {
            Resolution(resolution).start(one.start_ms)
            for one in (fact_reads.touched_by_rows(client, rejoin.hot.name, every) if there else ())
        }
        yield from (
            rejoin.emptied(window) for window in sorted(some) if window.start_ms in there.keys() & held
        )
