"""Many threads at one emitter: no event is lost, none comes twice, and the books balance while they run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from emit_fakes import columns_of, sink

THREADS = 4
EVENTS = 3_000


@pytest.mark.parametrize("buffer_bytes", [1 << 26, 1 << 21], ids=["roomy", "tight"])
def test_threads_share_an_emitter(tmp_path: Path, buffer_bytes: int) -> None:
    """Events of several threads, with keys of their own each, all travel once, each under its own id.

    Where a buffer is so small that threads pack what others brought, some may be refused; the rest travels so too.
    """
    ids: list[bytes] = []
    balances: set[int] = set()
    done = threading.Event()
    with sink(tmp_path, buffer_bytes=buffer_bytes) as out:

        def serve(number: int) -> None:
            made = []
            for at in range(EVENTS):
                value = float(number * EVENTS + at)
                made.append(out.emitter.log({"v": value} if number % 2 else {"v": value, "w": 0.5}))
            ids.extend(made)

        def audit() -> None:
            while not done.wait(0.001):
                balances.update(book.balance for book in out.emitter.stats().topics.values())

        auditor = threading.Thread(target=audit)
        auditor.start()
        threads = [threading.Thread(target=serve, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        auditor.join()
        batches = out.batches()
        stats = out.stats()
    assert balances == {0}
    refused = stats.dropped.get("buffer_full", 0)
    assert (stats.enqueued, stats.spooled, stats.dropped) == (
        THREADS * EVENTS,
        THREADS * EVENTS - refused,
        {"buffer_full": refused} if refused else {},
    )
    assert buffer_bytes == 1 << 21 or not refused
    assert len(set(ids)) == THREADS * EVENTS
    known = [bytes(key) for batch in batches for key in batch.ids]
    assert len(known) == len(set(known)) == stats.spooled
    assert set(known) <= set(ids)
    found = [value for batch in batches for value in columns_of(batch)["v"]]
    assert len(found) == len(set(found)) == stats.spooled
    assert set(found) <= set(range(THREADS * EVENTS))
